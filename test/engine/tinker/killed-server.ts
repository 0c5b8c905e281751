// Our server as a process of its own that is killed in the middle of its work and started again, behind a line that knows when.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { request as forward } from "undici";
import { apiRoot } from "../../../src/engine/tinker/wire/messages.ts";

export interface KilledServer extends AsyncDisposable {
  /** Of the line, which stays. */
  readonly url: string;
  /** How often the server was killed. */
  readonly kills: number;
}

export interface KillOptions {
  readonly model: string;
  /** Where saved weights are kept, for each server that is started; the last one holds for those that follow. */
  readonly saves: readonly string[];
  /**
   * Asked about each request, which is the `count`th of its path: killed before the server has it, when it has answered and the client
   * does not know, or not at all.
   */
  readonly kill: (path: string, count: number) => "before" | "after" | null;
}

const main = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

async function start(model: string, saves: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const args = ["serve-tinker", model, "--name", "tiny", "--lora-rank", "4", "--threads", "1", "--port", "0"];
  const child = spawn(process.execPath, [main, ...args, "--saves", saves, "--json"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return { url: (JSON.parse(line.toString()) as { url: string }).url, child };
}

export async function openKilledServer({ model, saves, kill }: KillOptions): Promise<KilledServer> {
  let [kills, starting] = [0, start(model, saves[0]!)];
  await starting;
  const counts = new Map<string, number>();
  /** One after another, whoever asks: none is left behind. */
  const killIt = (): void => {
    kills += 1;
    const next = saves[Math.min(kills, saves.length - 1)]!;
    starting = starting.then(async ({ child }) => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      return start(model, next);
    });
  };
  const line = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const path = (request.url ?? "").replace(apiRoot, "");
    const count = (counts.get(path) ?? 0) + 1;
    counts.set(path, count);
    const when = kill(path, count);
    try {
      if (when === "before") {
        killIt();
        throw new Error("killed");
      }
      const { host: _, connection: __, "content-length": ___, "transfer-encoding": ____, ...headers } = request.headers;
      const { url } = await starting;
      const sent = { method: request.method as "POST", headers, ...(body.length > 0 ? { body } : {}) };
      const answer = await forward(`${url}${request.url}`, sent);
      const bytes = Buffer.from(await answer.body.bytes());
      if (when === "after") {
        killIt();
        throw new Error("killed");
      }
      const type = [answer.headers["content-type"]].flat()[0] ?? "";
      response.writeHead(answer.statusCode, { "content-type": type, "content-length": String(bytes.length) });
      response.end(bytes);
    } catch {
      request.socket.destroy();
    }
  });
  line.listen(0, "127.0.0.1");
  await once(line, "listening");
  return {
    url: `http://127.0.0.1:${(line.address() as AddressInfo).port}`,
    get kills() {
      return kills;
    },
    [Symbol.asyncDispose]: async () => {
      line.closeAllConnections();
      line.close();
      const { child } = await starting;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
