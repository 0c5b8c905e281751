// Claims of the trainer, against implementations in plain numbers that share no code with it.
import { describe, expect, test } from "vitest";
import type { AdamParams, Player } from "../../../../src/engine/engine.ts";
import { batchLoss } from "../../../../src/engine/losses.ts";
import { float32Data } from "../../../../src/engine/onnx/runtime/runtime.ts";
import { SessionCache } from "../../../../src/engine/onnx/runtime/session-cache.ts";
import { createScorer } from "../../../../src/engine/onnx/train/scorer.ts";
import { Trainer } from "../../../../src/engine/onnx/train/trainer.ts";
import { plainLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import type { ModelConfig } from "../../../../src/model/model-config.ts";
import { randomStream } from "../../../../src/random.ts";
import { type Datum, lossFunctions } from "../../../../src/types.ts";
import { modelVariants, type RandomModel, randomModel } from "../random-model.ts";
import { referenceLogprobs } from "../reference-transformer.ts";

const adam: AdamParams = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-6,
  weightDecay: 0.1,
  gradClipNorm: 0.5,
};
const qwen3 = modelVariants["qwen3: query and key norm, one key-value head, wide heads"];

function drawSequences(config: ModelConfig, name: string, lengths: readonly number[]): number[][] {
  const random = randomStream("trainer test", name);
  return lengths.map((length) => Array.from({ length }, () => random.integer(0, config.vocabSize - 1)));
}

/** A trainer and a scorer of the same weights, sharing sessions as nothing in the engine does, so that many are dropped. */
function newTrainer(config: ModelConfig, { tensors }: RandomModel): Trainer & Pick<Player, "score"> {
  const sessions = new SessionCache({ threads: 1 }, 12);
  const scorer = createScorer(plainLayout(config), sessions);
  const score: Player["score"] = (sequences) => scorer.score(tensors, sequences);
  return Object.assign(new Trainer(plainLayout(config), tensors, sessions), { score });
}

/** Old log-probabilities around the policy's, so that ratios lie on both sides of the clip; the first two are masked. */
async function drawData(
  trainer: Pick<Player, "score">,
  config: ModelConfig,
  name: string,
  lengths: number[],
): Promise<Datum[]> {
  const random = randomStream("trainer data", name);
  const sequences = drawSequences(config, name, lengths);
  const policy = await trainer.score(sequences);
  return sequences.map((tokens, row) => ({
    tokens,
    weights: tokens.map((_, i) => (i < 2 ? 0 : 0.1 + 0.1 * random.next())),
    logprobs: policy[row].map((logprob) => logprob + 0.4 * random.normal()),
    advantages: tokens.map(() => random.normal()),
    referenceLogprobs: policy[row].map((logprob) => logprob + 0.4 * random.normal()),
  }));
}

/** Takes the accumulated gradient out: with no memory, the first moment is the gradient; the weights stay. */
async function takeGradient(trainer: Trainer): Promise<Map<string, Float32Array>> {
  await trainer.optimStep({ ...adam, learningRate: 0, beta1: 0, beta2: 0, weightDecay: 0, gradClipNorm: 0 });
  const moments = [...trainer.optimizerState.moments].filter(([name]) => name.startsWith("m:"));
  return new Map(moments.map(([name, { data }]) => [name.slice(2), Float32Array.from(data)]));
}

function expectClose(actual: ReadonlyMap<string, ArrayLike<number>>, expected: ReadonlyMap<string, ArrayLike<number>>) {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of expected) {
    const found = actual.get(name)!;
    expect(found.length).toBe(values.length);
    let scale = 1e-3;
    for (let i = 0; i < values.length; i++) scale = Math.max(scale, Math.abs(values[i]));
    let worst = 0;
    for (let i = 0; i < values.length; i++) worst = Math.max(worst, Math.abs(found[i] - values[i]) / scale);
    expect(worst, name).toBeLessThan(1e-3);
  }
}

describe.each(Object.entries(modelVariants))("%s", (_, config) => {
  test("scores as the reference transformer does", async () => {
    const model = randomModel(config, 3);
    const sequences = drawSequences(config, "score", [1, 2, 9, 17, 32]);
    const scored = await newTrainer(config, model).score(sequences);
    for (const [row, tokens] of sequences.entries()) {
      const expected = referenceLogprobs(config, model.arrays, tokens);
      expect(scored[row]).toHaveLength(tokens.length);
      for (const [i, logprob] of scored[row].entries()) expect(Math.abs(logprob - expected[i])).toBeLessThan(1e-4);
    }
  });
});

