// Claims of the sampler, against a plain reference transformer that shares no code with it.
import { describe, expect, test } from "vitest";
import { askEach } from "../../../../src/engine/asks.ts";
import type { Ask, SampleOptions } from "../../../../src/engine/engine.ts";
import { createSampler, type SamplerOptions } from "../../../../src/engine/onnx/generate/sampler.ts";
import { plainLayout } from "../../../../src/engine/onnx/transformer/linear.ts";
import { UnsupportedError } from "../../../../src/errors.ts";
import type { ModelConfig } from "../../../../src/model/model-config.ts";
import type { Completion } from "../../../../src/types.ts";
import { modelVariants, type RandomModel, randomModel } from "../random-model.ts";
import { logSumExp, referenceLogits, referenceLogprobs } from "../reference-transformer.ts";

type Sampling = SampleOptions & Pick<Ask, "numSamples" | "seed">;

const greedy: Sampling = { numSamples: 1, maxTokens: 8, temperature: 0, stop: [], seed: 1 };
const prompts = [[3], [1, 2, 3, 4, 5, 6, 7], [5, 1], [9, 8, 7, 6], [2, 2, 2]];

/** Small models are sampled in one run of a graph, large ones step by step: these are small ones in both ways. */
const ways = { looped: false, stepped: true };
const byVariant = Object.entries(ways).flatMap(([way, stepped]) =>
  Object.entries(modelVariants).map(([variant, config]) => ({ way, stepped, variant, config })),
);

/** A sampler for the weights of one model. */
function samplerOf(
  config: ModelConfig,
  { tensors }: RandomModel,
  { stepped, ...options }: SamplerOptions & { readonly stepped: boolean },
) {
  const sampler = createSampler({ ...plainLayout(config), sliced: stepped }, options);
  const sample = (prompts: readonly (readonly number[])[], { numSamples, seed, ...sampling }: Sampling) =>
    sampler.sample(tensors, askEach(prompts, { numSamples, seed }), sampling);
  return { sample };
}

describe.each(byVariant)("$way: $variant", ({ config, stepped }) => {
  const model = randomModel(config, 7);
  const sampler = samplerOf(config, model, { threads: 1, maxBatch: 3, stepped });

  test("greedy tokens and logprobs are those of the full forward pass", async () => {
    const completions = await sampler.sample(prompts, greedy);
    for (const [i, prompt] of prompts.entries()) {
      const { tokens, logprobs } = completions[i][0];
      expect(tokens).toHaveLength(8);
      const sequence = [...prompt, ...tokens];
      const logits = referenceLogits(config, model.arrays, sequence);
      const expected = referenceLogprobs(config, model.arrays, sequence).slice(prompt.length);
      for (const [j, token] of tokens.entries()) {
        const row = logits[prompt.length - 1 + j];
        expect(token).toBe(row.indexOf(Math.max(...row)));
        expect(Math.abs(logprobs[j] - expected[j])).toBeLessThan(1e-4);
      }
    }
  });

  test("logprobs of sampled tokens are untempered and untruncated", async () => {
    const options = { ...greedy, numSamples: 3, temperature: 0.7, topK: 6, topP: 0.9 };
    for (const [i, group] of (await sampler.sample(prompts, options)).entries()) {
      for (const { tokens, logprobs } of group) {
        const expected = referenceLogprobs(config, model.arrays, [...prompts[i], ...tokens]).slice(prompts[i].length);
        for (const [j, logprob] of logprobs.entries()) expect(Math.abs(logprob - expected[j])).toBeLessThan(1e-4);
      }
    }
  });
});

