// The client against recorded servers: what SkyRL, TuFT and open-rl answered to the official SDK is what they answer here.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { monotonicClock } from "../../../src/engine/tinker/client/clock.ts";
import { openTinkerEngine } from "../../../src/engine/tinker/client/tinker-engine.ts";
import { apiRoot } from "../../../src/engine/tinker/wire/messages.ts";
import { bytesOf, type Capture, captures, type Exchange, endpointOf } from "./captures.ts";
import { tinyTokenizer } from "./tiny-tokenizer.ts";

const { folder, dispose } = tinyTokenizer();
afterAll(dispose);

/** Answers each endpoint's requests with its recorded answers in turn, promises by their names, samples by their number. */
async function replay({ name, exchanges }: Capture) {
  const waiting = exchanges.filter(({ response }) => response.status < 300 || response.status === 400);
  const json = name.startsWith("openrl");
  const titles = { skyrl: "Tinker API Mock", tuft: "TuFT", openrl: "gateway" };
  const title = Object.entries(titles).find(([start]) => name.startsWith(start))?.[1];
  const answer = (method: string, path: string, body: Record<string, unknown> | null): Exchange["response"] | null => {
    const endpoint = endpointOf({ method, path });
    const fits = (exchange: Exchange): boolean => {
      if (endpoint === null || endpointOf(exchange) !== endpoint) return false;
      const recorded = exchange.request.body;
      const message = recorded !== null && "json" in recorded ? (recorded.json as Record<string, unknown>) : {};
      if (endpoint === "retrieveFuture") return message["request_id"] === body?.["request_id"];
      return endpoint !== "sample" || message["num_samples"] === body?.["num_samples"];
    };
    const index = waiting.findIndex(fits);
    if (index === -1) return null;
    const [found] = endpoint === "retrieveFuture" ? [waiting[index]] : waiting.splice(index, 1);
    return found.response;
  };
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const path = request.url ?? "";
    const protobuf = request.headers["content-type"]?.includes("protobuf") === true;
    const body = protobuf || pieces.length === 0 ? null : JSON.parse(Buffer.concat(pieces).toString("utf8"));
    const found = protobuf && json ? null : answer(request.method ?? "", path, body);
    if (path === "/openapi.json") response.end(JSON.stringify({ info: { title } }));
    else if (path === `${apiRoot}session_heartbeat`) response.end("{}");
    else if (found === null) response.writeHead(protobuf && json ? 500 : 404).end('{"detail":"not recorded"}');
    else response.writeHead(found.status, { "content-type": found.headers["content-type"] }).end(bytesOf(found.body));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** The sequences and weights that the SDK sent. */
const tokens = Array.from({ length: 12 }, (_, i) => 40 + i);
const datum = {
  tokens,
  weights: tokens.map((_, i) => (i < 4 ? 0 : 1)),
  logprobs: tokens.map(() => -5),
  advantages: tokens.map(() => 1),
};
const adam = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, gradClipNorm: 0 };

describe.each(captures)("$name", (capture) => {
  const [server] = capture.name.split("-");
  it("trains and samples", async () => {
    await using recorded = await replay(capture);
    await using engine = await openTinkerEngine({
      model: "tiny-qwen3",
      tokenizer: folder,
      baseUrl: recorded.url,
      environment: {},
      clock: monotonicClock(0.01),
      heartbeatSeconds: 0.1,
      patienceSeconds: 1,
    });
    const names: Record<string, string> = { skyrl: "SkyRL", tuft: "TuFT", openrl: "open-rl" };
    expect(engine.capabilities.weights).toContain(names[server]);
    await using policy = await engine.openPolicy();
    const first = await policy.forwardBackward([datum, datum], "cross_entropy");
    expect(first.logprobs.map((row) => row.length)).toEqual([12, 12]);
    expect(first.metrics["tokens"]).toBe(16);
    // What open-rl says of the loss, on the same weights as SkyRL: this package makes the same of both their log-probabilities.
    if (server !== "tuft") expect(first.metrics["loss"]).toBeCloseTo(90.4079, 3);
    const { metrics } = await policy.optimStep(adam);
    expect(metrics["step"]).toBe(1);
    // What TuFT reports is the norm of the update.
    if (server === "tuft") expect(metrics).not.toHaveProperty("gradNorm");
    else expect(metrics["gradNorm"]).toBeGreaterThan(0);
    const ask = { promptTokens: tokens.slice(0, 4), numSamples: server === "openrl" ? 1 : 2, seed: 7, first: 0 };
    const [completions] = await policy.sample([ask], { maxTokens: 6, temperature: 1, stop: [287] });
    expect(completions.map((completion) => completion.tokens.length)).toEqual(completions.map(() => 6));
    expect(completions.every(({ stopReason }) => stopReason === "length")).toBe(true);
    expect(completions.flatMap(({ logprobs }) => logprobs).every((logprob) => logprob < 0)).toBe(true);
  });
});
