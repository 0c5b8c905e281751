// An exam: questions put to a model, and its answers judged against what is known to be right. The loop's held-out evaluation and
// benchmarks are both exams. It reads the truth, so nothing here may be imported by what makes rewards.
import type { Ask, Player, SampleOptions } from "../engine/engine.ts";
import { UnsupportedError } from "../errors.ts";
import { concludeReplies } from "../play/conclude.ts";
import { encodePrompt, fitsPlayer, stopTokens } from "../play/prompts.ts";
import { countVotes, strictWinner } from "../plurality.ts";
import { seedFrom } from "../random.ts";
import type { Conclusion } from "../topics/topic.ts";
import type { Answer, Completion, Prompt, Question } from "../types.ts";
import { checkOnce } from "./check-once.ts";
import { clusteredInterval, mean, passAtK, wilsonInterval } from "./statistics.ts";

/** What an exam keeps of a completion. */
export type Reply = Pick<Completion, "tokens" | "stopReason">;

/** Who is examined: a player, or one whose replies are partly known already. */
export interface Examinee extends Pick<Player, "capabilities" | "tokenizer"> {
  /** Replies as [ask][sample]. */
  sample(asks: readonly Ask[], options: SampleOptions): Promise<Reply[][]>;
  /** How many replies were sampled, not known; all where left out. */
  readonly sampled?: number;
}

/** What it takes to put questions to a model and to judge what it says. */
export interface Exam {
  readonly questions: readonly Question[];
  /** Longest answer, in tokens. */
  readonly maxTokens: number;
  /** Text that ends an answer, as the model's own end does. */
  readonly stopText?: string | undefined;
  /** What a reply goes on with that says no answer. */
  readonly conclusion?: Conclusion | undefined;
  prompt(question: Question): Prompt;
  /** Reads a reply into a canonical answer; `value` null and a reason where it has none. */
  read(reply: Reply, question: Question): Pick<Answer, "text" | "value" | "reason">;
  /** Whether an answer is right; `text` is one that `value` was read from. */
  check(question: Question, answer: { readonly value: string; readonly text: string }): boolean | Promise<boolean>;
  /** Whether equal answers are equal texts, so that a vote can be counted. */
  readonly votes: boolean;
}

export interface ExamOptions {
  /** Answers to each question at temperature 1; 0 asks for the most likely answer only. */
  readonly samples: number;
  readonly seed: number;
  /**
   * Questions that are asked together at least, and how many seconds that should take: more are asked at a time where it takes less.
   * Fewer would take a large model little less time. All at once where left out. What a model answers does not depend on it.
   */
  readonly pace?: { readonly questions: number; readonly seconds: number };
  /** Called when questions are judged, with all that are. */
  readonly onJudged?: (outcomes: readonly QuestionOutcome[]) => void;
}

interface JudgedAnswer extends Pick<Answer, "text" | "value" | "reason"> {
  readonly right: boolean;
  /** It ended at its longest length. */
  readonly cutOff: boolean;
}

/** A question with all that was answered to it. */
export interface QuestionOutcome {
  readonly question: Question;
  /** At temperature 1. Empty where the prompt leaves no room for an answer, which counts as wrong. */
  readonly sampled: readonly JudgedAnswer[];
  /** The most likely answer; null where there was no room. */
  readonly greedy: JudgedAnswer | null;
  /** Whether the plurality of `sampled` is right; a tie is not. Null where nothing can be voted on. */
  readonly voteRight: boolean | null;
}

/**
 * Puts every question to the model and judges its answers, in the exam's order. Throws UnsupportedError where no question leaves room
 * for an answer.
 */
export async function holdExam(examinee: Examinee, exam: Exam, options: ExamOptions): Promise<QuestionOutcome[]> {
  const { questions } = exam;
  const outcomes: QuestionOutcome[] = [];
  let together = Math.max(1, options.pace?.questions ?? questions.length);
  while (outcomes.length < questions.length) {
    const [began, sampled] = [performance.now(), examinee.sampled];
    const asked = questions.slice(outcomes.length, outcomes.length + together);
    outcomes.push(...(await askTogether(examinee, exam, asked, options)));
    const seconds = (performance.now() - began) / 1000;
    // What was known already says nothing of how long it takes.
    const measured = sampled === undefined || examinee.sampled !== sampled;
    if (options.pace !== undefined && measured) {
      if (seconds < options.pace.seconds / 2) together *= 2;
      else if (seconds > options.pace.seconds) together = Math.max(options.pace.questions, Math.ceil(together / 2));
    }
    options.onJudged?.(outcomes);
  }
  if (outcomes.length > 0 && outcomes.every(({ greedy }) => greedy === null)) {
    throw new UnsupportedError(
      `No question leaves room for an answer of ${exam.maxTokens} tokens: the model takes ${examinee.capabilities.maxSequenceTokens} tokens, or knows no character of the questions.`,
      "Use a model with more positions, or ask for shorter answers.",
    );
  }
  return outcomes;
}

