// The proposer's half of a step: samples proposals, reads the questions in them, and says of each that will not be solved
// why not. Rewards and training come later; a bad proposal is data.

import type { PlaySettings } from "../config/play.ts";
import type { Ask, Player } from "../engine/engine.ts";
import { type Random, seedFrom } from "../random.ts";
import { refuse } from "../reading.ts";
import type { Topic } from "../topics/topic.ts";
import type { Proposal, Question, Reading, Refusal } from "../types.ts";
import { decodeCompletion, encodePrompt, fitsPlayer, type SamplingSettings, sample } from "./prompts.ts";
import { cutOff } from "./read-answer.ts";

/** How one proposal is asked for, where it is not as the topic does by itself: at a level, or begun as an earlier one was. */
export interface ProposalRequest {
  /** One of the topic's levels. */
  readonly level?: number;
  /** A prompt, and the first tokens of the reply to it, which the proposer goes on from. */
  readonly beginning?: { readonly promptTokens: readonly number[]; readonly tokens: readonly number[] };
}

export interface ProposeOptions extends SamplingSettings {
  /** Proposals to sample. */
  readonly count: number;
  /** For the first proposals, in order; the others are asked for as the topic does by itself. */
  readonly requests?: readonly ProposalRequest[];
  readonly truncatedReplies: PlaySettings["truncatedReplies"];
  /** Good questions to accept at most (`groupsPerBatch`); the rest are `surplus`. */
  readonly accept: number;
  /** Which of more good questions to accept, by index; the first ones where left out. */
  readonly choose?: ((questions: readonly Question[], count: number) => readonly number[]) | undefined;
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
export async function propose(player: Player, topic: Topic, options: ProposeOptions): Promise<Proposal[]> {
  const { random, recent, count, requests = [] } = options;
  const prompts = Array.from({ length: count }, (_, i) => {
    const { level, beginning } = requests[i] ?? {};
    if (beginning !== undefined) return [...beginning.promptTokens, ...beginning.tokens];
    return encodePrompt(player.tokenizer, topic.proposePrompt({ random, recent, level }));
  });
  const { asks, askOf } = asksFor(prompts, options.seed);
  const rows = await sample(player, asks, {
    ...options,
    maxTokens: topic.maxTokens.propose,
    stopText: topic.stopText?.propose,
  });

  const batchKeys = new Set<string>();
  const proposals = prompts.map((promptTokens, i): Proposal => {
    const { ask, sample } = askOf[i];
    const completion = rows[ask][sample];
    // What a beginning gave is part of the question, and not of what the proposer is trained on.
    const given = requests[i]?.beginning?.tokens ?? [];
    const text = decodeCompletion(player.tokenizer, { tokens: [...given, ...completion.tokens] });
    const proposal = { promptTokens, ...completion, text, ask, ...(given.length > 0 && { given: given.length }) };
    const reading = cutOff(completion, options.truncatedReplies) ?? readQuestion(player, topic, text);
    if (!reading.ok) return { ...proposal, question: null, refusal: { kind: "malformed", says: reading.reason } };
    const question = reading.value;
    const refused = (kind: Refusal["kind"]): Proposal => ({ ...proposal, question, refusal: { kind } });
    if (options.heldOutKeys.has(question.key)) return refused("held-out");
    if (options.seenKeys.has(question.key) || batchKeys.has(question.key)) return refused("duplicate");
    batchKeys.add(question.key);
    return { ...proposal, question, refusal: null };
  });
  return withoutSurplus(proposals, options);
}

/** The proposals with those good ones refused that the step has no room for. */
function withoutSurplus(
  proposals: readonly Proposal[],
  { accept, choose }: Pick<ProposeOptions, "accept" | "choose">,
): Proposal[] {
  const good = proposals.flatMap(({ question, refusal }, index) =>
    question === null || refusal !== null ? [] : [{ question, index }],
  );
  const questions = good.map(({ question }) => question);
  const chosen = choose?.(questions, accept) ?? [...questions.keys()].slice(0, accept);
  const kept = new Set(chosen.map((at) => good[at].index));
  return proposals.map((proposal, i) =>
    proposal.refusal !== null || kept.has(i) ? proposal : { ...proposal, refusal: { kind: "surplus" } },
  );
}

/** The topic's reading, refused where the engine could not take the question with its answer. */
function readQuestion(player: Player, topic: Topic, text: string): Reading<Question> {
  const reading = topic.readQuestion(text);
  if (!reading.ok) return reading;
  if (fitsPlayer(player, encodePrompt(player.tokenizer, topic.solvePrompt(reading.value)), topic.maxTokens.solve)) {
    return reading;
  }
  return refuse(`longer than the ${player.capabilities.maxSequenceTokens} tokens that the engine takes`);
}

/** An ask for all equal prompts, and which of its completions is each prompt's. */
function asksFor(
  prompts: readonly (readonly number[])[],
  seed: number,
): { readonly asks: Ask[]; readonly askOf: { readonly ask: number; readonly sample: number }[] } {
  const numbers = new Map<string, number>();
  const asks: Ask[] = [];
  const askOf = prompts.map((promptTokens) => {
    const name = promptTokens.join();
    const ask = numbers.get(name) ?? asks.length;
    numbers.set(name, ask);
    const sample = asks[ask]?.numSamples ?? 0;
    asks[ask] = { promptTokens, numSamples: sample + 1, seed: seedFrom(seed, ask), first: 0 };
    return { ask, sample };
  });
  return { asks, askOf };
}