describe("losses", () => {
  test.each(lossFunctions.flatMap((loss) => [0, 0.3].map((klPenaltyCoef) => [loss, klPenaltyCoef] as const)))(
    "%s with KL penalty %f: value and gradient are those of the formulas",
    async (loss, klPenaltyCoef) => {
      const trainer = newTrainer(qwen3, randomModel(qwen3, 4));
      const data = await drawData(trainer, qwen3, "losses", [5, 12, 9]);
      const config = { clipLow: 0.1, clipHigh: 0.2, klPenaltyCoef };
      const { logprobs, metrics } = await trainer.forwardBackward(data, loss, config);
      const gradient = await takeGradient(trainer);
      const expected = batchLoss(data, logprobs, loss, config);
      expect(metrics.loss).toBeCloseTo(expected.loss, 4);
      expect(metrics.tokens).toBe(expected.tokens);
      if ("clipFraction" in metrics) expect(metrics.clipFraction).toBe(expected.clipFraction);
      expect("clipFraction" in metrics).toBe(loss === "ppo" || loss === "cispo");
      expect("kl" in metrics).toBe(klPenaltyCoef > 0);
      if (klPenaltyCoef > 0) expect(metrics.kl).toBeCloseTo(expected.kl, 4);
      // Chain rule: cross-entropy has the derivative −weight, so −derivative as its weights gives the same gradient.
      const chained = data.map((datum, row) => ({ ...datum, weights: expected.gradients[row].map((d) => -d) }));
      await trainer.forwardBackward(chained, "cross_entropy", {});
      expectClose(gradient, await takeGradient(trainer));
    },
  );

  test("some of these tokens are clipped and some are not", async () => {
    const trainer = newTrainer(qwen3, randomModel(qwen3, 4));
    const data = await drawData(trainer, qwen3, "losses", [5, 12, 9]);
    const { metrics } = await trainer.forwardBackward(data, "cispo", { clipLow: 0.1, clipHigh: 0.2 });
    expect(metrics.clipFraction).toBeGreaterThan(0.1);
    expect(metrics.clipFraction).toBeLessThan(0.9);
  });
});

test("gradients of micro-batches and of several calls add up to that of one batch", async () => {
  const config = { ...modelVariants.llama, maxPositions: 64 };
  const trainer = newTrainer(config, randomModel(config, 5));
  // More tokens than one micro-batch takes, of different lengths.
  const lengths = Array.from({ length: 120 }, (_, i) => 2 + ((i * 13) % 62));
  const data = await drawData(trainer, config, "accumulate", lengths);
  await trainer.forwardBackward(data, "importance_sampling", {});
  const together = await takeGradient(trainer);
  for (const datum of data) await trainer.forwardBackward([datum], "importance_sampling", {});
  expectClose(await takeGradient(trainer), together);
});

test("AdamW is that of the paper, with clipping, and decays matrices only", async () => {
  const config = modelVariants["qwen2: biases, grouped heads, tied"];
  const model = randomModel(config, 6);
  const trainer = newTrainer(config, model);
  // Sees the same weights, and is asked for nothing but gradients.
  const observer = newTrainer(config, model);
  const weights = new Map([...model.tensors].map(([name, tensor]) => [name, Float64Array.from(float32Data(tensor))]));
  const zeros = () => new Map([...weights].map(([name, { length }]) => [name, new Float64Array(length)]));
  const [m, v] = [zeros(), zeros()];
  for (let step = 1; step <= 5; step++) {
    // Gradients of very different sizes, so that some steps clip and some do not.
    const data = (await drawData(trainer, config, `adam ${step}`, [6, 8])).map((datum) => ({
      ...datum,
      weights: datum.weights.map((weight) => weight * (step % 2 === 0 ? 0.001 : 3)),
    }));
    await observer.forwardBackward(data, "cross_entropy", {});
    const gradient = await takeGradient(observer);
    await trainer.forwardBackward(data, "cross_entropy", {});
    const { metrics } = await trainer.optimStep(adam);
    const norm = Math.sqrt(
      [...gradient.values()].reduce((sum, values) => sum + values.reduce((s, x) => s + x * x, 0), 0),
    );
    expect(metrics.gradNorm).toBeCloseTo(norm, 4);
    expect(metrics.step).toBe(step);
    expect(norm > adam.gradClipNorm).toBe(step % 2 === 1);
    const clip = Math.min(1, adam.gradClipNorm / norm);
    for (const [name, w] of weights) {
      const decay = model.tensors.get(name)!.dims.length > 1 ? adam.learningRate * adam.weightDecay : 0;
      for (let i = 0; i < w.length; i++) {
        const g = gradient.get(name)![i] * clip;
        m.get(name)![i] = adam.beta1 * m.get(name)![i] + (1 - adam.beta1) * g;
        v.get(name)![i] = adam.beta2 * v.get(name)![i] + (1 - adam.beta2) * g * g;
        const mean = m.get(name)![i] / (1 - adam.beta1 ** step);
        const deviation = Math.sqrt(v.get(name)![i] / (1 - adam.beta2 ** step));
        w[i] = w[i] * (1 - decay) - (adam.learningRate * mean) / (deviation + adam.eps);
      }
    }
    let worst = 0;
    for (const [name, w] of weights) {
      const actual = float32Data(model.tensors.get(name)!);
      for (let i = 0; i < w.length; i++) worst = Math.max(worst, Math.abs(actual[i] - w[i]));
    }
    expect(worst).toBeLessThan(1e-4);
  }
});

test("the same calls give the same bits, whatever sessions were built before", async () => {
  const run = async (warm: boolean): Promise<string> => {
    const model = randomModel(qwen3, 8);
    const trainer = newTrainer(qwen3, model);
    // Many shapes, more than are kept.
    if (warm) for (let length = 2; length <= 32; length++) await trainer.score(drawSequences(qwen3, "warm", [length]));
    for (let step = 0; step < 3; step++) {
      const data = await drawData(trainer, qwen3, `bits ${step}`, [5, 9, 13, 30]);
      await trainer.forwardBackward(data, "ppo", {});
      await trainer.optimStep(adam);
    }
    return [...model.tensors.values()].map((tensor) => float32Data(tensor).join()).join("\n");
  };
  expect(await run(true)).toBe(await run(false));
});
