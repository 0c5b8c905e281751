// Between text and tokens: encodes prompts, decodes completions, and hands many prompts to the engine in as few calls as
// it can take. It knows nothing of what the texts mean.

import type { PlaySettings } from "../config/play.ts";
import type { Player, SampleOptions } from "../engine/engine.ts";
import { seedFrom } from "../random.ts";
import type { Completion, Prompt, Tokenizer } from "../types.ts";

/** How both roles sample; the part of the config that they share. */
export type SamplingSettings = Pick<PlaySettings, "temperature" | "topP" | "topK">;

/** One prompt and how many completions it wants. */
export interface SampleRequest {
  readonly promptTokens: readonly number[];
  readonly numSamples: number;
}

/** Tokens of a prompt: plain text as it is, messages through the model's chat template. */
export function encodePrompt(tokenizer: Tokenizer, prompt: Prompt): number[] {
  return typeof prompt === "string" ? tokenizer.encode(prompt) : tokenizer.encodeChat(prompt);
}

/** Text of a completion without its end token. */
export function decodeCompletion(tokenizer: Tokenizer, { tokens }: Pick<Completion, "tokens">): string {
  const end = tokens.length > 0 && tokenizer.endTokens.includes(tokens[tokens.length - 1]);
  return tokenizer.decode(end ? tokens.slice(0, -1) : tokens);
}

/**
 * Samples every request and returns completions in request order. Requests that want equally many completions share one
 * engine call, so that the engine can batch them; each call has a seed of its own.
 */
export async function sampleRequests(
  engine: Player,
  requests: readonly SampleRequest[],
  options: SamplingSettings & Pick<SampleOptions, "maxTokens" | "seed">,
): Promise<Completion[][]> {
  const completions: Completion[][] = requests.map(() => []);
  const sizes = [...new Set(requests.map(({ numSamples }) => numSamples))].sort((a, b) => b - a);
  for (const numSamples of sizes) {
    const members = [...requests.keys()].filter((index) => requests[index].numSamples === numSamples);
    const prompts = members.map((index) => requests[index].promptTokens);
    const { temperature, topP, topK, maxTokens } = options;
    const stop = engine.tokenizer.endTokens;
    const seed = seedFrom(options.seed, numSamples);
    const rows = await engine.sample(prompts, { numSamples, maxTokens, temperature, topP, topK, stop, seed });
    for (const [row, index] of members.entries()) completions[index] = rows[row];
  }
  return completions;
}

/** Whether a prompt leaves the engine room for a reply of `maxTokens`. */
export function fitsEngine(engine: Player, promptTokens: readonly number[], maxTokens: number): boolean {
  return promptTokens.length > 0 && promptTokens.length + maxTokens <= engine.capabilities.maxSequenceTokens;
}
