import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { askEach } from "../../../src/engine/asks.ts";
import { openOnnxEngine } from "../../../src/engine/onnx/onnx-engine.ts";
import { WorkerConnection } from "../../../src/engine/onnx/worker/connection.ts";
import { RunStoppedError, SqlmError, UnsupportedError } from "../../../src/errors.ts";
import { createModel, type NewModel } from "../../../src/model/create-model.ts";
import { describeEngineContract } from "../../../src/testing/engine-contract.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-onnx-"));
afterAll(() => rmSync(folder, { recursive: true }));
const characters = "0123456789+-*=?ab";
const shape = { characters, hiddenSize: 32, intermediateSize: 48, layers: 2, heads: 2, maxPositions: 32, seed: 5 };
const models = {
  llama: { ...shape, architecture: "LlamaForCausalLM" },
  "qwen2, tied": { ...shape, architecture: "Qwen2ForCausalLM", tiedEmbeddings: true },
  "qwen3, grouped heads": { ...shape, architecture: "Qwen3ForCausalLM", keyValueHeads: 1 },
} as const satisfies Record<string, NewModel>;

for (const [name, model] of Object.entries(models)) {
  const path = join(folder, model.architecture);
  describeEngineContract(`onnx, ${name}`, {
    open: () => {
      createModel(path, model);
      return openOnnxEngine({ model: path, threads: 1 });
    },
    vocabularySize: characters.length + 2,
    learns: true,
    text: "12+34=46",
  });
}

const adapted = join(folder, "adapted");
describeEngineContract("onnx, LoRA on a frozen base", {
  open: () => {
    createModel(adapted, models["qwen2, tied"]);
    return openOnnxEngine({ model: adapted, threads: 1, loraRank: 4, loraAlpha: 16 });
  },
  vocabularySize: characters.length + 2,
  learns: true,
  text: "12+34=46",
});

test("int8 weights: sampling is coarser than scoring, a little, and says so", async () => {
  const path = join(folder, "blocks");
  createModel(path, { ...models["qwen2, tied"], hiddenSize: 64, intermediateSize: 96 });
  await using engine = await openOnnxEngine({ model: path, threads: 1, loraRank: 2, weights: "int8" });
  await using policy = await engine.openPolicy();
  expect(engine.capabilities).toMatchObject({ coarseSampling: true, weights: expect.stringContaining("int8") });
  const asks = askEach([[3, 4, 5], [7]], { numSamples: 16, seed: 2 });
  for (const temperature of [1, 0]) {
    const completions = await policy.sample(asks, { maxTokens: 12, temperature, stop: [] });
    const sequences = completions.flatMap((row, i) => row.map(({ tokens }) => [...asks[i].promptTokens, ...tokens]));
    const scored = await policy.score(sequences);
    const gaps = completions.flat().flatMap(({ logprobs }, i) => {
      const own = scored[i].slice(-logprobs.length);
      return logprobs.map((logprob, t) => Math.abs(logprob - own[t]));
    });
    expect(Math.max(...gaps)).toBeLessThan(0.3);
    expect(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length).toBeLessThan(0.05);
    expect(await policy.sample(asks, { maxTokens: 12, temperature, stop: [] })).toEqual(completions);
  }
});

test("an adapter is drawn from the seed that its policy is opened with, or else from the engine's", async () => {
  const data = [{ tokens: [1, 2, 3], weights: [0, 1, 1], logprobs: [0, 0, 0], advantages: [0, 0, 0] }];
  const adam = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 0 };
  const path = join(folder, "seeds");
  createModel(path, models["qwen2, tied"]);
  const open = (seed: number) => openOnnxEngine({ model: path, threads: 1, loraRank: 2, seed });
  await using engine = await open(1);
  await using other = await open(2);
  const trained = async (openPolicy: typeof engine.openPolicy, seed?: number) => {
    await using policy = await openPolicy(seed === undefined ? undefined : { seed });
    for (let step = 0; step < 2; step++) {
      await policy.forwardBackward(data, "cross_entropy");
      await policy.optimStep(adam);
    }
    return policy.score([[1, 2, 3]]);
  };
  const own = await trained(engine.openPolicy);
  expect(await trained(engine.openPolicy, 1)).toEqual(own);
  const second = await trained(engine.openPolicy, 2);
  expect(second).not.toEqual(own);
  expect(await trained(other.openPolicy)).toEqual(second);
  expect(engine.capabilities.adapter).toMatchObject({
    rank: 2,
    alpha: 32,
    targets: expect.arrayContaining(["q_proj"]),
  });
});

