// Claims of training with an adapter and of losses in slices: gradients are those of finite differences, and nothing but memory
// depends on whether logits are computed whole.
import { describe, expect, test } from "vitest";
import { float32Data, float32Tensor, type Tensor } from "../../../../src/engine/onnx/runtime/runtime.ts";
import { SessionCache } from "../../../../src/engine/onnx/runtime/session-cache.ts";
import { activationBudget, trainingWork } from "../../../../src/engine/onnx/train/memory.ts";
import { createScorer } from "../../../../src/engine/onnx/train/scorer.ts";
import { planPacked } from "../../../../src/engine/onnx/train/shared-prefixes.ts";
import { Trainer } from "../../../../src/engine/onnx/train/trainer.ts";
import { loadFrozenWeights } from "../../../../src/engine/onnx/transformer/frozen-weights.ts";
import { adapterLayout, plainLayout, type WeightLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import { mergeAdapter } from "../../../../src/model/adapter.ts";
import { adapterSpecs, freshAdapter, type Lora, projections } from "../../../../src/model/lora.ts";
import { type ModelConfig, parameterSpecs } from "../../../../src/model/model-config.ts";
import { randomStream } from "../../../../src/random.ts";
import { type Datum, lossFunctions } from "../../../../src/types.ts";
import { modelVariants, randomModel, weightSourceOf } from "../random-model.ts";

const lora: Lora = { rank: 3, alpha: 5, targets: projections };
const random = randomStream("lora test");
const threads = 1;

/** An adapter of which no part is zero. */
function randomAdapter(config: ModelConfig, form = lora): Map<string, Tensor> {
  return new Map(
    adapterSpecs(config, form).map(({ name, shape }) => [
      name,
      float32Tensor(
        shape,
        Float32Array.from({ length: shape[0] * shape[1] }, () => 0.2 * random.normal()),
      ),
    ]),
  );
}

function drawData(config: ModelConfig, lengths: readonly number[]): Datum[] {
  return lengths.map((length) => {
    const tokens = Array.from({ length }, () => random.integer(0, config.vocabSize - 1));
    const column = (value: () => number): number[] => tokens.map(value);
    return {
      tokens,
      weights: tokens.map((_, i) => (i < 2 || i % 5 === 3 ? 0 : 0.1 + 0.1 * random.next())),
      logprobs: column(() => -2.5 + 0.4 * random.normal()),
      advantages: column(() => random.normal()),
      referenceLogprobs: column(() => -2.5 + 0.4 * random.normal()),
    };
  });
}

async function gradientOf(trainer: Trainer): Promise<Map<string, Float32Array>> {
  await trainer.optimStep({
    learningRate: 0,
    beta1: 0,
    beta2: 0,
    eps: 1e-8,
    weightDecay: 0,
    gradClipNorm: 0,
  });
  const moments = [...trainer.optimizerState.moments].filter(([name]) => name.startsWith("m:"));
  return new Map(moments.map(([name, { data }]) => [name.slice(2), Float32Array.from(data)]));
}

const cases = [
  ["llama with biases", modelVariants["llama with biases"]],
  ["qwen2, tied", modelVariants["qwen2: biases, grouped heads, tied"]],
  ["qwen3", modelVariants["qwen3: query and key norm, one key-value head, wide heads"]],
] as const satisfies (readonly [string, ModelConfig])[];

describe.each(cases)("an adapter on %s", (_, config) => {
  const layout = adapterLayout(config, lora);
  const model = randomModel(config, 3);
  const data = drawData(config, [9, 4, 7]);

  test("gradients of A and B are those of central differences of the loss", async () => {
    const adapter = randomAdapter(config);
    const sessions = new SessionCache({ threads }, 12);
    const trainer = new Trainer(layout, adapter, sessions, { frozen: model.tensors });
    const loss = async (): Promise<number> =>
      (await trainer.forwardBackward(data, "importance_sampling", { klPenaltyCoef: 0.2 })).metrics["loss"];
    await loss();
    const gradient = await gradientOf(trainer);
    expect([...gradient.keys()]).toEqual(adapterSpecs(config, lora).map(({ name }) => name));
    for (const [name, tensor] of adapter) {
      const values = float32Data(tensor);
      const at = random.integer(0, values.length - 1);
      const [value, step] = [values[at], 1e-2];
      values[at] = value + step;
      const above = await loss();
      values[at] = value - step;
      const below = await loss();
      values[at] = value;
      const numeric = (above - below) / (2 * step);
      expect(Math.abs(numeric - gradient.get(name)![at])).toBeLessThan(3e-3 * Math.max(1, Math.abs(numeric)));
    }
  });

  test("scores are those of the merged model, and the base is left alone", async () => {
    const adapter = randomAdapter(config);
    const sequences = data.map(({ tokens }) => tokens);
    const before = [...model.arrays.values()].map((array) => Float32Array.from(array));
    const scored = await createScorer(layout, new SessionCache({ threads }, 12)).score(
      new Map([...model.tensors, ...adapter]),
      sequences,
    );
    expect([...model.arrays.values()]).toEqual(before);
    const merged = new Map([...model.arrays].map(([name, array]) => [name, Float32Array.from(array)]));
    const named = new Map([...adapter].map(([name, t]) => [name, { shape: t.dims, data: float32Data(t) }]));
    mergeAdapter(config, lora, named, (name) => merged.get(name)!);
    const whole = new Map([...model.tensors].map(([name, t]) => [name, float32Tensor(t.dims, merged.get(name))]));
    const expected = await createScorer(plainLayout(config), new SessionCache({ threads }, 12)).score(whole, sequences);
    scored.forEach((row, i) => {
      row.forEach((logprob, t) => {
        expect(Math.abs(logprob - expected[i][t])).toBeLessThan(1e-4);
      });
    });
  });

  test("a new adapter changes nothing", async () => {
    const fresh = new Map(
      [...freshAdapter(config, lora, 4)].map(([name, { shape, data }]) => [name, float32Tensor(shape, data)]),
    );
    const sequences = data.map(({ tokens }) => tokens);
    const score = (form: WeightLayout, weights: ReadonlyMap<string, Tensor>) =>
      createScorer(form, new SessionCache({ threads }, 12)).score(weights, sequences);
    const scored = await score(layout, new Map([...model.tensors, ...fresh]));
    const expected = await score(plainLayout(config), model.tensors);
    scored.flat().forEach((logprob, i) => {
      expect(Math.abs(logprob - expected.flat()[i])).toBeLessThan(1e-5);
    });
  });
});

/** Answers that begin alike behind prompts that begin alike, on four levels, and a datum that shares nothing. */
function drawGroups(config: ModelConfig): Datum[] {
  const parts = drawData(config, [40, 16, 3, 14, 5, 4, 6, 2, 7, 9]).map(({ tokens }) => tokens);
  const [root, first, second, opening, ...answers] = parts;
  const sequences = [
    ...answers.slice(0, 4).map((answer) => [...root, ...first, ...opening, ...answer]),
    ...answers.slice(2, 5).map((answer) => [...root, ...second, ...answer]),
    // All of it is in the prompt of others, and some of it twice.
    [...root, ...first],
    [...root, ...first, ...answers[4]],
    [...root, ...first, ...opening, ...answers[0]],
    answers[5],
  ];
  return drawData(
    config,
    sequences.map(({ length }) => length),
  ).map((datum, i) => ({
    ...datum,
    tokens: sequences[i],
    // The first token of an answer is predicted by a row that all answers share.
    weights: datum.weights.map((_, t) =>
      (i === sequences.length - 1 ? t >= 2 : t >= root.length + 3) ? 0.1 + 0.1 * random.next() : 0,
    ),
  }));
}

describe.each(cases)("sequences that begin alike on %s", (_, config) => {
  const layout = adapterLayout(config, lora);
  const model = randomModel(config, 8);
  const data = drawGroups(config);
  const strands = data.map(({ tokens }, index) => ({ index, length: tokens.length - 1 }));
  const withKl = { klPenaltyCoef: 0.2 };

  test("they stand on four levels", () => {
    const tokens = data.map((datum) => datum.tokens);
    const plans = planPacked(tokens, strands, (size) => trainingWork(layout, size, activationBudget(config)));
    expect(plans.map(({ levels }) => levels.length)).toContain(4);
  });

  test.each(lossFunctions)("%s: loss, log-probabilities and gradients are those of each alone", async (lossFn) => {
    const adapter = randomAdapter(config);
    const trainer = new Trainer(layout, adapter, new SessionCache({ threads }, 12), { frozen: model.tensors });
    const together = await trainer.forwardBackward(data, lossFn, withKl);
    const gradient = await gradientOf(trainer);
    let loss = 0;
    for (const [i, datum] of data.entries()) {
      const { metrics, logprobs } = await trainer.forwardBackward([datum], lossFn, withKl);
      loss += metrics["loss"];
      logprobs[0].forEach((logprob, t) => {
        expect(Math.abs(logprob - together.logprobs[i][t])).toBeLessThan(1e-5);
      });
    }
    expect(Math.abs(loss - together.metrics["loss"])).toBeLessThan(1e-5 * Math.max(1, Math.abs(loss)));
    const alone = await gradientOf(trainer);
    for (const [name, values] of alone) {
      const largest = Math.max(1, ...values.map(Math.abs));
      const worst = Math.max(...values.map((value, i) => Math.abs(value - gradient.get(name)![i])));
      expect(worst / largest, name).toBeLessThan(1e-5);
    }
  });

  test("gradients are those of central differences", async () => {
    const adapter = randomAdapter(config);
    const trainer = new Trainer(layout, adapter, new SessionCache({ threads }, 12), { frozen: model.tensors });
    const loss = async (): Promise<number> =>
      (await trainer.forwardBackward(data, "cross_entropy", withKl)).metrics["loss"];
    await loss();
    const gradient = await gradientOf(trainer);
    // Along one random direction through the whole adapter.
    const direction = new Map(
      [...adapter].map(([name, { size }]) => [name, Array.from({ length: size }, random.normal)]),
    );
    const move = (step: number): void => {
      for (const [name, along] of direction) {
        const values = float32Data(adapter.get(name)!);
        along.forEach((d, i) => {
          values[i] += step * d;
        });
      }
    };
    const step = 3e-4;
    move(step);
    const above = await loss();
    move(-2 * step);
    const numeric = (above - (await loss())) / (2 * step);
    const expected = [...direction].reduce(
      (sum, [name, along]) => sum + along.reduce((s, d, i) => s + d * gradient.get(name)![i], 0),
      0,
    );
    expect(Math.abs(numeric - expected)).toBeLessThan(3e-3 * Math.max(1, Math.abs(expected)));
  });

  test("scores are those of each alone", async () => {
    const weights = new Map([...model.tensors, ...randomAdapter(config)]);
    const scorer = createScorer(layout, new SessionCache({ threads }, 12));
    const sequences = [...data.map(({ tokens }) => tokens), [], [3]];
    const together = await scorer.score(weights, sequences);
    expect(together.slice(-2)).toEqual([[], [0]]);
    for (const [i, tokens] of sequences.entries()) {
      const [alone] = await scorer.score(weights, [tokens]);
      alone.forEach((logprob, t) => {
        expect(Math.abs(logprob - together[i][t])).toBeLessThan(1e-5);
      });
    }
  });

  test("scores are computed from where they are asked for", async () => {
    const weights = new Map([...model.tensors, ...randomAdapter(config)]);
    const scorer = createScorer(layout, new SessionCache({ threads }, 12));
    const sequences = data.map(({ tokens }) => tokens);
    const all = await scorer.score(weights, sequences);
    const first = sequences.map(({ length }, i) => (i === 0 ? length : Math.floor(length / 2)));
    for (const [i, row] of (await scorer.score(weights, sequences, first)).entries()) {
      row.forEach((logprob, t) => {
        expect(Math.abs(logprob - (t < first[i] ? 0 : all[i][t]))).toBeLessThan(1e-5);
      });
    }
  });
});

describe("losses in slices", () => {
  // Over 128 trained tokens, so that there are several slices and the last is not full.
  const lengths = [30, 17, 29, 30, 4, 28, 30, 30, 25, 30];

  test.each(lossFunctions)("%s: loss, log-probabilities and all gradients are those of the whole", async (lossFn) => {
    for (const config of [cases[1][1], modelVariants.llama]) {
      const data = drawData(config, lengths);
      const model = randomModel(config, 5, 0.7);
      const results = [];
      for (const inSlices of [false, true]) {
        const layout = { ...plainLayout(config), sliced: inSlices };
        const trainer = new Trainer(layout, model.tensors, new SessionCache({ threads }, 12));
        const result = await trainer.forwardBackward(data, lossFn, { klPenaltyCoef: 0.3 });
        results.push({ ...result, gradient: await gradientOf(trainer) });
      }
      const [whole, sliced] = results;
      const size = Math.max(1, Math.abs(whole.metrics["loss"]));
      expect(Math.abs(sliced.metrics["loss"] - whole.metrics["loss"]) / size).toBeLessThan(1e-5);
      data.forEach(({ weights }, row) => {
        weights.forEach((weight, t) => {
          if (weight === 0) expect(sliced.logprobs[row][t]).toBe(0);
          else expect(Math.abs(sliced.logprobs[row][t] - whole.logprobs[row][t])).toBeLessThan(1e-5);
        });
      });
      expect(sliced.gradient.size).toBe(parameterSpecs(config).length);
      for (const [name, values] of whole.gradient) {
        const largest = Math.max(1, ...values.map(Math.abs));
        const worst = Math.max(...values.map((value, i) => Math.abs(value - sliced.gradient.get(name)![i])));
        expect(worst / largest, name).toBeLessThan(1e-5);
      }
    }
  });
});

describe("weights in blocks", () => {
  const config: ModelConfig = {
    ...modelVariants.llama,
    hiddenSize: 64,
    intermediateSize: 96,
    headSize: 16,
    tiedEmbeddings: true,
  };
  const layout = adapterLayout(config, lora, true);

  test("training and scoring are those of the values that the blocks stand for", async () => {
    const model = randomModel(config, 6);
    const frozen = loadFrozenWeights(layout, weightSourceOf(model, config));
    const dequantised = new Map(
      parameterSpecs(config).map(({ name, shape }) => {
        const [blocks, scales] = [frozen.get(`${name}:blocks`), frozen.get(`${name}:scales`)];
        if (blocks === undefined || scales === undefined) return [name, frozen.get(name)!];
        const values = blocks.data as Int8Array;
        return [
          name,
          float32Tensor(
            shape,
            Float32Array.from(values, (q, i) => q * float32Data(scales)[Math.floor(i / 32)]),
          ),
        ];
      }),
    );
    const original = model.arrays.get("model.layers.0.mlp.up_proj.weight")!;
    const held = float32Data(dequantised.get("model.layers.0.mlp.up_proj.weight")!);
    const largest = Math.max(...original.map(Math.abs));
    original.forEach((value, i) => {
      expect(Math.abs(value - held[i])).toBeLessThanOrEqual(largest / 127);
    });
    const adapter = randomAdapter(config);
    const data = drawData(config, [9, 12]);
    const results = [];
    for (const [form, weights] of [
      [layout, frozen],
      [{ ...layout, blocks: false }, dequantised],
    ] as const) {
      const trainer = new Trainer(form, adapter, new SessionCache({ threads }, 12), { frozen: weights });
      const { metrics } = await trainer.forwardBackward(data, "cross_entropy");
      results.push({ loss: metrics["loss"], gradient: await gradientOf(trainer) });
    }
    const [blocks, plain] = results;
    expect(Math.abs(blocks.loss - plain.loss)).toBeLessThan(1e-5);
    for (const [name, values] of plain.gradient) {
      values.forEach((value, i) => {
        expect(Math.abs(value - blocks.gradient.get(name)![i])).toBeLessThan(1e-4);
      });
    }
  });
});
