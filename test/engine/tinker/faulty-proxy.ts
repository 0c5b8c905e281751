// A line between client and server on which things go wrong: answers that are lost, requests that never arrive or arrive twice,
// gateways that answer in the server's place, promises that have expired.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { request as forward } from "undici";
import { apiRoot, endpoints } from "../../../src/engine/tinker/wire/messages.ts";
import type { Random } from "../../../src/random.ts";

export interface FaultyProxy extends AsyncDisposable {
  readonly url: string;
  /** How many faults of each kind there have been. */
  readonly faults: Map<string, number>;
  /** Faults happen from now on. */
  begin(): void;
}

const gateway = [408, 429, 500, 502, 503, 504, 402] as const;
/** Faults before the server has seen the request, and after it has done it. */
const kinds = [
  "never arrives",
  "answer lost",
  "twice",
  "refused",
  "refused afterwards",
  "late",
  "cut off",
  "expired",
  "conflict",
] as const;
type Kind = (typeof kinds)[number];

/** @param often the part of requests that meet a fault */
export async function openFaultyProxy(upstream: string, random: Random, often: number): Promise<FaultyProxy> {
  const faults = new Map<string, number>();
  let begun = false;
  const poll = apiRoot + endpoints.retrieveFuture.path;

  const drawFault = (path: string): Kind | null => {
    if (!begun || random.next() >= often) return null;
    const kind = random.pick(kinds);
    if (kind === "expired" && path !== poll) return null;
    // A conflict is what a server says of its own work: of requests whose number or name it knows.
    if (kind === "conflict" && path === poll) return null;
    return kind;
  };

  const pass = async (request: IncomingMessage, body: Buffer) => {
    const { host: _, connection: __, "content-length": ___, "transfer-encoding": ____, ...headers } = request.headers;
    const sent = body.length > 0 ? { body } : {};
    const answer = await forward(`${upstream}${request.url}`, { method: request.method as "POST", headers, ...sent });
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.bytes()) };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const path = request.url ?? "";
    const fault = drawFault(path);
    const refuse = (status: number): void => {
      response.writeHead(status, {
        "content-type": "application/json",
        ...(status === 429 ? { "retry-after": "1" } : {}),
      });
      response.end(status === 503 ? "<html>bad gateway</html>" : JSON.stringify({ detail: "injected" }));
    };
    if (fault !== null) faults.set(fault, (faults.get(fault) ?? 0) + 1);
    if (fault === "never arrives") return void request.socket.destroy();
    if (fault === "refused") return refuse(random.pick(gateway));
    if (fault === "expired") return refuse(410);
    if (fault === "conflict") return refuse(409);
    if (fault === "late") await new Promise((go) => setTimeout(go, random.integer(1, 30)));
    if (fault === "twice") await pass(request, body);
    const answer = await pass(request, body);
    if (fault === "answer lost") return void request.socket.destroy();
    if (fault === "refused afterwards") return refuse(random.pick([408, 500, 502, 504]));
    const type = [answer.headers["content-type"]].flat()[0] ?? "";
    response.writeHead(answer.status, { "content-type": type, "content-length": String(answer.body.length) });
    if (fault === "cut off" && answer.body.length > 1) {
      response.write(answer.body.subarray(0, answer.body.length - 1), () => request.socket.destroy());
      return;
    }
    response.end(answer.body);
  };

  const server = createServer((request, response) => {
    // A client that has gone away is no concern of the line's.
    handle(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    begin: () => {
      begun = true;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
