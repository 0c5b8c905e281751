// What the Tinker client costs: 10,000 samples under way at once on loopback, and the requests of one step of the main job,
// against a server that computes nothing. Processor time is that of the client's thread alone.
import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { askEach } from "../src/engine/asks.ts";
import type { Policy } from "../src/engine/engine.ts";
import { openTinkerEngine } from "../src/engine/tinker/client/tinker-engine.ts";
import { benchStep } from "./step.ts";

export interface TinkerBench {
  readonly inFlight: number;
  /** Milliseconds of processor time for a sample, from its ask to its completion: two requests. */
  readonly sampleMilliseconds: number;
  readonly samplesPerSecond: number;
  /** Mebibytes of the client's heap after each round of so many samples, and at most while one was under way. */
  readonly heapMebibytes: readonly number[];
  readonly highestMebibytes: number;
  /** Milliseconds of processor time for the requests of a step of the main job. */
  readonly stepMilliseconds: number;
  /** Requests over HTTP that it takes. */
  readonly stepRequests: number;
  /** Of the processor time of the whole step in process. */
  readonly stepShare: number;
}

const inFlight = 10_000;
const rounds = 4;
/** Steps that are played before any counts, and those that count. */
const [warmUp, counted] = [10, 40];

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");
const heap = (): number => process.memoryUsage().heapUsed / 2 ** 20;
const threadMilliseconds = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

export async function benchTinker(): Promise<TinkerBench> {
  const worker = new Worker(new URL("./tinker-worker.ts", import.meta.url));
  try {
    const [port] = (await once(worker, "message")) as [number];
    const options = { model: "bench", tokenizer: "models/arithmetic", environment: {} };
    await using engine = await openTinkerEngine({ ...options, baseUrl: `http://127.0.0.1:${port}` });
    await using policy = await engine.openPolicy();
    const samples = await manySamples(policy, (wanted) => worker.postMessage({ wanted }));
    worker.postMessage({ wanted: 1 });
    const requests = async (): Promise<number> => {
      const answer = once(worker, "message");
      worker.postMessage("requests");
      return (await answer)[0];
    };
    await steps(policy, warmUp);
    const before = await requests();
    const stepMilliseconds = await steps(policy, counted);
    const stepRequests = ((await requests()) - before) / counted;
    const stepShare = stepMilliseconds / (await stepInProcess());
    return { inFlight, ...samples, stepMilliseconds, stepRequests, stepShare };
  } finally {
    await worker.terminate();
  }
}

async function manySamples(
  policy: Policy,
  want: (count: number) => void,
): Promise<Pick<TinkerBench, "sampleMilliseconds" | "samplesPerSecond" | "heapMebibytes" | "highestMebibytes">> {
  const asks = askEach(Array.from({ length: inFlight }, (_, i) => [2 + (i % 10), 3, 4, 5]));
  const heaps: number[] = [];
  let [highest, processor, seconds] = [0, 0, 0];
  const watch = setInterval(() => {
    highest = Math.max(highest, heap());
  }, 50);
  want(inFlight);
  for (let round = 0; round < rounds; round++) {
    const [cpu, start] = [threadMilliseconds(), performance.now()];
    await policy.sample(asks, { maxTokens: 8, temperature: 1, stop: [1] });
    // The first one warms up.
    if (round > 0) {
      processor += threadMilliseconds() - cpu;
      seconds += (performance.now() - start) / 1000;
    }
    collect();
    heaps.push(heap());
  }
  clearInterval(watch);
  const counted = inFlight * (rounds - 1);
  return {
    sampleMilliseconds: processor / counted,
    samplesPerSecond: counted / seconds,
    heapMebibytes: heaps,
    highestMebibytes: highest,
  };
}

/** Processor time of a step in process, in milliseconds: of a longer run less that of a shorter one. */
async function stepInProcess(): Promise<number> {
  const [few, more] = [4, 14];
  const times: number[] = [];
  for (const steps of [few, more]) {
    const before = process.cpuUsage();
    await benchStep(steps);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return (times[1] - times[0]) / (more - few);
}

/**
 * Milliseconds of processor time for the requests of a step with default settings, the mean of so many: 256 proposals, 128 groups of
 * 16 answers in two forms, and what a quarter of the groups teaches, which is what is seen. The clock of a thread moves on in
 * jumps of some milliseconds, so it is read before the first and after the last.
 */
async function steps(policy: Policy, count: number): Promise<number> {
  const prompt = [2, 3, 4, 5, 6, 7, 8, 9];
  const data = Array.from({ length: 512 }, () => {
    const tokens = [...prompt, 3, 4, 5, 6, 7, 8, 9, 1];
    const row = (value: number): number[] => tokens.map((_, i) => (i < prompt.length ? 0 : value));
    return { tokens, weights: row(1 / 4096), logprobs: row(-1), advantages: row(0.5) };
  });
  const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };
  const options = { maxTokens: 8, temperature: 1, stop: [1] };
  const before = threadMilliseconds();
  for (let seed = 0; seed < count; seed++) {
    await policy.sample(askEach([prompt], { numSamples: 256, seed }), options);
    const questions = Array.from({ length: 256 }, () => prompt);
    await policy.sample(askEach(questions, { numSamples: 8, seed }), options);
    await Promise.all([policy.forwardBackward(data, "importance_sampling"), policy.optimStep(adam)]);
  }
  return (threadMilliseconds() - before) / count;
}
