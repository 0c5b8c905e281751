// Ten thousand samples in flight over a socket of this machine: memory stays flat from round to round, the server answers others
// in the meantime, and what one request costs is printed.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Agent, request } from "undici";
import { expect, test } from "vitest";
import { createScriptedEngine } from "../../../src/engine/scripted.ts";
import { serveTinker } from "../../../src/engine/tinker/server/serve.ts";
import { decodeSampleResult } from "../../../src/engine/tinker/wire/sampling.ts";
import { codes, newFolder } from "./served.ts";

const inFlight = 10_000;
const rounds = 6;

setFlagsFromString("--expose_gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapMegabytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 2 ** 20;
}

test("10,000 samples in flight", { timeout: 600_000 }, async () => {
  await using engine = createScriptedEngine({ reply: ({ random }) => String(random.integer(0, 1e12)) });
  await using server = await serveTinker({
    engine,
    model: { names: ["tiny"], tokenizer: null, architecture: null },
    folder: newFolder(),
    host: "127.0.0.1",
    port: 0,
    key: null,
    report: (error) => {
      throw error;
    },
  });
  const agent = new Agent({ connections: 64, pipelining: 1 });
  const call = async (path: string, body: object, accept = "application/json") => {
    const { statusCode, body: answer } = await request(`${server.url}/api/v1/${path}`, {
      method: "POST",
      dispatcher: agent,
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", accept },
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}: ${new TextDecoder().decode(bytes)}`);
    return bytes;
  };
  const json = async (path: string, body: object) => JSON.parse(new TextDecoder().decode(await call(path, body)));
  const { session_id } = await json("create_session", { tags: [] });
  const { sampling_session_id } = await json("create_sampling_session", {
    session_id,
    sampling_session_seq_id: 0,
    base_model: "tiny",
  });
  const tokens = codes("what is one and one, said the proposer to the solver of the same model?".repeat(2));
  const message = (seq_id: number) => ({
    sampling_session_id,
    seq_id,
    num_samples: 1,
    prompt: { chunks: [{ type: "encoded_text", tokens }] },
    sampling_params: { max_tokens: 12, seed: seq_id },
  });
  let cursor = 0;
  const round = async (index: number): Promise<void> => {
    const waiting = new Set<string>();
    const first = index * inFlight;
    await Promise.all(
      Array.from({ length: inFlight }, async (_, i) => {
        waiting.add((await json("asample", message(first + i))).request_id);
      }),
    );
    let retrieved: string[] = [];
    while (waiting.size > 0) {
      const news = await json("retrieve_futures", {
        target: { type: "sampling_session", sampling_session_id, cloned_sampler_id: 0 },
        prev_cursor: cursor,
        retrieved_request_ids: retrieved,
      });
      cursor = news.cursor;
      retrieved = news.completions.map((one: { request_id: string }) => one.request_id);
      await Promise.all(
        retrieved.map(async (request_id) => {
          const bytes = await call("retrieve_future", { request_id }, "application/x-protobuf");
          const { sequences } = decodeSampleResult(bytes, "protobuf");
          expect(sequences[0].tokens.length).toBeGreaterThan(0);
          waiting.delete(request_id);
        }),
      );
    }
  };
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const heap: number[] = [];
  delay.enable();
  const before = process.cpuUsage();
  for (let index = 0; index < rounds; index++) {
    await round(index);
    heap.push(heapMegabytes());
  }
  delay.disable();
  const { user, system } = process.cpuUsage(before);
  await agent.close();
  const perSample = (user + system) / (rounds * inFlight);
  console.log(
    `processor time a sample, client and server and engine in one process: ${perSample.toFixed(0)} µs; heap after each round, MiB: ${heap
      .map((megabytes) => megabytes.toFixed(1))
      .join(
        ", ",
      )}; longest time without an answer: ${(delay.max / 1e6).toFixed(0)} ms, 99 %: ${(delay.percentile(99) / 1e6).toFixed(0)} ms`,
  );
  // Results that were fetched are kept for a minute at most; 10,000 of them take about 5 MB.
  expect(heap[rounds - 1] - heap[1]).toBeLessThan(15);
});
