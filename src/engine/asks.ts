// Short ways to make asks.
import { seedFrom } from "../random.ts";
import type { Ask } from "./engine.ts";

/** An ask for each prompt, equally many completions of each, every one with a seed of its own made from `seed`. */
export function askEach(
  prompts: readonly (readonly number[])[],
  { numSamples = 1, seed = 0, first = 0 }: { numSamples?: number; seed?: number; first?: number } = {},
): Ask[] {
  return prompts.map((promptTokens, index) => ({ promptTokens, numSamples, seed: seedFrom(seed, index), first }));
}
