// Has a model try answers the other way round: what a topic asks for that (`Topic.inverseCheck`) is answered by a vote of the same model.
// What becomes of the vote is verify/inverse.ts.
import type { PlaySettings } from "../config/play.ts";
import type { Player } from "../engine/engine.ts";
import { countVotes, strictWinner } from "../plurality.ts";
import { seedFrom } from "../random.ts";
import type { Topic } from "../topics/topic.ts";
import type { Answer, Group, InverseCheck, Question, Tried } from "../types.ts";
import { type AnswerAsk, sampleAnswers } from "./conclude.ts";
import { encodePrompt, fitsPlayer, type SamplingSettings } from "./prompts.ts";
import { originalForm } from "./read-answer.ts";

export interface TryOptions extends SamplingSettings, Pick<PlaySettings, "inverseAnswers" | "truncatedReplies"> {
  readonly seed: number;
}

/** No more values of a group are tried at once than these, the most frequent. */
const mostTried = 3;
/** No more of the others, where none of those holds. */
const mostOthers = 6;

/**
 * The values that are worth trying: first those with two votes or more, then, where none of these holds, the others. Where all answers are
 * the same there is nothing to teach. What one answer in sixteen says may be right, and is worth most to whoever is taught it
 * (docs/decisions/0107).
 */
export function valuesToTry(answers: readonly Pick<Answer, "value">[]): { first: string[]; others: string[] } {
  const counts = countVotes(answers.map(({ value }) => value));
  if (counts[0]?.[1] === answers.length) return { first: [], others: [] };
  const first = counts.filter(([, votes]) => votes > 1).slice(0, mostTried);
  const others = counts.slice(first.length, first.length + mostOthers);
  return { first: first.map(([value]) => value), others: others.map(([value]) => value) };
}

/** A value that is tried, and which asks are its prompts. */
interface Trial extends Pick<InverseCheck, "expected"> {
  readonly group: number;
  readonly value: string;
  readonly asked: readonly number[];
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
  const toTry = groups.map(({ answers }) => valuesToTry(answers));
  const first = await tryValues(
    player,
    topic,
    groups.map((group, i) => ({ ...group, values: toTry[i].first })),
    options,
  );
  const holds = (tried: Tried): boolean => [...tried.values()].includes(true);
  const others = await tryValues(
    player,
    topic,
    groups.map((group, i) => ({ ...group, values: holds(first[i]) ? [] : toTry[i].others })),
    { ...options, unanimous: true },
  );
  return first.map((tried, i) => new Map([...tried, ...others[i]]));
}

/** The value that strictly most answers gave; where they must be unanimous, the one that all gave. */
function electedBy(answers: readonly Pick<Answer, "value">[], unanimous: boolean): string | null {
  const counts = countVotes(answers.map(({ value }) => value));
  return unanimous && counts[0]?.[1] !== answers.length ? null : strictWinner(counts);
}

/**
 * Tries these values of the groups, all at once. A value without a check is left out. `unanimous`: all answers to a check must say the
 * same; of many values that one answer gave some other one holds by mistake.
 */
async function tryValues(
  player: Player,
  topic: Topic,
  groups: readonly (Group & { readonly values: readonly string[] })[],
  options: TryOptions & { readonly unanimous?: boolean },
): Promise<Tried[]> {
  const trials: Trial[] = [];
  const asks: Omit<AnswerAsk, "numSamples" | "first">[] = [];
  // What a story says from its known end is the same for all of its answers, and asked once.
  const known = new Map<string, number>();
  const askedAt = (question: Question, promptTokens: readonly number[]): number => {
    const name = `${question.key} ${promptTokens.join()}`;
    const index = known.get(name) ?? asks.length;
    known.set(name, index);
    const seed = seedFrom(options.seed, name);
    asks[index] ??= { promptTokens, seed, form: originalForm(question) };
    return index;
  };
  for (const [group, { question, values }] of groups.entries()) {
    for (const value of values) {
      const check = topic.inverseCheck?.(question, value) ?? null;
      if (check === null) continue;
      const prompts = check.prompts.map((prompt) => encodePrompt(player.tokenizer, prompt));
      if (!prompts.every((tokens) => fitsPlayer(player, tokens, topic.maxTokens.solve))) continue;
      trials.push({
        group,
        value,
        expected: check.expected,
        asked: prompts.map((tokens) => askedAt(question, tokens)),
      });
    }
  }
  const tried = groups.map(() => new Map<string, boolean>());
  if (asks.length === 0) return tried;
  const unanimous = options.unanimous === true;
  const rows = asks.map((): Pick<Answer, "value">[] => []);
  const askMore = async (indices: readonly number[], numSamples: number): Promise<void> => {
    const more = indices.map((index) => ({ ...asks[index], numSamples, first: rows[index].length }));
    const answers = numSamples === 0 ? [] : await sampleAnswers(player, topic, more, options);
    for (const [i, row] of answers.entries()) rows[indices[i]].push(...row);
  };
  const holds = ({ asked, expected }: Trial): boolean => {
    const winners = asked.map((ask) => electedBy(rows[ask], unanimous));
    const wanted = expected ?? winners[0];
    return wanted !== null && winners.every((winner) => winner === wanted);
  };
  // Where all must agree the first answers refuse most values, and the rest need not be asked.
  if (unanimous) await askMore([...asks.keys()], 1);
  const open = unanimous ? trials.filter(holds) : trials;
  await askMore([...new Set(open.flatMap(({ asked }) => asked))], options.inverseAnswers - (unanimous ? 1 : 0));
  for (const trial of trials) tried[trial.group].set(trial.value, holds(trial));
  return tried;
}
