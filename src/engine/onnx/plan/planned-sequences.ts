// Sequences such as a step will have, of which a plan knows no more than their lengths. Pure.
import type { SampledWork } from "../../work.ts";

/** (√5 − 1) / 2: its multiples lie evenly between whole numbers, however many there are. */
const golden = 0.618_033_988_749_895;

/** Prompts as tokens: only where they are equal counts. */
export function promptsOf({ prompts, promptTokens, sharedTokens }: SampledWork): number[][] {
  const shared = Math.min(sharedTokens, promptTokens);
  return Array.from({ length: prompts }, (_, i) => [
    ...Array<number>(shared).fill(0),
    ...Array<number>(promptTokens - shared).fill(i + 1),
  ]);
}

/**
 * Tokens of every reply, prompt by prompt. They are as long as they may be with a `share` of 1, else spread evenly about that share of the
 * longest, for replies that end by themselves end anywhere.
 */
export function replyLengths({ prompts, samplesOfPrompt, maxTokens }: SampledWork, share: number): number[] {
  const [least, most] = [Math.max(0, 2 * share - 1), Math.min(1, 2 * share)];
  return Array.from({ length: prompts * Math.ceil(samplesOfPrompt) }, (_, i) => {
    const place = ((i + 1) * golden) % 1;
    return Math.min(maxTokens, Math.max(1, Math.ceil(maxTokens * (least + (most - least) * place))));
  });
}

/** All completions of a call with their prompts; no two replies have a token in common. */
export function sequencesOf(work: SampledWork, share: number): number[][] {
  const prompts = promptsOf(work);
  return replyLengths(work, share).map((length, i) => [
    ...prompts[Math.floor(i / Math.ceil(work.samplesOfPrompt))],
    ...Array<number>(length).fill(work.prompts + 1 + i),
  ]);
}
