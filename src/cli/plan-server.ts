// What a step asks of a Tinker server: tokens, and from rates and prices time and money. A server says nothing of its memory, and the
// protocol nothing of prices.
import type { Engine } from "../engine/engine.ts";
import { completionsOf, type StepWork } from "../engine/work.ts";
import { UsageError } from "../errors.ts";

/** Tokens by what servers count apart. */
export interface ServerTokens {
  /** Of prompts, each sent once for the samples of a request, and of what is scored. */
  readonly prefill: number;
  readonly sample: number;
  readonly train: number;
}

/** Dollars for a million tokens. */
export type Prices = ServerTokens;

/** Completions that one request asks for at most (engine/tinker/client/sampler.ts). */
const samplesOfRequest = 64;

/** Tokens of a step at its longest. */
export function tokensOfStep({ sampled, trained, referencePasses, correction }: StepWork): ServerTokens {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const learned = sum(trained.map((work) => completionsOf(work) * (work.promptTokens + work.maxTokens) * work.share));
  const scored = learned * (referencePasses + (correction === "always" ? 1 : 0));
  const prompts = sampled.map(
    (work) => work.prompts * Math.ceil(work.samplesOfPrompt / samplesOfRequest) * work.promptTokens,
  );
  return {
    prefill: sum(prompts) + scored,
    sample: sum(sampled.map((work) => completionsOf(work) * work.maxTokens)),
    // With a reference the gradient is handed over in a pass of its own, after one that gives log-probabilities.
    train: learned * (referencePasses > 0 ? 2 : 1),
  };
}

/** Dollars of these tokens. */
export function costOf(tokens: ServerTokens, prices: Prices): number {
  return (tokens.prefill * prices.prefill + tokens.sample * prices.sample + tokens.train * prices.train) / 1e6;
}

/** Reads `0.13,0.4,0.4`. Throws UsageError for what is no three prices. */
export function readPrices(given: string): Prices {
  const prices = given.split(",").map((text) => (text.trim() === "" ? Number.NaN : Number(text)));
  if (prices.length !== 3 || !prices.every((price) => Number.isFinite(price) && price >= 0)) {
    throw new UsageError(
      `--prices ${given} is no three prices.`,
      "Give dollars for a million tokens of prompts, of samples and of training: --prices 0.13,0.4,0.4.",
    );
  }
  const [prefill, sample, train] = prices;
  return { prefill, sample, train };
}

/** Tokens a second, measured. */
export interface ServerRates {
  readonly sample: number;
  readonly train: number;
}

const probes = 128;
const probeTokens = 32;

/**
 * Samples and trains a little on a model of its own, without an update: what it leaves on the server is a gradient that nobody uses.
 * Throws what the engine throws.
 */
export async function measureServer(engine: Engine): Promise<ServerRates & { readonly tokens: number }> {
  await using policy = await engine.openPolicy();
  const { tokenizer, capabilities } = engine;
  const promptTokens = tokenizer.encode("1+1=").slice(0, 4);
  const maxTokens = Math.min(probeTokens, capabilities.maxSequenceTokens - promptTokens.length - 1);
  const ask = { promptTokens, numSamples: probes, seed: 1, first: 0 };
  const options = { maxTokens, temperature: 1, stop: tokenizer.endTokens };
  // The first call of a kind may compile.
  await policy.sample([ask], options);
  let start = performance.now();
  const [completions] = await policy.sample([{ ...ask, seed: 2 }], options);
  const sampled = completions.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const sample = sampled / ((performance.now() - start) / 1000);
  const data = completions.map(({ tokens, logprobs }) => {
    const zeros = promptTokens.map(() => 0);
    const row = (value: number): number[] => [...zeros, ...tokens.map(() => value)];
    return {
      tokens: [...promptTokens, ...tokens],
      weights: row(1),
      logprobs: [...zeros, ...logprobs],
      advantages: row(1),
    };
  });
  const [loss] = capabilities.lossFunctions;
  await policy.forwardBackward(data, loss);
  start = performance.now();
  await policy.forwardBackward(data, loss);
  const trained = data.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return { sample, train: trained / ((performance.now() - start) / 1000), tokens: 2 * (sampled + trained) };
}