describe("onnx engine", () => {
  const open = async (name: string) => {
    const path = join(folder, name);
    createModel(path, models.llama);
    return openOnnxEngine({ model: path, threads: 1 });
  };

  test("can be disposed of twice; calls that wait and calls that follow are rejected", async () => {
    const engine = await open("disposed");
    const policy = await engine.openPolicy();
    const waiting = [policy.score([[2, 3, 4]]), policy.score([[5, 6]])].map((call) =>
      call.then(
        () => "answered",
        (error: Error) => error,
      ),
    );
    await engine[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    for (const outcome of await Promise.all(waiting)) {
      if (outcome !== "answered") expect(outcome).toMatchObject({ message: "The onnx engine is closed." });
    }
    await policy[Symbol.asyncDispose]();
    await expect(policy.score([[2, 3]])).rejects.toBeInstanceOf(SqlmError);
  });

  test("refuses tokens that its model does not have", async () => {
    await using engine = await open("tokens");
    await using policy = await engine.openPolicy();
    const sampling = { maxTokens: 2, temperature: 1, stop: [] };
    for (const token of [-1, characters.length + 2, 0.5, Number.NaN]) {
      await expect(policy.score([[2, token]])).rejects.toBeInstanceOf(UnsupportedError);
      await expect(policy.sample(askEach([[2, token]]), sampling)).rejects.toBeInstanceOf(UnsupportedError);
    }
  });

  test("a checkpoint that is damaged leaves the weights alone", async () => {
    await using engine = await open("damaged");
    await using policy = await engine.openPolicy();
    const saved = join(folder, "damaged-checkpoint");
    mkdirSync(saved);
    await policy.save(saved, { optimizer: true });
    const optimizer = join(saved, "optimizer.safetensors");
    const whole = readFileSync(optimizer);
    const before = await policy.score([[2, 3, 4]]);
    writeFileSync(optimizer, whole.subarray(0, whole.length - 5));
    await expect(policy.load(saved, { optimizer: true })).rejects.toMatchObject({ name: "FileFormatError" });
    rmSync(optimizer);
    await expect(policy.load(saved, { optimizer: true })).rejects.toMatchObject({ path: optimizer });
    await policy.load(saved, { optimizer: false });
    expect(await policy.score([[2, 3, 4]])).toEqual(before);
  });
});

describe("a worker that dies", () => {
  const ready = `const { parentPort } = require("node:worker_threads");
    parentPort.postMessage({ type: "ready", maxPositions: 8, parameters: 1, threads: 1 });`;

  test.each([
    ["by exit", "process.exit(3)", "exit code 3"],
    ["by an error", "setImmediate(() => { throw new Error('out of luck') })", "out of luck"],
  ])("%s rejects what waits and what follows", async (_, death, reason) => {
    const source = `${ready} parentPort.on("message", ({ id }) => { if (id === 1) { ${death} } });`;
    const connection = new WorkerConnection(new Worker(source, { eval: true }));
    await connection.ready;
    const calls = [connection.call("score", 0, [[1]]), connection.call("score", 0, [[2]])];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(RunStoppedError) });
      expect(outcome).toMatchObject({ reason: { message: expect.stringContaining(reason) } });
    }
    await expect(connection.call("score", 0, [[3]])).rejects.toBeInstanceOf(RunStoppedError);
    await connection.close();
  });

  test("before it is ready fails the opening", async () => {
    const connection = new WorkerConnection(new Worker("process.exit(4)", { eval: true }));
    await expect(connection.ready).rejects.toBeInstanceOf(RunStoppedError);
  });
});
