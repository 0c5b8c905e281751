// A run of samples, passes, updates, saves and loads over a line with faults, and what is left of it.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askEach } from "../../../src/engine/asks.ts";
import type { EngineProgress } from "../../../src/engine/engine.ts";
import { openOnnxEngine } from "../../../src/engine/onnx/onnx-engine.ts";
import { monotonicClock } from "../../../src/engine/tinker/client/clock.ts";
import { openTinkerEngine } from "../../../src/engine/tinker/client/tinker-engine.ts";
import { createModel } from "../../../src/model/create-model.ts";
import { randomStream } from "../../../src/random.ts";
import { openFaultyProxy } from "./faulty-proxy.ts";
import { openTestServer, type TestServerOptions } from "./test-server.ts";

export interface FaultRun {
  /** Samples of every step and the scores of the last weights. */
  readonly outcome: unknown;
  readonly faults: ReadonlyMap<string, number>;
  readonly total: number;
  /** Updates that the server carried out, by model and number of the request, in order. */
  readonly updates: readonly string[];
}

/** Settings of a test server that is taken for SkyRL and saves as it does. */
export const likeSkyrl: ServerChange = {
  introduction: {},
  savesByName: true,
  instead: (path) =>
    path === "/openapi.json"
      ? { status: 200, body: JSON.stringify({ info: { title: "Tinker API Mock" } }) }
      : undefined,
};

const adam = { learningRate: 0.02, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, gradClipNorm: 0 };

export interface FaultRunOptions {
  readonly steps: number;
  /** The part of requests that meet a fault. */
  readonly often: number;
  readonly seed?: number;
  readonly server?: ServerChange;
  readonly onProgress?: (progress: EngineProgress) => void;
}

export type ServerChange = Omit<Partial<TestServerOptions>, "engine" | "model">;

export async function playOverFaults({
  steps,
  often,
  seed = 1,
  server: change = {},
  onProgress,
}: FaultRunOptions): Promise<FaultRun> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-faults-"));
  try {
    const model = join(folder, "model");
    createModel(model, {
      characters: "0123456789+-*=?ab",
      hiddenSize: 16,
      intermediateSize: 24,
      layers: 1,
      heads: 2,
      maxPositions: 32,
      seed: 5,
      architecture: "Qwen2ForCausalLM",
    });
    await using inner = await openOnnxEngine({ model, threads: 1, loraRank: 4, loraAlpha: 16 });
    await using server = await openTestServer({ engine: inner, model: "tiny", holdMilliseconds: 20, ...change });
    await using proxy = await openFaultyProxy(server.url, randomStream("faults", seed), often);
    await using engine = await openTinkerEngine({
      model: "tiny",
      tokenizer: model,
      baseUrl: proxy.url,
      rank: 4,
      environment: {},
      clock: monotonicClock(0.002),
      heartbeatSeconds: 0.02,
      patienceSeconds: 600,
      onProgress,
    });
    proxy.begin();
    await using policy = await engine.openPolicy();
    const samples: unknown[] = [];
    for (let step = 0; step < steps; step++) {
      const asks = askEach([[3, 4, 5], [7], [2, 9, 2, 9]], { numSamples: 2, seed: step });
      const rows = await policy.sample(asks, { maxTokens: 6, temperature: 1, stop: engine.tokenizer.endTokens });
      samples.push(rows.map((row) => row.map(({ tokens }) => tokens)));
      const data = rows.flatMap((row, i) =>
        row.map(({ tokens, logprobs }, j) => {
          const prompt = asks[i].promptTokens;
          const zeros = prompt.map(() => 0);
          return {
            tokens: [...prompt, ...tokens],
            weights: [...zeros, ...tokens.map(() => 0.1)],
            logprobs: [...zeros, ...logprobs],
            advantages: [...zeros, ...tokens.map(() => (j === 0 ? 1 : -1))],
          };
        }),
      );
      await Promise.all([policy.forwardBackward(data, "importance_sampling"), policy.optimStep(adam)]);
      if (step % 3 !== 2) continue;
      // The two that a restart of the client would do.
      const at = join(folder, `step-${step}`);
      mkdirSync(at);
      await policy.save(at, { optimizer: true });
      await policy.load(at, { optimizer: true });
    }
    const scores = await policy.score([
      [3, 4, 5, 6, 7],
      [9, 8, 7, 1],
    ]);
    const updates = server.done
      .filter(({ what }) => what === "optim_step")
      .map(({ model: id, seqId }) => `${id} ${seqId}`);
    const total = [...proxy.faults.values()].reduce((sum, count) => sum + count, 0);
    return { outcome: { samples, scores }, faults: proxy.faults, total, updates };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