async function askTogether(
  examinee: Examinee,
  exam: Exam,
  questions: readonly Question[],
  { samples, seed }: ExamOptions,
): Promise<QuestionOutcome[]> {
  const prompts = questions.map((question) => encodePrompt(examinee.tokenizer, exam.prompt(question)));
  const asked = [...prompts.keys()].filter((index) => fitsPlayer(examinee, prompts[index], exam.maxTokens));
  const ask = async (numSamples: number, temperature: number, drawn: number): Promise<Map<number, Reply[]>> => {
    if (asked.length === 0 || numSamples === 0) return new Map();
    const asks = asked.map((index) => ({
      promptTokens: prompts[index],
      numSamples,
      seed: seedFrom(drawn, questions[index].key),
      first: 0,
    }));
    const options = { maxTokens: exam.maxTokens, temperature, stop: stopTokens(examinee.tokenizer, exam.stopText) };
    const replies = await concludeReplies(
      examinee,
      exam.conclusion,
      {
        asks,
        rows: await examinee.sample(asks, options),
        saysOne: (reply, row) => exam.read(reply, questions[asked[row]]).value !== null,
      },
      { temperature },
    );
    return new Map(asked.map((index, row) => [index, replies[row].map(({ whole }) => whole)]));
  };
  const sampled = await ask(samples, 1, seed);
  const greedy = await ask(1, 0, 0);
  return Promise.all(
    questions.map((question, index) =>
      judgeQuestion(exam, question, sampled.get(index) ?? [], greedy.get(index)?.[0] ?? null),
    ),
  );
}

async function judgeQuestion(
  exam: Exam,
  question: Question,
  sampled: readonly Reply[],
  greedy: Reply | null,
): Promise<QuestionOutcome> {
  const isRight = checkOnce<Pick<Answer, "value" | "text">>(({ value, text }) => exam.check(question, { value, text }));
  const judge = async (reply: Reply): Promise<JudgedAnswer> => {
    const read = exam.read(reply, question);
    return { ...read, right: await isRight(read), cutOff: reply.stopReason === "length" };
  };
  const judged = await Promise.all(sampled.map(judge));
  const winner = strictWinner(countVotes(judged.map(({ value }) => value)));
  return {
    question,
    sampled: judged,
    greedy: greedy === null ? null : await judge(greedy),
    voteRight: exam.votes && judged.length > 0 ? judged.some(({ value, right }) => right && value === winner) : null,
  };
}

/** A share of questions, 0 to 1, with its 95 % interval. */
export interface Score {
  readonly value: number;
  readonly interval: readonly [low: number, high: number];
}

/** What an exam says of a model. Null where nothing was sampled, or nothing can be voted on. */
export interface ExamScores {
  readonly questions: number;
  /** Answers sampled to each question. */
  readonly samples: number;
  /** Mean accuracy at temperature 1; interval by question. */
  readonly passAt1: Score | null;
  /** By k, chance that at least one of k answers is right, for powers of two and the number of samples. */
  readonly passAtK: Readonly<Record<string, Score>>;
  /** Accuracy of the most likely answer. */
  readonly greedy: Score;
  /** Accuracy of the plurality of all samples; a tie counts as wrong. */
  readonly vote: Score | null;
  /** Answers, of all that were given, that could not be read; and those that ended at their longest length. */
  readonly answers: number;
  readonly unreadable: number;
  readonly cutOff: number;
  /** Questions that left no room for an answer: they count as wrong. */
  readonly tooLong: number;
}

/** Sums up an exam of at least one question. */
export function scoresOf(outcomes: readonly QuestionOutcome[]): ExamScores {
  const samples = Math.max(0, ...outcomes.map(({ sampled }) => sampled.length));
  const clustered = (shares: readonly number[]): Score => ({
    value: mean(shares),
    interval: clusteredInterval(shares),
  });
  const single = (right: readonly boolean[]): Score => {
    const value = mean(right.map(Number));
    return { value, interval: wilsonInterval(value, right.length) };
  };
  const ks = [...new Set([1, 2, 4, 8, 16, 32, 64, 128, samples].filter((k) => k > 1 && k <= samples))];
  const answers = outcomes.flatMap(({ sampled, greedy }) => [...sampled, ...(greedy === null ? [] : [greedy])]);
  const votes = outcomes.flatMap(({ voteRight }) => (voteRight === null ? [] : [voteRight]));
  return {
    questions: outcomes.length,
    samples,
    passAt1: samples === 0 ? null : clustered(outcomes.map(shareRight)),
    passAtK: Object.fromEntries(ks.map((k) => [k, clustered(outcomes.map((outcome) => passOf(outcome, k)))])),
    greedy: single(outcomes.map(({ greedy }) => greedy?.right ?? false)),
    // Where nobody can vote there is no score; a question without room is one that the vote got wrong.
    vote: votes.length === 0 ? null : single(outcomes.map(({ voteRight }) => voteRight ?? false)),
    answers: answers.length,
    unreadable: answers.filter(({ value }) => value === null).length,
    cutOff: answers.filter((answer) => answer.cutOff).length,
    tooLong: outcomes.filter(({ greedy }) => greedy === null).length,
  };
}

/** Share of the sampled answers that are right. */
export function shareRight({ sampled }: QuestionOutcome): number {
  return mean(sampled.map(({ right }) => Number(right)));
}

function passOf({ sampled }: QuestionOutcome, k: number): number {
  return sampled.length < k ? 0 : passAtK(sampled.length, sampled.filter(({ right }) => right).length, k);
}
