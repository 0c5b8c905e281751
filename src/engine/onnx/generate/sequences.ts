// What a call of `sample` asks for, sequence by sequence, and what each draws.

import { uniformAt } from "../../../random.ts";
import type { Ask } from "../../engine.ts";

/** A sequence to be generated. What it draws depends on (seed, number, position) alone. */
export interface Sequence {
  /** Index of its ask in the call, and its own among those of the ask. */
  readonly ask: number;
  readonly sample: number;
  readonly seed: number;
  readonly number: number;
  readonly prompt: readonly number[];
}

export function sequencesOf({ promptTokens, numSamples, seed, first }: Ask, ask: number): Sequence[] {
  return Array.from({ length: numSamples }, (_, sample) => ({
    ask,
    sample,
    seed,
    number: first + sample,
    prompt: promptTokens,
  }));
}

/** The greatest number whose product with a float32 is always less than it. */
const greatestUniform = 1 - 2 ** -23;

/** The number that a sequence draws its token at a position (0: the first after the prompt) with, in [0, 1 − 2⁻²³]. */
export function uniformOf({ seed, number }: Sequence, position: number): number {
  return Math.min(uniformAt(seed, number, position), greatestUniform);
}
