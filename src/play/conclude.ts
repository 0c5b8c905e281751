// Answers that were not said: a reply in which none can be read is gone on with, by a few words of the topic's own, and the model says its
// answer behind them (the second of the two prompts of Kojima et al. 2022, arXiv 2205.11916; at the longest length, Muennighoff et al.
// 2025, arXiv 2501.19393).
import type { Ask, Player, SampleOptions } from "../engine/engine.ts";
import { seedFrom } from "../random.ts";
import type { Conclusion, Topic } from "../topics/topic.ts";
import type { Answer, Completion, Restatement } from "../types.ts";
import { decodeCompletion, fitsPlayer, type SamplingSettings, sample, stopTokens } from "./prompts.ts";
import { type ReadSettings, readAnswer } from "./read-answer.ts";

/** A completion, or what an evaluation keeps of one. */
type Reply = Pick<Completion, "tokens" | "stopReason">;

/** A reply, and what became of it. */
export interface Concluded<Of extends Reply> {
  readonly reply: Of;
  /** With the conclusion and what the model said behind it, where it was gone on with; else the reply. */
  readonly whole: Reply;
  /** How many tokens of `whole` are the reply's. */
  readonly from: number;
}

/** Who samples replies: a player, or one that knows some of them already. */
interface Sampler<Of extends Reply> extends Pick<Player, "capabilities" | "tokenizer"> {
  sample(asks: readonly Ask[], options: SampleOptions): Promise<Of[][]>;
}

/** An answer to this form is asked for. */
export interface AnswerAsk extends Ask {
  readonly form: Restatement;
}

/** What is known of an answer beside the question that it is to: the completion as it was sampled, and what was read from it. */
type SampledAnswer = Completion & Pick<Answer, "text" | "value" | "reason" | "askedFor">;

/**
 * Samples answers to forms of questions, as [ask][sample], and reads them. One that its reply did not say is asked for; the completion
 * is the reply alone, for that is what the model chose to say.
 */
export async function sampleAnswers(
  player: Player,
  topic: Topic,
  asks: readonly AnswerAsk[],
  options: SamplingSettings & ReadSettings,
): Promise<SampledAnswer[][]> {
  const { tokenizer } = player;
  const limits = { maxTokens: topic.maxTokens.solve, stopText: topic.stopText?.solve };
  const rows = await sample(player, asks, { ...options, ...limits });
  const read = (reply: Reply, ask: number) =>
    readAnswer(tokenizer, topic, asks[ask].form, reply, options.truncatedReplies);
  const saysOne = (reply: Completion, ask: number): boolean => read(reply, ask).value !== null;
  const concluded = await concludeReplies(player, topic.conclusion, { asks, rows, saysOne }, options);
  return concluded.map((row, ask) =>
    row.map(({ reply, whole, from }): SampledAnswer => {
      const answer = { ...reply, ...read(whole, ask) };
      if (whole === reply || answer.value === null) return answer;
      const rest = decodeCompletion(tokenizer, { tokens: whole.tokens.slice(from) });
      return { ...answer, askedFor: true, reason: `asked for: …${rest}` };
    }),
  );
}

/**
 * Replies that ended without saying an answer, or were cut off before it, go on with the conclusion and what the model says behind it.
 * What a reply becomes depends on its ask, its place among the ask's samples and itself, not on what is asked with it. One that leaves no room
 * stays as it is.
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
  const concluded = rows.map((row) =>
    row.map((reply): Concluded<Of> => ({ reply, whole: reply, from: reply.tokens.length })),
  );
  if (conclusion === undefined) return concluded;
  const open = rows.flatMap((row, ask) =>
    row.flatMap((reply, place) => {
      if (saysOne(reply, ask)) return [];
      const { said, opening } = openConclusion(sampler, conclusion, reply);
      const promptTokens = [...asks[ask].promptTokens, ...said, ...opening];
      if (!fitsPlayer(sampler, promptTokens, conclusion.maxTokens)) return [];
      const seed = seedFrom(asks[ask].seed, "conclude", asks[ask].first + place);
      return [{ ask, place, reply, said, opening, asked: { promptTokens, seed, numSamples: 1, first: 0 } }];
    }),
  );
  if (open.length === 0) return concluded;
  const { temperature = 1, topP, topK } = sampling;
  const drawn = { temperature, ...(topP !== undefined && { topP }), ...(topK !== undefined && { topK }) };
  const stop = stopTokens(sampler.tokenizer, conclusion.stopText);
  const ends = await sampler.sample(
    open.map(({ asked }) => asked),
    { ...drawn, maxTokens: conclusion.maxTokens, stop },
  );
  for (const [i, { ask, place, reply, said, opening }] of open.entries()) {
    const [{ tokens, stopReason }] = ends[i];
    const whole = { tokens: [...said, ...opening, ...tokens], stopReason };
    concluded[ask][place] = { reply, whole, from: said.length };
  }
  return concluded;
}

/** What of the reply stays, without its end, and the tokens that go on from it. */
function openConclusion(
  { tokenizer }: Pick<Player, "tokenizer">,
  { text }: Conclusion,
  { tokens }: Reply,
): { readonly said: readonly number[]; readonly opening: readonly number[] } {
  const ended = tokens.length > 0 && tokenizer.endTokens.includes(tokens[tokens.length - 1]);
  const said = ended ? tokens.slice(0, -1) : tokens;
  const before = decodeCompletion(tokenizer, { tokens });
  return { said, opening: tokenizer.encode(before === "" || /\s$/.test(before) ? text.trimStart() : text) };
}
