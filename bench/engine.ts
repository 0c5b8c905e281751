// How fast the onnx engine trains and samples, as a user gets it (through its worker thread), on one thread, measured
// against what the same runtime can do on the same machine at the same time. `node bench/engine.ts` prints it alone.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askEach } from "../src/engine/asks.ts";
import type { Player, Policy } from "../src/engine/engine.ts";
import { Graph } from "../src/engine/onnx/graph/graph.ts";
import { matMul } from "../src/engine/onnx/graph/operators.ts";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { createSession, float32Tensor } from "../src/engine/onnx/runtime/runtime.ts";
import { createModel, type NewModel } from "../src/model/create-model.ts";
import { randomStream } from "../src/random.ts";
import type { Datum } from "../src/types.ts";
import { BlockedProbe } from "./blocked.ts";
import { interleave } from "./interleave.ts";

export interface EngineBench {
  readonly training: {
    /** Arithmetic of forwardBackward and optimStep together, over their time. */
    readonly gflops: number;
    /** A product of two 1024 × 1024 matrices, same runtime and threads. */
    readonly gemmGflops: number;
    readonly ratio: number;
  };
  readonly sampling: {
    /** Generated tokens in the time of one call of the engine's sample(). */
    readonly tokensPerSecond: number;
    /** Tokens predicted by a forward pass alone, in the time of one call of the same engine's score(). */
    readonly forwardTokensPerSecond: number;
    readonly ratio: number;
  };
  /** Longest time that the main thread was blocked while the engine trained or sampled. */
  readonly mainThreadBlockedMs: number;
  readonly parameters: number;
  readonly threads: number;
}

const vocabularySize = 48;
const specialTokens = 2;
const shape: NewModel = {
  architecture: "LlamaForCausalLM",
  characters: Array.from({ length: vocabularySize - specialTokens }, (_, i) => String.fromCharCode(48 + i)).join(""),
  hiddenSize: 192,
  intermediateSize: 512,
  layers: 4,
  heads: 6,
  maxPositions: 64,
  seed: 1,
};
/** More would measure how well threads share a machine, which depends on what else runs on it. */
const threads = 1;
const trainingBatch = 64;
const samplingBatch = 128;
/** Predicted tokens of each sequence. */
const predictions = 48;
const squareSize = 1024;

export async function benchEngine(rounds = 9): Promise<EngineBench> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-bench-engine-"));
  try {
    createModel(folder, shape);
    await using engine = await openOnnxEngine({ model: folder, threads });
    await using policy = await engine.openPolicy();
    const probe = new BlockedProbe();
    const training = await benchTraining(policy, engine.parameters, probe, rounds);
    const sampling = await benchSampling(policy, probe, rounds);
    return {
      training,
      sampling,
      mainThreadBlockedMs: probe.longestMilliseconds,
      parameters: engine.parameters,
      threads: engine.capabilities.threads ?? 1,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchTraining(
  policy: Policy,
  parameters: number,
  probe: BlockedProbe,
  rounds: number,
): Promise<EngineBench["training"]> {
  const data = drawSequences(trainingBatch).map(
    (tokens): Datum => ({
      tokens,
      weights: tokens.map((_, i) => (i === 0 ? 0 : 1 / (trainingBatch * predictions))),
      logprobs: tokens.map(() => -Math.log(vocabularySize)),
      advantages: tokens.map((_, i) => (i % 2 === 0 ? 1 : -1)),
    }),
  );
  const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };
  const product = await squareProduct(policy.capabilities.threads ?? 1);
  const seconds = await interleave(
    {
      train: () =>
        probe.watch(async () => {
          await policy.forwardBackward(data, "importance_sampling");
          await policy.optimStep(adam);
        }),
      // Ten in a row, so that they last about as long as a training step.
      product: async () => {
        for (let i = 0; i < 10; i++) await product.run();
      },
    },
    rounds,
  );
  await product.dispose();
  const gflops = trainingFlops(parameters) / seconds.train / 1e9;
  const gemmGflops = (10 * 2 * squareSize ** 3) / seconds.product / 1e9;
  return { gflops, gemmGflops, ratio: gflops / gemmGflops };
}

/**
 * Multiplications and additions of one training step: 6 · parameters · tokens for the weights (2 forward, 4 backward), and
 * 12 · layers · hidden · length² a sequence for attention's two products, of which the masked half is computed too.
 * Norms, activations, the softmax, gradient accumulation and AdamW count for nothing, but their time counts.
 */
function trainingFlops(parameters: number): number {
  const attention = 12 * shape.layers * shape.hiddenSize * predictions ** 2 * trainingBatch;
  return 6 * parameters * trainingBatch * predictions + attention;
}

/**
 * Generates 128 sequences of 48 tokens from prompts of one token, at temperature 1 with neither truncation nor stop tokens, all of
 * them at once, and scores 128 sequences of 48 predicted tokens in one call: as many tokens, of the same model, through
 * the same worker, runtime and threads. Both times include the way to the worker and back. The two take turns; each
 * time is the median of `rounds`. Making sessions and the first run of each are not timed.
 */
async function benchSampling(policy: Player, probe: BlockedProbe, rounds: number): Promise<EngineBench["sampling"]> {
  const sequences = drawSequences(samplingBatch);
  const prompts = sequences.map((tokens) => tokens.slice(0, 1));
  let seed = 0;
  const options = { maxTokens: predictions, temperature: 1, stop: [] };
  const sample = () => policy.sample(askEach(prompts, { seed: seed++ }), options);
  const seconds = await interleave(
    {
      sample,
      forward: () => policy.score(sequences),
    },
    rounds,
  );
  // Not while time is taken, since the probe's timer takes some of it.
  await probe.watch(sample);
  const tokensPerSecond = (samplingBatch * predictions) / seconds.sample;
  const forwardTokensPerSecond = (samplingBatch * predictions) / seconds.forward;
  return { tokensPerSecond, forwardTokensPerSecond, ratio: tokensPerSecond / forwardTokensPerSecond };
}

/** Sequences with one token more than is predicted. */
function drawSequences(count: number): number[][] {
  const random = randomStream("bench", count);
  return Array.from({ length: count }, () =>
    Array.from({ length: predictions + 1 }, () => random.integer(specialTokens, vocabularySize - 1)),
  );
}

/** The matrix product that training is measured against. It runs on the main thread, outside of what the probe watches. */
async function squareProduct(threads: number): Promise<{ run(): Promise<unknown>; dispose(): Promise<void> }> {
  const graph = Graph.create();
  const size = [squareSize, squareSize];
  graph.output("product", matMul(graph.input("a", size), graph.input("b", size)));
  const session = await createSession(graph, { threads });
  const random = randomStream("bench", "product");
  const draw = () =>
    float32Tensor(
      size,
      Float32Array.from({ length: squareSize ** 2 }, () => random.normal()),
    );
  const feeds = { a: draw(), b: draw() };
  const outputs = { product: float32Tensor(size) };
  return { run: () => session.run(feeds, outputs), dispose: () => session.dispose() };
}

if (import.meta.main) console.log(JSON.stringify(await benchEngine(), null, 2));
