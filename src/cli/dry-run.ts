// A topic tried on a few replies: what it reads, why not the rest, and every mistake in it that shows. No model is trained and
// nothing is recorded; where the replies come from, and how this is shown, is the check command's.
import { TopicError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { refuse } from "../reading.ts";
import type { DefinedTopic, HiddenTruth } from "../topics/define-topic.ts";
import type { Topic } from "../topics/topic.ts";
import type { Prompt, Question, Reading, Restatement } from "../types.ts";

/** A reply to try. */
export interface GivenAnswer {
  readonly reply: string;
  /** Why it is not even read: it was cut off. */
  readonly refused?: string;
}

/** A proposer's reply, with replies of solvers to the question in it. */
export interface GivenReply extends GivenAnswer {
  readonly answers?: readonly GivenAnswer[];
}

export interface TriedAnswer {
  readonly reply: string;
  readonly value: string | null;
  /** Why there is no value. */
  readonly reason: string | null;
  /** The value as an answer to the original question, had it been given to each restatement. */
  readonly toOriginal: readonly (string | null)[];
  /** What the hidden checker says; null where there is none. */
  readonly right: boolean | null;
}

interface TriedReply {
  readonly reply: string;
  readonly question: Question | null;
  /** Why there is no question, or why it would not be asked. */
  readonly reason: string | null;
  readonly solvePrompt: Prompt | null;
  readonly restatements: readonly { readonly text: string; readonly solvePrompt: Prompt | null }[];
  readonly answers: readonly TriedAnswer[];
}

export interface DryRun {
  readonly proposePrompt: Prompt | null;
  readonly replies: readonly TriedReply[];
  readonly heldOut: readonly { readonly difficulty: number; readonly questions: number; readonly first: string }[];
  /** Sentences that name what is wrong with the topic itself. */
  readonly mistakes: readonly string[];
}

export interface DryRunSource {
  /** Replies of a proposer to its prompt; null where that could not be made. */
  replies(prompt: Prompt | null): Promise<readonly GivenReply[]>;
  /** More replies of a solver to the question, beside those that came with the proposer's. */
  answers(question: Question, prompt: Prompt | null): Promise<readonly GivenAnswer[]>;
}

/** Held-out questions that are asked for, a level. */
const heldOutCount = 20;

/** Calls every function of the topic. Throws only what is no mistake of the topic: an engine's errors, for example. */
export async function dryRun({ topic, hidden }: DefinedTopic, source: DryRunSource): Promise<DryRun> {
  const mistakes = new Set<string>();
  /** The function's value, or null where it is wrong, which is noted. */
  const attempt = <Value>(call: () => Value): Value | null => {
    try {
      return call();
    } catch (error) {
      note(error);
      return null;
    }
  };
  const note = (error: unknown): void => {
    if (!(error instanceof TopicError)) throw error;
    mistakes.add(error.message);
  };

  const tryAnswer = async (
    { reply, refused }: GivenAnswer,
    question: Question,
    forms: readonly Restatement[],
  ): Promise<TriedAnswer> => {
    const reading = refused === undefined ? attempt(() => topic.readAnswer(reply, question)) : refuse(refused);
    const value = reading?.ok === true ? reading.value : null;
    const toOriginal = forms.map((form) => (value === null ? null : attempt(() => form.toOriginal(value))));
    let right: boolean | null = null;
    // A checker of programs runs them, which a dry run does not.
    if (value !== null && hidden !== null && topic.verification === "vote") {
      try {
        right = await hidden.check(question, value);
      } catch (error) {
        note(error);
      }
    }
    return { reply, value, reason: reasonOf(reading), toOriginal, right };
  };

  const keys = new Map<string, number>();
  const tryReply = async ({ reply, refused, answers = [] }: GivenReply, index: number): Promise<TriedReply> => {
    const reading = refused === undefined ? attempt(() => topic.readQuestion(reply)) : refuse(refused);
    if (reading?.ok !== true) {
      const reason = reasonOf(reading);
      return { reply, question: null, reason, solvePrompt: null, restatements: [], answers: [] };
    }
    const question = reading.value;
    const earlier = keys.get(question.key);
    if (earlier === undefined) keys.set(question.key, index);
    const solvePrompt = attempt(() => topic.solvePrompt(question));
    const forms = attempt(() => topic.restatements?.(question) ?? []) ?? [];
    const tried: TriedAnswer[] = [];
    for (const answer of [...answers, ...(await source.answers(question, solvePrompt))]) {
      tried.push(await tryAnswer(answer, question, forms));
    }
    return {
      reply,
      question,
      reason: earlier === undefined ? null : `asks the same as reply ${earlier + 1}: their keys are equal`,
      solvePrompt,
      restatements: forms.map((form) => ({
        text: form.question.text,
        solvePrompt: attempt(() => topic.solvePrompt(form.question)),
      })),
      answers: tried,
    };
  };

  const proposePrompt = attempt(() => topic.proposePrompt({ random: randomStream("check"), recent: [] }));
  const replies: TriedReply[] = [];
  for (const [index, given] of (await source.replies(proposePrompt)).entries())
    replies.push(await tryReply(given, index));

  const heldOut = hidden === null ? [] : tryHeldOut(topic, hidden, attempt, (mistake) => mistakes.add(mistake));
  return { proposePrompt, replies, heldOut, mistakes: [...mistakes] };
}

/** Draws held-out questions of every level twice: equal streams must give equal questions. */
function tryHeldOut(
  topic: Topic,
  hidden: HiddenTruth,
  attempt: <Value>(call: () => Value) => Value | null,
  note: (mistake: string) => void,
): DryRun["heldOut"] {
  return hidden.levels.flatMap((difficulty) => {
    const draw = (): readonly Question[] | null =>
      attempt(() => hidden.heldOut(difficulty, heldOutCount, randomStream("check", difficulty)));
    const [questions, again] = [draw(), draw()];
    if (questions === null || again === null) return [];
    if (JSON.stringify(questions) !== JSON.stringify(again)) {
      note(
        `hidden.heldOut gave different questions of difficulty ${difficulty} when it was called twice: draw with the \`random\` that it is given.`,
      );
    }
    for (const question of questions) attempt(() => topic.solvePrompt(question));
    return [{ difficulty, questions: questions.length, first: questions[0].text }];
  });
}

function reasonOf(reading: Reading<unknown> | null): string | null {
  if (reading === null) return "a mistake in the topic, see below";
  return reading.ok ? null : reading.reason;
}
