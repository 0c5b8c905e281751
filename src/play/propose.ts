// The proposer's half of a step: samples proposals, reads the questions in them, and says of each that will not be solved
// why not. Rewards and training come later; a bad proposal is data.
import type { Engine } from "../engine/engine.ts";
import type { Random } from "../random.ts";
import type { Topic } from "../topics/topic.ts";
import type { Completion, Proposal, Question } from "../types.ts";
import { decodeCompletion, encodePrompt, fitsEngine, type SamplingSettings, sampleRequests } from "./prompts.ts";

export interface ProposeOptions extends SamplingSettings {
  /** Proposals to sample. */
  readonly count: number;
  /** Good questions to accept at most (`groupsPerBatch`); the rest are `surplus`. */
  readonly accept: number;
  readonly seed: number;
  /** Given to the topic, which may draw examples with it. */
  readonly random: Random;
  /** Questions of earlier steps, newest last; given to the topic. */
  readonly recent: readonly Question[];
  /** Keys of questions that were accepted in earlier steps. */
  readonly seenKeys: ReadonlySet<string>;
  /** Keys of questions that evaluation keeps for itself. */
  readonly heldOutKeys: ReadonlySet<string>;
}

/**
 * Samples `count` proposals. A proposal without `reason` is accepted and has a question; the others say why they are not
 * solved: `malformed: …` (then `question` is null), `held-out`, `duplicate` (of an earlier step or of this batch), or
 * `surplus`. Use `acceptedQuestions` to get at the accepted ones.
 */
export async function propose(engine: Engine, topic: Topic, options: ProposeOptions): Promise<Proposal[]> {
  const { random, recent, count } = options;
  const prompts = Array.from({ length: count }, () =>
    encodePrompt(engine.tokenizer, topic.proposePrompt({ random, recent })),
  );
  const completions = await completeEach(engine, prompts, topic.maxTokens.propose, options);

  const batchKeys = new Set<string>();
  let accepted = 0;
  return completions.map((completion, i) => {
    const text = decodeCompletion(engine.tokenizer, completion);
    const proposal = { promptTokens: prompts[i], ...completion, text };
    const reading = topic.readQuestion(text);
    if (!reading.ok) return { ...proposal, question: null, reason: `malformed: ${reading.reason}` };
    const question = reading.value;
    if (!fitsEngine(engine, encodePrompt(engine.tokenizer, topic.solvePrompt(question)), topic.maxTokens.solve)) {
      const reason = `malformed: longer than the ${engine.capabilities.maxSequenceTokens} tokens that the engine takes`;
      return { ...proposal, question: null, reason };
    }
    const { key } = question;
    if (options.heldOutKeys.has(key)) return { ...proposal, question, reason: "held-out" };
    if (options.seenKeys.has(key) || batchKeys.has(key)) return { ...proposal, question, reason: "duplicate" };
    batchKeys.add(key);
    if (accepted >= options.accept) return { ...proposal, question, reason: "surplus" };
    accepted += 1;
    return { ...proposal, question };
  });
}

/** The questions to solve, with the index of the proposal that each came from. */
export function acceptedQuestions(proposals: readonly Proposal[]): { question: Question; proposal: number }[] {
  return proposals.flatMap(({ question, reason }, proposal) =>
    question !== null && reason === undefined ? [{ question, proposal }] : [],
  );
}

/** One completion for each prompt, in order; equal prompts are sampled as one prompt with many completions. */
async function completeEach(
  engine: Engine,
  prompts: readonly (readonly number[])[],
  maxTokens: number,
  { temperature, topP, topK, seed }: ProposeOptions,
): Promise<Completion[]> {
  const members = new Map<string, number[]>();
  for (const [index, tokens] of prompts.entries()) {
    const name = tokens.join();
    members.set(name, [...(members.get(name) ?? []), index]);
  }
  const groups = [...members.values()];
  const requests = groups.map((group) => ({ promptTokens: prompts[group[0]], numSamples: group.length }));
  const rows = await sampleRequests(engine, requests, { temperature, topP, topK, maxTokens, seed });
  const completions = new Map<number, Completion>();
  for (const [row, group] of groups.entries()) {
    for (const [sample, index] of group.entries()) completions.set(index, rows[row][sample]);
  }
  return [...completions].sort(([a], [b]) => a - b).map(([, completion]) => completion);
}
