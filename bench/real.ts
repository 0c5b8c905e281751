// Real checkpoints, beside PEFT, transformers and TRL on the same tokens and both cores, turn and turn about:
//   SQLM_MODELS=FOLDER [SQLM_PYTHON=python3] npm run bench -- real [--model NAME] [--parts train,sample,step,memory] [--weights f32,int8]
//     [--peers f32,bf16] [--rounds N]
// Skips with a reason without checkpoints; without a Python that has torch, transformers, peft and trl the peers are left out. The peers
// read the same weights from a Hugging Face folder that is written first, 4 bytes a parameter.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { findGgufModels, pythonLacks } from "../scripts/interop/python.ts";
import { asFolder } from "../scripts/interop/whole-logits.ts";
import { askEach } from "../src/engine/asks.ts";
import { Graph } from "../src/engine/onnx/graph/graph.ts";
import { gemm } from "../src/engine/onnx/graph/operators.ts";
import { type OnnxEngine, openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { createSession, float32Tensor } from "../src/engine/onnx/runtime/runtime.ts";
import { adapterSpecs, projections } from "../src/model/lora.ts";
import { type ModelConfig, parameterSpecs } from "../src/model/model-config.ts";
import { openModelFolder } from "../src/model/model-folder.ts";
import { elementCount } from "../src/model/weight-source.ts";
import { randomStream } from "../src/random.ts";
import type { Datum } from "../src/types.ts";
import { interleave } from "./interleave.ts";
import { Peer, type Precision } from "./real-peers.ts";
import { playWholeStep } from "./real-step.ts";

export const realParts = ["train", "sample", "step", "memory"] as const;
export type RealPart = (typeof realParts)[number];
export type WeightForm = "f32" | "int8";

export interface RealOptions {
  /** Part of a checkpoint's name; all of them where it is empty. */
  readonly model: string;
  readonly parts: readonly RealPart[];
  readonly weights: readonly WeightForm[];
  /** Precisions of the peers that are timed; the better of them counts. */
  readonly peers: readonly Precision[];
  /** How often each is timed after it has warmed up. */
  readonly rounds: number;
}

/** A figure and what it is of. */
export interface RealFigure {
  readonly model: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

const threads = availableParallelism();
const python = process.env["SQLM_PYTHON"] ?? "python3";
const adam = { learningRate: 1e-5, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };
const batch = { sequences: 8, tokens: 128, predicted: 64 };
const sampling = { prompts: 8, promptTokens: 64, samples: 8, tokens: 128 };
const stepping = { prompts: 16, promptTokens: 64, samples: 8, tokens: 64 };

/** Figures of every checkpoint, or the reason why there are none. */
export async function benchReal({
  model,
  parts,
  weights,
  peers: precisions,
  rounds,
}: RealOptions): Promise<RealFigure[] | string> {
  const { paths, lacking } = findGgufModels();
  if (lacking !== null) return lacking;
  const chosen = paths.filter((path) => basename(path).toLowerCase().includes(model.toLowerCase()));
  const reason = pythonLacks("torch", "transformers", "peft", "trl", "datasets");
  if (reason !== null) console.error(`The peers are left out: ${reason}`);
  const figures: RealFigure[] = [];
  for (const path of chosen) {
    const work = mkdtempSync(join(tmpdir(), "sqlm-bench-real-"));
    const name = basename(path, ".gguf");
    const add = (what: string, value: number, unit: string): void => {
      figures.push({ model: name, what, value, unit });
      console.error(`  ${name}: ${what}: ${value.toPrecision(4)} ${unit}`);
    };
    try {
      const peers = reason === null && parts.some((part) => part !== "memory");
      const folder = peers ? asFolder(path, join(work, "model")) : null;
      const checkpoint: Checkpoint = { path, work, add, folder, precisions, rounds };
      for (const form of weights) {
        if (parts.includes("train")) await benchTraining(checkpoint, form);
        if (parts.includes("sample")) await benchSampling(checkpoint, form);
        if (parts.includes("step")) await benchStep(checkpoint, form);
        if (parts.includes("memory")) await benchMemory(checkpoint, form);
      }
    } finally {
      rmSync(work, { recursive: true });
    }
  }
  return figures;
}

interface Checkpoint {
  readonly path: string;
  readonly work: string;
  /** The same weights for the peers; null without them. */
  readonly folder: string | null;
  readonly precisions: readonly Precision[];
  readonly rounds: number;
  readonly add: (what: string, value: number, unit: string) => void;
}

const open = (path: string, weights: WeightForm): Promise<OnnxEngine> =>
  openOnnxEngine({ model: path, threads, loraRank: 16, weights });

/** Seconds of our work alone, and beside each peer in turn; the last peer's second figure is its share of ours. */
async function besidePeers(
  { folder, work, add, precisions, rounds }: Checkpoint,
  what: "train" | "sample" | "step",
  request: object,
  ours: () => Promise<unknown>,
  tokens: number,
  label: string,
  warmUps = 1,
): Promise<void> {
  const file = join(work, `${what}.json`);
  writeFileSync(file, JSON.stringify(request));
  if (folder === null) {
    const { own } = await interleave({ own: ours }, rounds, warmUps);
    add(label, tokens / own, "tokens/s");
    return;
  }
  const ratios: number[] = [];
  for (const precision of precisions) {
    await using peer = new Peer(python, folder, precision, threads);
    let peak = 0;
    const theirs: number[] = [];
    const { own } = await interleave(
      {
        own: ours,
        peer: async () => {
          const answer = await peer.ask(what, file);
          peak = answer.peakBytes;
          theirs.push(answer.seconds);
        },
      },
      rounds,
      warmUps,
    );
    const timed = theirs.slice(warmUps).toSorted((a, b) => a - b);
    const seconds = timed[timed.length >> 1];
    add(`${label}, beside ${precision}`, tokens / own, "tokens/s");
    add(`${label}: peer in ${precision}`, tokens / seconds, "tokens/s");
    add(`${label}: peer in ${precision}, peak memory`, peak / 2 ** 30, "GiB");
    ratios.push(seconds / own);
  }
  add(`${label} / better peer`, Math.min(...ratios), "times");
}

function drawTokens({ vocabSize }: ModelConfig, count: number, name: string): number[] {
  const random = randomStream("bench-real", name);
  // Ordinary tokens: what is special stands at the ends of a vocabulary.
  const first = Math.min(500, Math.floor(vocabSize / 10));
  return Array.from({ length: count }, () => random.integer(first, Math.floor(vocabSize * 0.6)));
}

async function benchTraining(checkpoint: Checkpoint, weights: WeightForm): Promise<void> {
  const { config } = openModelFolder(checkpoint.path);
  const { sequences: count, tokens, predicted } = batch;
  const apart = Array.from({ length: count }, (_, i) => drawTokens(config, tokens, `train ${i}`));
  const prompt = drawTokens(config, tokens - predicted, "train a group");
  const group = apart.map((sequence) => [...prompt, ...sequence.slice(prompt.length)]);
  await using engine = await open(checkpoint.path, weights);
  await using policy = await engine.openPolicy();
  const training = (sequences: readonly number[][]) => {
    const data = sequences.map((sequence): Datum => {
      const each = (value: number): number[] => sequence.map((_, t) => (t < tokens - predicted ? 0 : value));
      return { tokens: sequence, weights: each(1 / (count * predicted)), logprobs: each(-1), advantages: each(1) };
    });
    return (): Promise<unknown> => policy.forwardBackward(data, "cross_entropy");
  };
  const run = training(apart);
  const product = await matrixProduct(config);
  const { own, gemm } = await interleave({ own: run, gemm: () => product.run() }, checkpoint.rounds);
  await product.dispose();
  const rate = trainingFlops(config) / own / 1e9;
  const gemmRate = product.flops / gemm / 1e9;
  checkpoint.add(`LoRA training, ${weights}`, rate, "GFLOP/s");
  checkpoint.add("matrix product", gemmRate, "GFLOP/s");
  checkpoint.add(`LoRA training, ${weights} / matrix product`, rate / gemmRate, "of 1");
  for (const [label, sequences] of [
    ["LoRA training", apart],
    ["LoRA training of a group that shares its prompt", group],
  ] as const) {
    const work = { sequences, predicted };
    await besidePeers(checkpoint, "train", work, training(sequences), count * tokens, `${label}, ${weights}`);
  }
}

/**
 * Multiplications and additions that LoRA training cannot do without: frozen matrices forward and back to the rows (2 · 2 a weight),
 * adapters with their own gradient, the head at predicted positions, attention's two products and their four gradients.
 */
function trainingFlops(config: ModelConfig): number {
  const { sequences, tokens, predicted } = batch;
  const rows = sequences * tokens;
  const inLayers = parameterSpecs(config)
    .filter(({ name, shape }) => name.includes("layers.") && shape.length === 2)
    .reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const adapter = adapterSpecs(config, { rank: 16, alpha: 32, targets: projections }).reduce(
    (sum, { shape }) => sum + elementCount(shape),
    0,
  );
  const head = 4 * config.vocabSize * config.hiddenSize * sequences * predicted;
  const attention = 12 * config.layers * config.heads * config.headSize * tokens ** 2 * sequences;
  return (4 * inLayers + 6 * adapter) * rows + head + attention;
}

/** What the same runtime reaches on one of the model's own products, on the main thread. */
async function matrixProduct({
  hiddenSize,
  intermediateSize,
}: ModelConfig): Promise<{ readonly flops: number; run(): Promise<unknown>; dispose(): Promise<void> }> {
  const [rows, repeats] = [1024, 8];
  const graph = Graph.create();
  const [a, b] = [graph.input("a", [rows, hiddenSize]), graph.input("b", [intermediateSize, hiddenSize])];
  graph.output("product", gemm(a, b, { transposeB: true }));
  const session = await createSession(graph, { threads });
  const random = randomStream("bench-real", "product");
  const draw = (shape: number[]) =>
    float32Tensor(
      shape,
      Float32Array.from({ length: elementCount(shape) }, () => random.next() - 0.5),
    );
  const feeds = { a: draw([rows, hiddenSize]), b: draw([intermediateSize, hiddenSize]) };
  const outputs = { product: float32Tensor([rows, intermediateSize]) };
  return {
    flops: repeats * 2 * rows * hiddenSize * intermediateSize,
    run: async () => {
      for (let i = 0; i < repeats; i++) await session.run(feeds, outputs);
    },
    dispose: () => session.dispose(),
  };
}

async function benchSampling(checkpoint: Checkpoint, weights: WeightForm): Promise<void> {
  const { config } = openModelFolder(checkpoint.path);
  const { prompts: count, promptTokens, samples, tokens } = sampling;
  const prompts = Array.from({ length: count }, (_, i) => drawTokens(config, promptTokens, `sample ${i}`));
  await using engine = await open(checkpoint.path, weights);
  await using policy = await engine.openPolicy();
  let seed = 0;
  const run = (): Promise<unknown> =>
    policy.sample(askEach(prompts, { numSamples: samples, seed: seed++ }), {
      maxTokens: tokens,
      temperature: 1,
      stop: [],
    });
  const label = `sampling ${count * samples} × ${tokens}, ${weights}`;
  await besidePeers(checkpoint, "sample", { prompts, samples, tokens }, run, count * samples * tokens, label);
}

/** Answers, a gradient from all of them, an update: what a GRPO step does, on the same prompts and lengths. */
async function benchStep(checkpoint: Checkpoint, weights: WeightForm): Promise<void> {
  const { config } = openModelFolder(checkpoint.path);
  const { prompts: count, promptTokens, samples, tokens } = stepping;
  const prompts = Array.from({ length: count }, (_, i) => drawTokens(config, promptTokens, `step ${i}`));
  await using engine = await open(checkpoint.path, weights);
  await using policy = await engine.openPolicy();
  let seed = 0;
  const play = async (own: readonly (readonly number[])[], samples: number, tokens: number): Promise<void> => {
    const asks = askEach(own, { numSamples: samples, seed: seed++ });
    const answers = await policy.sample(asks, { maxTokens: tokens, temperature: 1, stop: [] });
    const data = answers.flatMap((group, i) =>
      group.map((answer, sample): Datum => {
        const behind = (values: readonly number[]): number[] => [...own[i].map(() => 0), ...values];
        const each = (value: number): number[] => behind(answer.tokens.map(() => value));
        const weight = 1 / (own.length * samples * tokens);
        return {
          tokens: [...own[i], ...answer.tokens],
          weights: each(weight),
          logprobs: behind(answer.logprobs),
          advantages: each(sample % 2 === 0 ? 1 : -1),
        };
      }),
    );
    await policy.forwardBackward(data, "importance_sampling", weights === "int8" ? { importanceCap: 2 } : {});
    await policy.optimStep(adam);
  };
  // Packs the weights and makes the sessions; a peer's step has loading left out too, and what it warms up is small beside it.
  await play(prompts.slice(0, 2), 2, 4);
  const label = `step of ${count * samples} × ${tokens}, ${weights}`;
  const run = (): Promise<void> => play(prompts, samples, tokens);
  await besidePeers(checkpoint, "step", { prompts, samples, tokens }, run, count * samples * tokens, label, 0);
}

async function benchMemory({ path, add }: Checkpoint, weights: WeightForm): Promise<void> {
  const step = await playWholeStep(path, weights);
  const { peakBytes, plannedBytes, seconds, plannedSeconds, plannedForLengths, stages, trainedTokens } = step;
  const label = `whole step, 16 × 8 × 256, ${weights}`;
  add(`${label}: peak memory`, peakBytes / 2 ** 30, "GiB");
  add(`${label}: planned`, plannedBytes / 2 ** 30, "GiB");
  add(`${label}: time`, seconds, "s");
  add(`${label}: planned, replies of the longest length`, plannedSeconds, "s");
  add(`${label}: planned, replies as long as they were`, plannedForLengths, "s");
  add(`${label}: trained`, trainedTokens, "tokens");
  for (const [stage, taken] of Object.entries(stages)) if (taken > 0.5) add(`${label}: ${stage}`, taken, "s");
}
