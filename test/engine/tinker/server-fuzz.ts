// Messages that nobody meant, sent to the server: recorded requests with bytes changed, and bytes of nothing, to every route.
import { apiRoot, endpoints } from "../../../src/engine/tinker/wire/messages.ts";
import { type Random, randomStream } from "../../../src/random.ts";
import { bytesOf, captures } from "./captures.ts";
import { mutate } from "./fuzz.ts";
import type { Served } from "./served.ts";

interface Seed {
  readonly method: string;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly type: string;
}

function seeds(): Seed[] {
  const recorded = captures.flatMap(({ exchanges }) =>
    exchanges.map(({ method, path, request: { headers, body } }) => ({
      method,
      path: path.slice(apiRoot.length),
      bytes: bytesOf(body),
      type: headers["content-type"] ?? "application/json",
    })),
  );
  const paths = Object.values(endpoints).map(({ method, path }) => ({
    method,
    path: path.replace("{checkpoint}", "weights/a").replace(/\{\w+\}/g, "a"),
    bytes: new TextEncoder().encode("{}"),
    type: "application/json",
  }));
  return [...recorded, ...paths];
}

/** Names in recorded messages that a server gave, replaced by those of this one, so that requests get further than that. */
function rename(bytes: Uint8Array, names: ReadonlyMap<string, string>): Uint8Array {
  let text = Buffer.from(bytes).toString("latin1");
  for (const [from, to] of names) text = text.replaceAll(from, to);
  return Buffer.from(text, "latin1");
}

/** The counts of statuses. Throws where an answer is no answer of the protocol, or the server reports a defect. */
export async function fuzzServer(server: Served, count: number, seed = "server fuzz"): Promise<Map<number, number>> {
  const random: Random = randomStream(seed);
  const all = seeds();
  const { session, id } = await server.model();
  const sampler = await server.sampler();
  const names = new Map([
    ["tiny-qwen3", "tiny"],
    ["session_18dec8da", session],
    ["session_76718ec1", session],
    ["model_ebff6abe", id],
    ["model_d64f5103", id],
    ["sampling_e36ffef5", sampler],
    ["sampling_5ab695d2", sampler],
  ]);
  const statuses = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const { method, path, bytes, type } = random.pick(all);
    const known = rename(bytes, names);
    const body = i % 20 === 0 ? known : mutate(known, random, random.pick(all).bytes);
    const response = await server.send(method, path, method === "POST" ? body : undefined, { "content-type": type });
    const answer = new Uint8Array(await response.arrayBuffer());
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    if (response.status === 204) continue;
    const text = new TextDecoder().decode(answer);
    if (response.headers.get("content-type") === "application/x-protobuf") continue;
    const value = JSON.parse(text) as { readonly detail?: unknown };
    // Not done yet, which is no refusal.
    const refused = response.status >= 400 && response.status !== 408;
    const sentence = typeof value.detail === "string" && value.detail.length > 10 && value.detail.length < 1000;
    if (refused !== sentence || response.status >= 500) {
      throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`);
    }
  }
  if (server.reported.length > 0) throw server.reported[0];
  return statuses;
}