describe.each(Object.entries(ways))("sampling, %s", (_, stepped) => {
  const config = modelVariants["qwen2: biases, grouped heads, tied"];
  const model = randomModel(config, 11);
  const sampler = samplerOf(config, model, { threads: 1, stepped });
  const options: Sampling = { numSamples: 5, maxTokens: 12, temperature: 1, stop: [4, 9], seed: 3 };
  const tokensOf = (completions: Completion[][]): (readonly number[])[][] =>
    completions.map((group) => group.map(({ tokens }) => tokens));

  test("what a sequence draws depends on the seed, not on the batch", async () => {
    const limits = await Promise.all(
      [1, 4, 7, 64].map((maxBatch) =>
        samplerOf(config, model, { threads: 1, maxBatch, stepped }).sample(prompts, options),
      ),
    );
    for (const completions of limits) expect(tokensOf(completions)).toEqual(tokensOf(limits[0]));
    expect(tokensOf(await sampler.sample(prompts, options))).toEqual(tokensOf(limits[0]));
    expect(tokensOf(await sampler.sample(prompts, { ...options, seed: 4 }))).not.toEqual(tokensOf(limits[0]));
  });

  test("samples of a group differ, and equal prompts draw apart", async () => {
    const [first, second] = tokensOf(
      await sampler.sample(
        [
          [1, 2, 3],
          [1, 2, 3],
        ],
        { ...options, stop: [], maxTokens: 8 },
      ),
    );
    expect(new Set([...first, ...second].map(String)).size).toBe(10);
  });

  test("completions end with a stop token or at the limit", async () => {
    const completions = (await sampler.sample(prompts, { ...options, numSamples: 40 })).flat();
    const ends = new Set<string>();
    for (const { tokens, logprobs, stopReason } of completions) {
      expect(logprobs).toHaveLength(tokens.length);
      const stopAt = tokens.findIndex((token) => options.stop.includes(token));
      expect(stopReason).toBe(stopAt === -1 ? "length" : "stop");
      expect(tokens).toHaveLength(stopAt === -1 ? options.maxTokens : stopAt + 1);
      ends.add(stopAt === -1 ? "length" : String(tokens[stopAt]));
    }
    expect([...ends].sort()).toEqual(["4", "9", "length"]);
  });

  test("tells tokens as they are drawn, or at the end; what need not go on ends as soon as it can", async () => {
    const own = createSampler({ ...plainLayout(config), sliced: stepped }, { threads: 1, maxBatch: 4 });
    const asks = askEach(prompts, { numSamples: 2, seed: 3 });
    const settings = { maxTokens: 12, temperature: 1, stop: [] };
    const whole = await own.sample(model.tensors, asks, settings);
    const told = asks.map(() => [0, 0]);
    const completions = await own.sample(model.tensors, asks, settings, {
      tell: (pieces) => {
        for (const { ask, sample, tokens } of pieces) {
          expect(tokens).toEqual(whole[ask][sample].tokens.slice(told[ask][sample], told[ask][sample] + tokens.length));
          told[ask][sample] += tokens.length;
        }
      },
      isEnough: (ask, sample) => ask === 1 && sample === 0 && told[ask][sample] >= 2,
    });
    const expected = whole.map((row, ask) =>
      row.map((completion, sample) => {
        if (!stepped || ask !== 1 || sample !== 0) return completion;
        return { ...completion, tokens: completion.tokens.slice(0, 3), logprobs: completion.logprobs.slice(0, 3) };
      }),
    );
    expect(completions).toEqual(expected);
    expect(told).toEqual(expected.map((row) => row.map(({ tokens }) => tokens.length)));
  });

  test("reads the weights as they are at each call", async () => {
    const changing = randomModel(config, 12);
    const live = samplerOf(config, changing, { threads: 1, stepped });
    const before = await live.sample([[1, 2, 3]], greedy);
    for (const [name, data] of changing.arrays) data.set(randomModel(config, 11).arrays.get(name)!);
    const after = await live.sample([[1, 2, 3]], greedy);
    expect(after).toEqual(await sampler.sample([[1, 2, 3]], greedy));
    expect(after).not.toEqual(before);
  });

  test("greedy takes the lowest id among equals", async () => {
    const level = randomModel(config, 13, 0);
    const [[{ tokens, logprobs }]] = await samplerOf(config, level, { threads: 1, stepped }).sample([[5]], greedy);
    expect(tokens).toEqual(Array(8).fill(0));
    for (const logprob of logprobs) expect(logprob).toBeCloseTo(-Math.log(config.vocabSize), 5);
  });

  test("no prompts, and one prompt with one sample", async () => {
    expect(await sampler.sample([], options)).toEqual([]);
    expect(await sampler.sample([[1]], { ...options, numSamples: 1, maxTokens: 1, stop: [] })).toMatchObject([
      [{ stopReason: "length" }],
    ]);
  });

  // Draws 4,000 first tokens; with 13 tokens, chi-square exceeds 45 in fewer than one run in 100,000 (12 degrees).
  test.each([
    { temperature: 1 },
    { temperature: 0.5 },
    { temperature: 2, topK: 5 },
    { temperature: 1, topP: 0.8 },
    { temperature: 1.5, topP: 0.6, topK: 7 },
    { temperature: 1, topP: 1e-6 },
    { temperature: 0.8, topK: 1 },
    { temperature: 1, topK: 500 },
  ])("draws from the distribution that %o asks for", async (choice) => {
    const count = 4000;
    const prompt = [1, 6, 2];
    const [group] = await sampler.sample([prompt], { ...options, ...choice, numSamples: count, maxTokens: 1 });
    const expected = expectedDistribution(referenceLogits(config, model.arrays, prompt)[prompt.length - 1], choice);
    const observed = Array<number>(config.vocabSize).fill(0);
    for (const { tokens } of group) observed[tokens[0]]++;
    let chiSquare = 0;
    for (const [token, probability] of expected.entries()) {
      if (probability === 0) expect(observed[token]).toBe(0);
      else chiSquare += (observed[token] - count * probability) ** 2 / (count * probability);
    }
    expect(chiSquare).toBeLessThan(45);
  });

  test.each([
    ["contains token 13", [[1], [2, 13]]],
    ["contains token -1", [[-1]]],
    ["contains token 0.5", [[0.5]]],
  ])("refuses before any work: %s", async (problem, badPrompts) => {
    const refusal = sampler.sample(badPrompts, options);
    await expect(refusal).rejects.toThrow(UnsupportedError);
    await expect(refusal).rejects.toThrow(problem);
  });

  test("prompts of very different lengths, sharing prefixes or not, keep their places", async () => {
    const long = Array.from({ length: 20 }, (_, i) => (i * 5) % 13);
    const mixed = [[7], long, [1, 2], long.slice(0, 12), [1, 3], long, long.slice(0, 9)];
    const completions = await sampler.sample(mixed, { ...options, numSamples: 4 });
    for (const [i, group] of completions.entries()) {
      expect(group).toHaveLength(4);
      for (const { tokens, logprobs } of group) {
        const expected = referenceLogprobs(config, model.arrays, [...mixed[i], ...tokens]).slice(mixed[i].length);
        for (const [j, logprob] of logprobs.entries()) expect(Math.abs(logprob - expected[j])).toBeLessThan(1e-4);
      }
    }
  });

  test("refuses a head size that its attention cannot compute", () => {
    const odd = { ...config, headSize: 12 };
    expect(() => createSampler({ ...plainLayout(odd), sliced: stepped }, { threads: 1 })).toThrow(UnsupportedError);
  });

  test("a prompt may fill the model's positions up to the last", async () => {
    const longest = Array.from({ length: 20 }, (_, i) => i % 13);
    const [[{ tokens, logprobs }]] = await sampler.sample([longest], { ...greedy, maxTokens: 12 });
    const expected = referenceLogprobs(config, model.arrays, [...longest, ...tokens]).slice(20);
    for (const [i, logprob] of logprobs.entries()) expect(Math.abs(logprob - expected[i])).toBeLessThan(1e-4);
  });
});

/** Temperature, then top-k, then top-p over what is left, as Hugging Face's logits warpers do. */
function expectedDistribution(
  logits: readonly number[],
  { temperature, topK = 0, topP = 1 }: { temperature: number; topK?: number; topP?: number },
): number[] {
  const scaled = logits.map((logit) => logit / temperature);
  const all = scaled.map((logit) => Math.exp(logit - logSumExp(scaled)));
  const ranked = [...all.keys()].sort((a, b) => all[b] - all[a]).slice(0, topK === 0 ? all.length : topK);
  const mass = ranked.reduce((sum, token) => sum + all[token], 0);
  const kept = new Set<number>();
  let reached = 0;
  for (const token of ranked) {
    if (reached >= topP * mass) break;
    kept.add(token);
    reached += all[token];
  }
  return all.map((probability, token) => (kept.has(token) ? probability / reached : 0));
}
