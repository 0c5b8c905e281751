// A model on a topic's held-out questions, level by level.

import { UnsupportedError, UsageError } from "../errors.ts";
import { compareExams } from "../evaluate/compare.ts";
import { heldOutQuestions, type JudgedLevel, levelResult } from "../evaluate/evaluate.ts";
import { type QuestionOutcome, scoresOf } from "../evaluate/exam.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { subjectOf } from "../topic-names.ts";
import type { DefinedTopic, HiddenTruth } from "../topics/define-topic.ts";
import type { LevelResult } from "../types.ts";
import { askedInTraining } from "./asked-in-training.ts";
import { chooseModel } from "./checkpoint-of.ts";
import { type EvaluationOptions, examinedModels, paceOf, unreadableExample, writeAnswers } from "./evaluation.ts";
import { comparisonNote, comparisonTable, type NamedComparison, scoreTable } from "./evaluation-tables.ts";
import { type ExaminedModel, examine } from "./examinee.ts";
import { openTopicFor, type TopicSettings } from "./open-topic.ts";
import { startProgress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

interface TopicOptions extends EvaluationOptions {
  readonly topic: string | undefined;
  /** Held-out questions a level. */
  readonly questions: number;
  /** Levels to ask; all where left out. */
  readonly levels: readonly number[] | undefined;
  /** Answers sampled to each question, for pass@1 and the vote; 0 asks for the most likely one alone. */
  readonly samples: number;
  /** Questions of a topic in words, in place of those of the run. */
  readonly evalFile: string | undefined;
  /** Longest answer in tokens; 0 is the run's or the topic's own. */
  readonly maxAnswerTokens: number;
}

/** Evaluates, compares where asked to, and prints what was found. */
export async function evaluateTopic(name: string, options: TopicOptions): Promise<void> {
  const { terminal, workspace, parts, compare } = options;
  const given = options.topic === undefined ? {} : { topic: options.topic };
  const chosen = await chooseModel(name, { workspace, ...given }, terminal);
  const settings = {
    ...chosen.settings,
    ...(options.evalFile === undefined ? {} : { evalFile: options.evalFile }),
    ...(options.maxAnswerTokens === 0 ? {} : { maxAnswerTokens: options.maxAnswerTokens }),
  };
  refuseIdleFile(chosen.topic, options.evalFile);
  // Each model is asked in its own words, about the same questions.
  const topicFor = async ({ folder }: ExaminedModel): Promise<TopicWithTruth> =>
    withTruth(chosen.topic, await openTopicFor(chosen.topic, folder, settings));
  if (chosen.note !== null) terminal.note(chosen.note);
  const { examined, other } = await examinedModels(name, chosen.folder, options);
  const topic = await topicFor(examined);
  refuseLevels(topic, options.levels);
  const without = new Set(
    [examined, ...(other === null ? [] : [other])].flatMap((model) => [...askedInTraining(model, chosen.topic)]),
  );
  const total = countAsked(topic, { ...options, without });
  await using sandbox = topic.topic.verification === "tests" ? await parts.openSandbox() : undefined;
  const judging = { ...options, without, total, truncatedReplies: settings.truncatedReplies };
  const after = await judge(examined, topic, sandbox, judging);
  const outcomes = after.flatMap((level) => level.outcomes);
  terminal.say(scoreTable("difficulty", after.map(named), terminal.tableColumns));
  const { answers, unreadable } = scoresOf(outcomes);
  const result = { model: name, topic: chosen.topic, levels: after.map(resultOf), answers, unreadable };
  if (answers > 0 && unreadable === answers) {
    // Figures of nothing are no figures: a script must not take them for a bad model.
    terminal.result(result);
    throw new UsageError(
      `Not one of ${answers} answers could be read as an answer in topic ${chosen.topic}: ${unreadableExample(outcomes)}.`,
      "The model speaks another notation: name its own topic with --topic.",
    );
  }
  warn(terminal, chosen.topic, outcomes);
  const before = other === null ? null : await judge(other, await topicFor(other), sandbox, judging);
  if (options.answers !== undefined) {
    writeAnswers(options.answers, [
      { model: name, outcomes },
      { model: other?.name ?? "", outcomes: (before ?? []).flatMap((level) => level.outcomes) },
    ]);
  }
  if (other === null || before === null) return terminal.result(result);
  const compared = comparisons(before, after);
  terminal.say(`\n${other.name} → ${name}`);
  terminal.say(comparisonTable("difficulty", compared, options.samples, terminal.tableColumns));
  terminal.say(comparisonNote);
  const differences = compared.map(({ name: difficulty, comparison }) => ({ difficulty, ...comparison }));
  terminal.result({ ...result, compare: { model: compare, levels: before.map(resultOf), differences } });
}

function refuseIdleFile(topic: string, evalFile: string | undefined): void {
  if (evalFile === undefined || subjectOf(topic) !== null) return;
  throw new UsageError(
    `--eval-file changes nothing here: ${topic} has held-out questions of its own.`,
    'Leave it out, or name a topic in words: --topic "plain:WORDS".',
  );
}

interface TopicWithTruth extends DefinedTopic {
  readonly hidden: HiddenTruth;
}

function withTruth(name: string, { topic, hidden }: DefinedTopic): TopicWithTruth {
  if (hidden !== null) return { topic, hidden };
  throw new UnsupportedError(
    `Topic ${name} has no held-out questions to evaluate on.`,
    subjectOf(name) !== null
      ? "Give questions with their answers: --eval-file FILE.jsonl, a line each: {question, answer}."
      : "Only a topic with a hidden checker can be evaluated; `sqlm topics` says which have one.",
  );
}

function refuseLevels({ topic, hidden }: TopicWithTruth, levels: readonly number[] = []): void {
  const unknown = levels.find((level) => !hidden.levels.includes(level));
  if (unknown === undefined) return;
  throw new UsageError(
    `${topic.name} has no difficulty level ${unknown}.`,
    `Its levels are ${hidden.levels.join(", ")}.`,
  );
}

/** How many questions will be asked; says how many are not, since the model met them in training. Throws UsageError where none are left. */
function countAsked({ topic, hidden }: TopicWithTruth, { terminal, questions, levels, without }: LevelOptions): number {
  const sets = [...heldOutQuestions(topic, hidden, questions)].filter(([level]) => levels?.includes(level) ?? true);
  const all = sets.flatMap(([, asked]) => asked);
  const met = all.filter(({ key }) => without.has(key)).length;
  if (met === 0) return all.length;
  if (met === all.length) {
    throw new UsageError(
      "The model met all of these questions in training.",
      "Ask more with --questions, or compare with a run that held them back.",
    );
  }
  terminal.note(
    `${met} of ${all.length} held-out questions are left out: they were asked in training, which keeps only its own --eval-questions a level back`,
  );
  return all.length - met;
}

interface LevelOptions extends Pick<TopicOptions, "terminal" | "questions" | "levels"> {
  readonly without: ReadonlySet<string>;
}

async function judge(
  model: ExaminedModel,
  topic: TopicWithTruth,
  sandbox: Sandbox | undefined,
  options: TopicOptions &
    LevelOptions & { readonly total: number; readonly truncatedReplies: TopicSettings["truncatedReplies"] },
): Promise<JudgedLevel[]> {
  const {
    parts,
    terminal,
    questions,
    levels: wanted = topic.hidden.levels,
    without,
    total,
    samples,
    seed,
    truncatedReplies,
  } = options;
  return examine(model, options, async (examinee) => {
    const progress = startProgress(terminal, "evaluating, question", total);
    const done = new Map<number, number>();
    const levels = await parts.judgeLevels(examinee, topic, {
      questions,
      levels: wanted,
      samples,
      without,
      seed,
      sandbox,
      ...(truncatedReplies === undefined ? {} : { truncatedReplies }),
      pace: paceOf(samples),
      onJudged: (difficulty, outcomes) => {
        done.set(difficulty, outcomes.length);
        progress.update([...done.values()].reduce((sum, count) => sum + count, 0));
      },
    });
    progress.end();
    return levels;
  });
}

const named = ({ difficulty, outcomes }: JudgedLevel) => ({ name: String(difficulty), scores: scoresOf(outcomes) });

type LevelScores = Pick<LevelResult, "difficulty" | "questions" | "greedy"> &
  Partial<LevelResult> & {
    readonly greedyInterval: readonly [number, number];
    readonly majAt16Interval?: readonly [number, number];
  };

/** A level as runs record it, with the intervals that follow from it; without answers that were sampled, what the most likely ones say. */
function resultOf(level: JudgedLevel): LevelScores {
  const { questions, samples, greedy, vote } = scoresOf(level.outcomes);
  if (samples === 0)
    return { difficulty: level.difficulty, questions, greedy: greedy.value, greedyInterval: greedy.interval };
  return { ...levelResult(level), greedyInterval: greedy.interval, majAt16Interval: vote?.interval ?? [0, 1] };
}

/** Each level by itself, and all questions together where there are several. */
function comparisons(before: readonly JudgedLevel[], after: readonly JudgedLevel[]): NamedComparison[] {
  const outcomesOf = (levels: readonly JudgedLevel[], difficulty: number): readonly QuestionOutcome[] =>
    levels.find((level) => level.difficulty === difficulty)?.outcomes ?? [];
  const levels = after.map(({ difficulty, outcomes }) => ({
    name: String(difficulty),
    comparison: compareExams(outcomesOf(before, difficulty), outcomes),
  }));
  const all = compareExams(
    before.flatMap(({ outcomes }) => outcomes),
    after.flatMap(({ outcomes }) => outcomes),
  );
  return levels.length > 1 ? [...levels, { name: "all", comparison: all }] : levels;
}

function warn(terminal: Terminal, topic: string, outcomes: readonly QuestionOutcome[]): void {
  const { answers, unreadable, cutOff, passAt1, greedy } = scoresOf(outcomes);
  if (unreadable > answers / 2) {
    const reason = unreadableExample(outcomes);
    terminal.note(`${unreadable} of ${answers} answers could not be read, the last one: ${reason}.`);
  }
  if (cutOff > answers / 10) terminal.note(`${cutOff} of ${answers} answers were cut off at their longest length.`);
  if ((passAt1 ?? greedy)?.value === 0) {
    terminal.note(`No answer was right. Is ${topic} what this model was trained on? --topic names another.`);
  }
}
