// The solver's half of a step: samples a group of answers to every question, split over equivalent forms of it where the
// vote is to be consistent, and maps every answer onto the original question. Who is right is decided by verify/.

import type { PlaySettings } from "../config/play.ts";
import type { Ask, Player } from "../engine/engine.ts";
import { seedFrom } from "../random.ts";
import type { Topic } from "../topics/topic.ts";
import type { Answer, Group, Proposal, Question, Restatement } from "../types.ts";
import { sampleAnswers } from "./conclude.ts";
import { decodeCompletion, encodePrompt, fitsPlayer, type SamplingSettings, sample } from "./prompts.ts";
import { cutOff, originalForm } from "./read-answer.ts";
import { answersToAsk, earlyLook, formVote, type VoterSettings } from "./voters.ts";

export interface SolveOptions extends SamplingSettings {
  readonly truncatedReplies: PlaySettings["truncatedReplies"];
  /** Answers to each question. */
  readonly groupSize: number;
  /** Split each group over the forms of its question. */
  readonly consistentVote: boolean;
  /** Ask no more than decides what a group elects and whether it teaches (voters.ts); all where left out. */
  readonly stopVotes?: Pick<VoterSettings, "minAgreement"> | undefined;
  /** Keys of questions that evaluation keeps for itself: a restatement that happens to be one of them is left out. */
  readonly heldOutKeys: ReadonlySet<string>;
  readonly seed: number;
}

/**
 * Asks every proposal that was not refused; returns a group each, in proposal order, with answers in form order. With
 * `consistentVote` a group is split evenly over the original (form 0, which gets the larger share) and as many
 * restatements as leave two answers to each form. A question without restatements is put in its original form only.
 */
export async function solve(
  player: Player,
  topic: Topic,
  proposals: readonly Pick<Proposal, "question" | "refusal">[],
  options: SolveOptions,
): Promise<Group[]> {
  const asked = proposals.flatMap(({ question, refusal }, proposal) =>
    question !== null && refusal === null ? [{ proposal, question }] : [],
  );
  const questions = asked.map(({ question }) => question);
  const forms = options.consistentVote
    ? await equivalentForms(player, topic, questions, options)
    : questions.map((question) => [originalForm(question)]);
  const asks = forms.flatMap((ofQuestion, group) => {
    const limits = evenShares(options.groupSize, ofQuestion.length);
    return ofQuestion.map((restatement, form) => {
      const promptTokens = encodePrompt(player.tokenizer, topic.solvePrompt(restatement.question));
      const seed = seedFrom(options.seed, questions[group].key, form);
      return { promptTokens, seed, group, form, restatement, limit: limits[form], answers: [] as Answer[] };
    });
  });
  // Programs have no values to count: what they give is known only when they have run.
  const stop = topic.verification === "vote" ? options.stopVotes : undefined;
  let wanted = asks.map(({ limit, group }) => (stop === undefined ? limit : earlyLook(limit, forms[group].length)));
  // A round goes on where the one before ended: what comes is what one call for all would have given.
  while (wanted.some((more) => more > 0)) {
    await askRound(player, topic, asks, wanted, options);
    wanted = stop === undefined ? [] : stillToAsk(asks, stop);
  }
  const answers = Map.groupBy(asks, ({ group }) => group);
  return asked.map((group, index) => ({ ...group, answers: (answers.get(index) ?? []).flatMap((ask) => ask.answers) }));
}

/** Share of the answers that stopped votes did not ask, as a metric; none without a question. */
export function answersSaved(groups: readonly Pick<Group, "answers">[], groupSize: number): Record<string, number> {
  if (groups.length === 0) return {};
  const asked = groups.reduce((sum, { answers }) => sum + answers.length, 0);
  return { answersSaved: 1 - asked / (groups.length * groupSize) };
}

/** One form of a question with the answers to it so far. */
interface FormAsk extends Pick<Ask, "promptTokens" | "seed"> {
  readonly group: number;
  readonly form: number;
  readonly restatement: Restatement;
  /** Answers in all, where nothing stops the vote. */
  readonly limit: number;
  readonly answers: Answer[];
}

