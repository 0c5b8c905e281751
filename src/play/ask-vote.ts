// One question asked many times, in all its forms, as `sqlm ask` does: answers, mapped onto the original, that may stop when their vote
// is decided.
import type { PlaySettings } from "../config/play.ts";
import type { Player } from "../engine/engine.ts";
import { seedFrom } from "../random.ts";
import type { Topic } from "../topics/topic.ts";
import type { Question } from "../types.ts";
import { encodePrompt, sample } from "./prompts.ts";
import { originalForm, readAnswer } from "./read-answer.ts";
import { answersToElect, firstLook, formVote } from "./voters.ts";

/** One form of the question with the answers to it, mapped back to the original. */
export interface AskedForm {
  readonly question: string;
  readonly values: readonly (string | null)[];
}

export interface AskVoteOptions {
  /** Answers in all, an equal share to each form; the first forms get one more where it does not divide. */
  readonly votes: number;
  readonly seed: number;
  /** Ask no more once the winner is decided, and whether all forms elect it. */
  readonly stop: boolean;
  readonly truncatedReplies: PlaySettings["truncatedReplies"];
}

/** Asks and reads. What stops early has the answers that come first in the whole vote, and its winner. */
export async function askVote(
  player: Player,
  topic: Topic,
  original: Question,
  { votes, seed, stop, truncatedReplies }: AskVoteOptions,
): Promise<AskedForm[]> {
  const { tokenizer } = player;
  const forms = [originalForm(original), ...(topic.restatements?.(original) ?? [])].slice(0, votes);
  const asked = forms.map((restatement, index) => ({
    restatement,
    promptTokens: encodePrompt(tokenizer, topic.solvePrompt(restatement.question)),
    limit: Math.ceil((votes - index) / forms.length),
    seed: seedFrom(seed, "ask", index),
    values: [] as (string | null)[],
  }));
  const limits = { maxTokens: topic.maxTokens.solve, stopText: topic.stopText?.solve };
  let wanted = asked.map(({ limit }) => (stop ? firstLook(limit) : limit));
  while (wanted.some((answers) => answers > 0)) {
    const open = asked.flatMap((form, i) => (wanted[i] > 0 ? [{ ...form, numSamples: wanted[i] }] : []));
    const asks = open.map(({ promptTokens, numSamples, seed, values }) => ({
      promptTokens,
      numSamples,
      seed,
      first: values.length,
    }));
    const rows = await sample(player, asks, { temperature: 1, topP: 1, topK: 0, ...limits });
    for (const [row, { values, restatement }] of open.entries()) {
      for (const completion of rows[row]) {
        values.push(readAnswer(tokenizer, topic, restatement, completion, truncatedReplies).value);
      }
    }
    wanted = stop ? answersToElect(asked.map(({ values, limit }) => formVote(values, limit))) : [];
  }
  return asked.map(({ restatement, values }) => ({ question: restatement.question.text, values }));
}
