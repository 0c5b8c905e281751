// The proposer's half of a step: samples proposals, reads the questions in them, and says of each that will not be solved
// why not. Rewards and training come later; a bad proposal is data.

import type { PlaySettings } from "../config/play.ts";
import type { Player } from "../engine/engine.ts";
import type { Random } from "../random.ts";
import { refuse } from "../reading.ts";
import type { Topic } from "../topics/topic.ts";
import type { Completion, Proposal, Question, Reading, Refusal } from "../types.ts";
import { decodeCompletion, encodePrompt, fitsEngine, type SamplingSettings, sampleRequests } from "./prompts.ts";
import { cutOff } from "./read-answer.ts";

export interface ProposeOptions extends SamplingSettings {
  /** Proposals to sample. */
  readonly count: number;
  readonly truncatedReplies: PlaySettings["truncatedReplies"];
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
 * Samples `count` proposals. One without a refusal has a question and is asked; a `malformed` one has none, and a
 * `duplicate` is one of an earlier step or of this batch.
 */
export async function propose(engine: Player, topic: Topic, options: ProposeOptions): Promise<Proposal[]> {
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
    const reading = cutOff(completion, options.truncatedReplies) ?? readQuestion(engine, topic, text);
    if (!reading.ok) return { ...proposal, question: null, refusal: { kind: "malformed", says: reading.reason } };
    const question = reading.value;
    const refused = (kind: Refusal["kind"]): Proposal => ({ ...proposal, question, refusal: { kind } });
    if (options.heldOutKeys.has(question.key)) return refused("held-out");
    if (options.seenKeys.has(question.key) || batchKeys.has(question.key)) return refused("duplicate");
    batchKeys.add(question.key);
    if (accepted >= options.accept) return refused("surplus");
    accepted += 1;
    return { ...proposal, question, refusal: null };
  });
}

/** The topic's reading, refused where the engine could not take the question with its answer. */
function readQuestion(engine: Player, topic: Topic, text: string): Reading<Question> {
  const reading = topic.readQuestion(text);
  if (!reading.ok) return reading;
  if (fitsEngine(engine, encodePrompt(engine.tokenizer, topic.solvePrompt(reading.value)), topic.maxTokens.solve)) {
    return reading;
  }
  return refuse(`longer than the ${engine.capabilities.maxSequenceTokens} tokens that the engine takes`);
}

/** One completion for each prompt, in order; equal prompts are sampled as one prompt with many completions. */
async function completeEach(
  engine: Player,
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