/** Asks each form for so many more answers, in one call, and adds them. */
async function askRound(
  player: Player,
  topic: Topic,
  forms: readonly FormAsk[],
  wanted: readonly number[],
  options: SolveOptions,
): Promise<void> {
  const open = forms.flatMap((form, i) => (wanted[i] > 0 ? [{ form, numSamples: wanted[i] }] : []));
  const asks = open.map(({ form: { promptTokens, seed, answers, restatement }, numSamples }) => ({
    ...{ promptTokens, seed, numSamples },
    first: answers.length,
    form: restatement,
  }));
  const rows = await sampleAnswers(player, topic, asks, options);
  for (const [row, { form: ask }] of open.entries()) {
    const { promptTokens, form, answers } = ask;
    for (const answer of rows[row]) answers.push({ promptTokens, ...answer, form });
  }
}

/** Answers that each form still needs before its question is settled. */
function stillToAsk(forms: readonly FormAsk[], { minAgreement }: Pick<VoterSettings, "minAgreement">): number[] {
  const wanted = new Map<FormAsk, number>();
  for (const ofQuestion of Map.groupBy(forms, ({ group }) => group).values()) {
    const votes = ofQuestion.map(({ answers, limit }) =>
      formVote(
        answers.map(({ value }) => value),
        limit,
      ),
    );
    const more = answersToAsk(votes, { minAgreement, completeDisputed: true });
    for (const [i, form] of ofQuestion.entries()) wanted.set(form, more[i]);
  }
  return forms.map((form) => wanted.get(form) ?? 0);
}

/** `total` in `parts` whole shares that differ by one at most, larger ones first. */
function evenShares(total: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, part) => Math.floor(total / parts) + (part < total % parts ? 1 : 0));
}

/** The forms in which each question is put, the original first. */
async function equivalentForms(
  player: Player,
  topic: Topic,
  questions: readonly Question[],
  options: SolveOptions,
): Promise<Restatement[][]> {
  // One answer is no vote: each form needs two.
  const most = Math.max(1, Math.floor(options.groupSize / 2));
  const forms = questions.map((question) =>
    distinctForms(player, topic, question, topic.restatements?.(question) ?? [], options.heldOutKeys),
  );
  if (topic.paraphrase !== undefined && most > 1) {
    const unsplit = [...forms.keys()].filter((index) => forms[index].length === 1);
    const asked = unsplit.map((index) => questions[index]);
    const paraphrases = await paraphraseEach(player, topic, topic.paraphrase, asked, options);
    for (const [i, index] of unsplit.entries()) {
      const paraphrase = paraphrases[i];
      if (paraphrase === null) continue;
      forms[index] = distinctForms(player, topic, questions[index], [originalForm(paraphrase)], options.heldOutKeys);
    }
  }
  return forms.map((ofQuestion) => ofQuestion.slice(0, most));
}

/** The original and those restatements that are another text, are not held out, and fit the engine. */
function distinctForms(
  player: Player,
  topic: Topic,
  question: Question,
  restatements: readonly Restatement[],
  heldOutKeys: ReadonlySet<string>,
): Restatement[] {
  const forms = [originalForm(question)];
  for (const restatement of restatements) {
    if (heldOutKeys.has(restatement.question.key)) continue;
    const tokens = encodePrompt(player.tokenizer, topic.solvePrompt(restatement.question));
    const isNew = forms.every((form) => form.question.text !== restatement.question.text);
    if (isNew && fitsPlayer(player, tokens, topic.maxTokens.solve)) forms.push(restatement);
  }
  return forms;
}

/** One paraphrase by the model itself for each question; null where it is unreadable. */
async function paraphraseEach(
  player: Player,
  topic: Topic,
  paraphrase: NonNullable<Topic["paraphrase"]>,
  questions: readonly Question[],
  options: SolveOptions,
): Promise<(Question | null)[]> {
  // A paraphrase is a question, so it may be as long as one.
  const maxTokens = topic.maxTokens.propose;
  const prompts = questions.map((question) => encodePrompt(player.tokenizer, paraphrase.prompt(question)));
  const fitting = [...prompts.keys()].filter((index) => fitsPlayer(player, prompts[index], maxTokens));
  const asks = fitting.map((index) => ({
    promptTokens: prompts[index],
    numSamples: 1,
    seed: seedFrom(options.seed, "paraphrase", questions[index].key),
    first: 0,
  }));
  const rows = await sample(player, asks, { ...options, maxTokens, stopText: topic.stopText?.propose });
  const paraphrases: (Question | null)[] = questions.map(() => null);
  for (const [row, index] of fitting.entries()) {
    const [completion] = rows[row];
    const text = decodeCompletion(player.tokenizer, completion);
    const reading = cutOff(completion, options.truncatedReplies) ?? paraphrase.read(text, questions[index]);
    if (reading.ok) paraphrases[index] = reading.value;
  }
  return paraphrases;
}
