// A stand-in for the Hugging Face hub on this machine, with what the hub's HTTP interface says of a model, and faults to order.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubServer extends AsyncDisposable {
  readonly url: string;
  /** Requests for files, in order: path, range and token. */
  readonly requests: { readonly path: string; readonly range: string | null; readonly token: string | null }[];
  /** Faults of the next requests. */
  readonly faults: {
    /** Breaks the connection after so many bytes of a file, once. */
    cutAfter?: number;
    /** Answers every request with this status. */
    status?: number;
    /** Ignores ranges. */
    wholeFiles?: boolean;
    /** Sends other bytes than announced, once. */
    garble?: boolean;
  };
}

export const commit = "0123456789abcdef0123456789abcdef01234567";

/** Serves `repo` with these files; those of 200 bytes and more are large files, named by SHA-256. */
export async function serveHub(repo: string, files: ReadonlyMap<string, Buffer>): Promise<HubServer> {
  const requests: HubServer["requests"] = [];
  const faults: HubServer["faults"] = {};
  const server = createServer((request, response) => {
    const [path] = (request.url ?? "").split("?");
    if (faults.status !== undefined) return sendJson(response, faults.status, { error: "as ordered" });
    if (path.startsWith(`/api/models/${repo}/revision/`)) {
      const revision = decodeURIComponent(path.split("/").at(-1) ?? "");
      if (!["main", "v1", commit].includes(revision)) return sendJson(response, 404, { error: "Invalid rev id" });
      return sendJson(response, 200, { _id: "1", id: repo, sha: commit, lastModified: "2026-01-01T00:00:00Z" });
    }
    if (path === `/api/models/${repo}/tree/${commit}`) return sendJson(response, 200, [...files].map(treeEntry));
    const resolved = `/${repo}/resolve/${commit}/`;
    const content = path.startsWith(resolved) ? files.get(path.slice(resolved.length)) : undefined;
    if (content === undefined) return sendJson(response, 404, { error: "not found" });
    requests.push({
      path: path.slice(resolved.length),
      range: request.headers.range ?? null,
      token: request.headers.authorization ?? null,
    });
    return sendFile(request, response, content, faults);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    faults,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function treeEntry([path, content]: readonly [string, Buffer]): object {
  const oid = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
  const entry = { type: "file", path, size: content.length, oid };
  if (content.length < 200) return entry;
  return {
    ...entry,
    oid: "f".repeat(40),
    lfs: { oid: createHash("sha256").update(content).digest("hex"), size: content.length, pointerSize: 130 },
  };
}

function sendJson(response: ServerResponse, status: number, content: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(content));
}

function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  faults: HubServer["faults"],
): void {
  const range = faults.wholeFiles ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const [begin, end] = range === null ? [0, content.length] : [Number(range[1]), Number(range[2]) + 1];
  let part = content.subarray(begin, end);
  if (faults.garble) {
    faults.garble = false;
    part = Buffer.from(part.map((byte) => byte ^ 1));
  }
  response.writeHead(range === null ? 200 : 206, {
    "content-length": part.length,
    ...(range === null ? {} : { "content-range": `bytes ${begin}-${end - 1}/${content.length}` }),
  });
  const { cutAfter } = faults;
  if (cutAfter === undefined || part.length <= cutAfter) {
    response.end(part);
    return;
  }
  delete faults.cutAfter;
  response.write(part.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 20));
}
