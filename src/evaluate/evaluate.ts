// Held-out evaluation against the hidden checker: sampled pass@1, greedy, and the plurality of 16, per difficulty.
// It reads the truth, so nothing here may be imported by what makes rewards.
import type { PlaySettings } from "../config/play.ts";
import { UnsupportedError } from "../errors.ts";
import { originalForm, readAnswer } from "../play/read-answer.ts";
import { randomStream, seedFrom } from "../random.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { DefinedTopic, HiddenTruth } from "../topics/define-topic.ts";
import type { Topic } from "../topics/topic.ts";
import type { Evaluation, LevelResult, Question } from "../types.ts";
import { type Examinee, type ExamOptions, holdExam, type QuestionOutcome, type Reply, scoresOf } from "./exam.ts";

/** Answers sampled to each question, for pass@1 and for maj@16. */
export const evaluationSamples = 16;

/** Seed of the held-out sets: fixed, so that every run, seed and checkpoint is judged on the same questions. */
const heldOutSeed = "held-out";

export interface EvaluateOptions {
  /** Questions a level. */
  readonly questions: number;
  /** Name of the model in the result. */
  readonly model: string;
  /** Levels to evaluate; all of the topic's by default. */
  readonly levels?: readonly number[];
  /** Answers sampled to each question, for pass@1 and the vote; 0 asks for the most likely one alone. */
  readonly samples?: number;
  /** Keys of questions that are left out, as those that the model met in training. */
  readonly without?: ReadonlySet<string>;
  /** Needed where the hidden checker runs programs. */
  readonly sandbox?: Sandbox | undefined;
  /** Seed of the sampled answers. */
  readonly seed?: number;
  /** What to do with a reply that was cut off at its longest length; what the topic asks for, or `refuse`. */
  readonly truncatedReplies?: PlaySettings["truncatedReplies"];
  /** How many questions of a level are asked together; all where left out. */
  readonly pace?: ExamOptions["pace"];
  /** Called when questions of a level are judged, with all of that level that are. */
  readonly onJudged?: (difficulty: number, outcomes: readonly QuestionOutcome[]) => void;
}

/** A level with everything that was answered on it. */
export interface JudgedLevel {
  readonly difficulty: number;
  readonly outcomes: readonly QuestionOutcome[];
}

/** The held-out questions of every level: what evaluation asks and training must never see. */
export function heldOutQuestions(
  topic: Topic,
  hidden: HiddenTruth,
  questions: number,
): Map<number, readonly Question[]> {
  return new Map(
    hidden.levels.map((level) => [
      level,
      hidden.heldOut(level, questions, randomStream(heldOutSeed, topic.name, level)),
    ]),
  );
}

/** Keys of the questions that training must never see: those that evaluation asks, and all whose answers were given. */
export function heldOutKeys({ topic, hidden }: DefinedTopic, questions: number): ReadonlySet<string> {
  if (hidden === null) return new Set();
  const asked = [...heldOutQuestions(topic, hidden, questions).values()].flat().map(({ key }) => key);
  return new Set([...asked, ...(hidden.onlyKeys ?? [])]);
}

/**
 * Evaluates the engine's model. Throws UnsupportedError for a topic without a hidden checker: there is nothing to
 * compare with.
 *
 * @example
 * import { evaluate, openEngine, openTopic } from "self-questioning";
 *
 * const topic = await openTopic("arithmetic");
 * await using engine = await openEngine({ model: "arithmetic" });
 * await using player = await engine.openPolicy();
 * const { levels } = await evaluate(player, topic, { questions: 20, model: "arithmetic", levels: [1, 2] });
 * for (const { difficulty, passAt1 } of levels) console.log(difficulty, passAt1);
 */
export async function evaluate(examinee: Examinee, topic: DefinedTopic, options: EvaluateOptions): Promise<Evaluation> {
  const levels = await judgeLevels(examinee, topic, options);
  return { model: options.model, topic: topic.topic.name, levels: levels.map(levelResult) };
}

/** The same, question by question. */
export async function judgeLevels(
  examinee: Examinee,
  { topic, hidden }: DefinedTopic,
  options: Omit<EvaluateOptions, "model">,
): Promise<JudgedLevel[]> {
  if (hidden === null) {
    throw new UnsupportedError(
      `The topic ${topic.name} has no hidden checker, so accuracy is unknown.`,
      "Add `hidden` to the topic.",
    );
  }
  const {
    questions,
    levels: wanted,
    without,
    sandbox,
    pace,
    onJudged,
    seed = 0,
    samples = evaluationSamples,
  } = options;
  const truncatedReplies = options.truncatedReplies ?? topic.settings?.truncatedReplies ?? "refuse";
  const sets = heldOutQuestions(topic, hidden, questions);
  const levels: JudgedLevel[] = [];
  for (const difficulty of wanted ?? hidden.levels) {
    const exam = {
      questions: (sets.get(difficulty) ?? []).filter(({ key }) => without?.has(key) !== true),
      maxTokens: topic.maxTokens.solve,
      stopText: topic.stopText?.solve,
      conclusion: topic.conclusion,
      votes: samples > 0,
      prompt: topic.solvePrompt,
      read: (reply: Reply, question: Question) =>
        readAnswer(examinee.tokenizer, topic, originalForm(question), reply, truncatedReplies),
      check: (question: Question, { value }: { readonly value: string }) => hidden.check(question, value, sandbox),
    };
    const held: ExamOptions = {
      samples,
      seed: seedFrom(seed, "evaluate", difficulty),
      ...(pace === undefined ? {} : { pace }),
      ...(onJudged === undefined ? {} : { onJudged: (outcomes) => onJudged(difficulty, outcomes) }),
    };
    levels.push({ difficulty, outcomes: await holdExam(examinee, exam, held) });
  }
  return levels;
}

/** A level as it is recorded. */
export function levelResult({ difficulty, outcomes }: JudgedLevel): LevelResult {
  const { questions, passAt1, greedy, vote } = scoresOf(outcomes);
  return {
    difficulty,
    passAt1: passAt1?.value ?? 0,
    passAt1Interval: passAt1?.interval ?? [0, 1],
    greedy: greedy.value,
    majAt16: vote?.value ?? 0,
    questions,
  };
}
