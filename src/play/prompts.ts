// Between text and tokens: encodes prompts, decodes completions, and asks the engine. It knows nothing of what the texts mean.

import type { PlaySettings } from "../config/play.ts";
import type { Ask, Player, SampleListener, SampleOptions } from "../engine/engine.ts";
import type { Completion, Prompt, Tokenizer } from "../types.ts";

/** How both roles sample; the part of the config that they share. */
export type SamplingSettings = Pick<PlaySettings, "temperature" | "topP" | "topK">;

/** Tokens of a prompt: plain text as it is, messages through the model's chat template. */
export function encodePrompt(tokenizer: Tokenizer, prompt: Prompt): number[] {
  return typeof prompt === "string" ? tokenizer.encode(prompt) : tokenizer.encodeChat(prompt);
}

/** Text of a completion without its end token. */
export function decodeCompletion(tokenizer: Tokenizer, { tokens }: Pick<Completion, "tokens">): string {
  const end = tokens.length > 0 && tokenizer.endTokens.includes(tokens[tokens.length - 1]);
  return tokenizer.decode(end ? tokens.slice(0, -1) : tokens);
}

/** Ids that end a reply: the model's own, and every token that has the topic's `stopText` in it. */
export function stopTokens(tokenizer: Tokenizer, stopText?: string): readonly number[] {
  return stopText === undefined ? tokenizer.endTokens : [...tokenizer.endTokens, ...tokenizer.tokensWith(stopText)];
}

/** Samples asks as this stage samples, up to the end of each reply; completions as [ask][sample]. */
export function sample(
  player: Player,
  asks: readonly Ask[],
  {
    temperature,
    topP,
    topK,
    maxTokens,
    stopText,
  }: SamplingSettings & Pick<SampleOptions, "maxTokens"> & { readonly stopText?: string | undefined },
  listener?: SampleListener,
): Promise<Completion[][]> {
  if (asks.length === 0) return Promise.resolve([]);
  const stop = stopTokens(player.tokenizer, stopText);
  return player.sample(asks, { maxTokens, temperature, topP, topK, stop }, listener);
}

/** Whether a prompt leaves the model room for a reply of `maxTokens`. */
export function fitsPlayer(
  { capabilities }: Pick<Player, "capabilities">,
  promptTokens: readonly number[],
  maxTokens: number,
): boolean {
  return promptTokens.length > 0 && promptTokens.length + maxTokens <= capabilities.maxSequenceTokens;
}
