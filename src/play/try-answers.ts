// Has a model try answers the other way round: what a topic asks for that (`Topic.inverseCheck`) is answered by a vote of the same model.
// What becomes of the vote is verify/inverse.ts.
import type { PlaySettings } from "../config/play.ts";
import type { Player } from "../engine/engine.ts";
import { countVotes, strictWinner } from "../plurality.ts";
import { seedFrom } from "../random.ts";
import type { Topic } from "../topics/topic.ts";
import type { Answer, Group, InverseCheck, Tried } from "../types.ts";
import { type AnswerAsk, sampleAnswers } from "./conclude.ts";
import { encodePrompt, fitsPlayer, type SamplingSettings } from "./prompts.ts";
import { originalForm } from "./read-answer.ts";

export interface TryOptions extends SamplingSettings, Pick<PlaySettings, "inverseAnswers" | "truncatedReplies"> {
  readonly seed: number;
}

/** No more values of a group are tried than these, the most frequent. */
const mostTried = 3;

/** The values that are worth trying: those with two votes or more, where answers differ. Where all are the same there is nothing to teach. */
export function valuesToTry(answers: readonly Pick<Answer, "value">[]): string[] {
  const counts = countVotes(answers.map(({ value }) => value));
  if (counts[0]?.[1] === answers.length) return [];
  return counts
    .filter(([, votes]) => votes > 1)
    .slice(0, mostTried)
    .map(([value]) => value);
}

/** A value that is tried, and where the prompts of its check begin among all. */
interface Trial extends InverseCheck {
  readonly group: number;
  readonly value: string;
  readonly from: number;
}

/**
 * For each group the values of its answers that were tried, with what came of it; none where the topic has no check of them. Undefined where
 * no check is asked for.
 */
export async function tryAnswers(
  player: Player,
  topic: Topic,
  groups: readonly Group[],
  options: TryOptions,
): Promise<Tried[] | undefined> {
  if (options.inverseAnswers === 0 || topic.inverseCheck === undefined) return undefined;
  const trials: Trial[] = [];
  const asks: AnswerAsk[] = [];
  for (const [group, { question, answers }] of groups.entries()) {
    for (const value of valuesToTry(answers)) {
      const check = topic.inverseCheck?.(question, value) ?? null;
      if (check === null) continue;
      const prompts = check.prompts.map((prompt) => encodePrompt(player.tokenizer, prompt));
      if (!prompts.every((tokens) => fitsPlayer(player, tokens, topic.maxTokens.solve))) continue;
      trials.push({ ...check, group, value, from: asks.length });
      for (const [i, promptTokens] of prompts.entries()) {
        const seed = seedFrom(options.seed, question.key, value, i);
        asks.push({ promptTokens, numSamples: options.inverseAnswers, seed, first: 0, form: originalForm(question) });
      }
    }
  }
  const rows = await sampleAnswers(player, topic, asks, options);
  const tried = groups.map(() => new Map<string, boolean>());
  for (const { group, value, from, prompts, expected } of trials) {
    const winners = prompts.map((_, i) => strictWinner(countVotes(rows[from + i].map(({ value }) => value))));
    const wanted = expected ?? winners[0];
    tried[group].set(value, wanted !== null && winners.every((winner) => winner === wanted));
  }
  return tried;
}
