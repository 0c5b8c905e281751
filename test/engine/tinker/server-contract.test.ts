// The engine contract over this package's own server: the client on one end of a socket, the engine of this machine on the
// other; and the same run in process and over the wire.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { askEach } from "../../../src/engine/asks.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { openOnnxEngine } from "../../../src/engine/onnx/onnx-engine.ts";
import { monotonicClock } from "../../../src/engine/tinker/client/clock.ts";
import { openTinkerEngine } from "../../../src/engine/tinker/client/tinker-engine.ts";
import { serveTinker } from "../../../src/engine/tinker/server/serve.ts";
import { createModel } from "../../../src/model/create-model.ts";
import { describeEngineContract } from "../../../src/testing/engine-contract.ts";
import { lossFunctions } from "../../../src/types.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-tinker-served-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const characters = "0123456789+-*=?ab";
const model = join(folder, "model");
createModel(model, {
  characters,
  hiddenSize: 32,
  intermediateSize: 48,
  layers: 2,
  heads: 2,
  maxPositions: 32,
  seed: 5,
  architecture: "Qwen2ForCausalLM",
});

const openInProcess = (): Promise<Engine> => openOnnxEngine({ model, threads: 1, loraRank: 4, loraAlpha: 16, seed: 3 });

async function openServed(): Promise<Engine> {
  const inner = await openInProcess();
  const server = await serveTinker({
    engine: inner,
    model: { names: ["tiny"], tokenizer: null, architecture: null },
    folder: mkdtempSync(join(folder, "saves-")),
    host: "127.0.0.1",
    port: 0,
    key: null,
    report: (error) => {
      throw error;
    },
  });
  const engine = await openTinkerEngine({
    model: "tiny",
    tokenizer: model,
    baseUrl: server.url,
    rank: 4,
    seed: 3,
    environment: {},
    clock: monotonicClock(0.01),
    heartbeatSeconds: 0.1,
  });
  const dispose = engine[Symbol.asyncDispose];
  return Object.assign(engine, {
    [Symbol.asyncDispose]: async () => {
      await dispose();
      await server[Symbol.asyncDispose]();
      await inner[Symbol.asyncDispose]();
    },
  });
}

describeEngineContract("tinker, over sqlm serve-tinker", {
  open: openServed,
  vocabularySize: characters.length + 2,
  learns: true,
  text: "12+34=46",
  rounds: true,
});

/** Some updates with every loss on what the policy itself says; everything that comes out of it. */
async function trainingRun(engine: Engine) {
  await using policy = await engine.openPolicy();
  const { tokenizer } = policy;
  const prompts = ["1+2=", "12-3=", "ab*"].map((text) => tokenizer.encode(text));
  const adam = { learningRate: 0.02, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, gradClipNorm: 1 };
  const seen = { tokens: [] as number[][], logprobs: [] as number[], losses: [] as number[], norms: [] as number[] };
  for (const [step, loss] of lossFunctions.entries()) {
    const options = { maxTokens: 8, temperature: 1, stop: tokenizer.endTokens };
    const rows = await policy.sample(askEach(prompts, { numSamples: 4, seed: step }), options);
    const data = rows.flatMap((row, prompt) =>
      row.map(({ tokens, logprobs }, sample) => ({
        tokens: [...prompts[prompt], ...tokens],
        weights: [...prompts[prompt].map(() => 0), ...tokens.map(() => 0.5)],
        // As if sampled from elsewhere, so that ratios reach both clips.
        logprobs: [...prompts[prompt].map(() => 0), ...logprobs.map((logprob, i) => logprob - 0.3 + 0.2 * (i % 4))],
        advantages: [...prompts[prompt].map(() => 0), ...tokens.map(() => sample - 1.5)],
      })),
    );
    seen.tokens.push(...rows.flat().map(({ tokens }) => [...tokens]));
    seen.logprobs.push(...rows.flat().flatMap(({ logprobs }) => logprobs));
    const [forward, update] = await Promise.all([policy.forwardBackward(data, loss), policy.optimStep(adam)]);
    seen.losses.push(forward.metrics["loss"]);
    seen.norms.push(update.metrics["gradNorm"]);
  }
  const scores = await policy.score(prompts);
  return { ...seen, scores: scores.flat() };
}

test("the same seed gives the same losses in process and through the server, to 1e-5", async () => {
  await using here = await openInProcess();
  await using there = await openServed();
  const [a, b] = [await trainingRun(here), await trainingRun(there)];
  expect(b.tokens).toEqual(a.tokens);
  let widest = 0;
  for (const name of ["logprobs", "losses", "norms", "scores"] as const) {
    expect(b[name]).toHaveLength(a[name].length);
    for (const [i, value] of a[name].entries()) {
      widest = Math.max(widest, Math.abs(b[name][i] - value) / Math.max(1, Math.abs(value)));
    }
  }
  expect(widest).toBeLessThan(1e-5);
});
