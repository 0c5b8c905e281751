// Answers that were not said: a reply that ended by itself and says nothing that can be read is gone on with, by a few words of the
// topic's own, and the model says its answer behind them (the second of the two prompts of Kojima et al. 2022, arXiv 2205.11916).
import type { Ask, Player, SampleOptions } from "../engine/engine.ts";
import { seedFrom } from "../random.ts";
import type { Conclusion, Topic } from "../topics/topic.ts";
import type { Answer, Completion, Restatement } from "../types.ts";
import { decodeCompletion, fitsPlayer, type SamplingSettings, sample, stopTokens } from "./prompts.ts";
import { type ReadSettings, readAnswer } from "./read-answer.ts";

/** A completion, or what an evaluation keeps of one. */
type Reply = Pick<Completion, "tokens" | "stopReason"> & Partial<Pick<Completion, "logprobs">>;

/** A reply, concluded or not. */
export type Concluded<Of extends Reply> = Of & Pick<Answer, "inserted">;

/** Who samples replies: a player, or one that knows some of them already. */
interface Sampler<Of extends Reply> extends Pick<Player, "capabilities" | "tokenizer"> {
  sample(asks: readonly Ask[], options: SampleOptions): Promise<Of[][]>;
}

/** An answer to this form is asked for. */
export interface AnswerAsk extends Ask {
  readonly form: Restatement;
}

/** Samples answers to forms of questions, as [ask][sample], and concludes those that do not say one. */
export async function sampleAnswers(
  player: Player,
  topic: Topic,
  asks: readonly AnswerAsk[],
  options: SamplingSettings & ReadSettings,
): Promise<Concluded<Completion>[][]> {
  const limits = { maxTokens: topic.maxTokens.solve, stopText: topic.stopText?.solve };
  const rows = await sample(player, asks, { ...options, ...limits });
  const saysOne = (reply: Completion, ask: number): boolean =>
    readAnswer(player.tokenizer, topic, asks[ask].form, reply, options.truncatedReplies).value !== null;
  return concludeReplies(player, topic.conclusion, { asks, rows, saysOne }, options);
}

/**
 * The same replies, but for those that ended by themselves without saying an answer: these go on with the conclusion and what the model
 * says behind it. What a reply becomes depends on its ask, its place among the ask's samples and itself, not on what is asked with it.
 * One that leaves no room stays as it is.
 */
export async function concludeReplies<Of extends Reply>(
  sampler: Sampler<Of>,
  conclusion: Conclusion | undefined,
  {
    asks,
    rows,
    saysOne,
  }: {
    readonly asks: readonly Ask[];
    readonly rows: readonly (readonly Of[])[];
    readonly saysOne: (reply: Of, ask: number) => boolean;
  },
  sampling: Partial<SamplingSettings>,
): Promise<Concluded<Of>[][]> {
  const concluded: Concluded<Of>[][] = rows.map((row) => [...row]);
  if (conclusion === undefined) return concluded;
  const { tokenizer } = sampler;
  const open = rows.flatMap((row, ask) =>
    row.flatMap((reply, place) => {
      if (reply.stopReason !== "stop" || saysOne(reply, ask)) return [];
      const opened = openConclusion(sampler, conclusion, reply);
      const promptTokens = [...asks[ask].promptTokens, ...opened.said, ...opened.inserted];
      if (!fitsPlayer(sampler, promptTokens, conclusion.maxTokens)) return [];
      const seed = seedFrom(asks[ask].seed, "conclude", asks[ask].first + place);
      return [{ ask, place, reply, ...opened, promptTokens, seed, numSamples: 1, first: 0 }];
    }),
  );
  if (open.length === 0) return concluded;
  const { temperature = 1, topP, topK } = sampling;
  const drawn = { temperature, ...(topP !== undefined && { topP }), ...(topK !== undefined && { topK }) };
  const stop = stopTokens(tokenizer, conclusion.stopText);
  const ends = await sampler.sample(
    open.map(({ promptTokens, numSamples, seed, first }) => ({ promptTokens, numSamples, seed, first })),
    { ...drawn, maxTokens: conclusion.maxTokens, stop },
  );
  for (const [i, { ask, place, reply, said, inserted }] of open.entries()) {
    concluded[ask][place] = joined(reply, said, inserted, ends[i][0]);
  }
  return concluded;
}

/** What of the reply stays, without its end, and the tokens that go on from it. */
function openConclusion(
  { tokenizer }: Pick<Player, "tokenizer">,
  { text }: Conclusion,
  { tokens }: Pick<Reply, "tokens">,
): { readonly said: readonly number[]; readonly inserted: readonly number[] } {
  const ended = tokens.length > 0 && tokenizer.endTokens.includes(tokens[tokens.length - 1]);
  const said = ended ? tokens.slice(0, -1) : tokens;
  const before = decodeCompletion(tokenizer, { tokens });
  return { said, inserted: tokenizer.encode(before === "" || /\s$/.test(before) ? text.trimStart() : text) };
}

function joined<Of extends Reply>(
  reply: Of,
  said: readonly number[],
  inserted: readonly number[],
  end: Of,
): Concluded<Of> {
  const tokens = [...said, ...inserted, ...end.tokens];
  const logprobs =
    reply.logprobs === undefined || end.logprobs === undefined
      ? {}
      : { logprobs: [...reply.logprobs.slice(0, said.length), ...inserted.map(() => 0), ...end.logprobs] };
  return { ...end, ...logprobs, tokens, inserted: [said.length, said.length + inserted.length] };
}
