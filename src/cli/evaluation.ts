// What evaluations on topics and on benchmarks share: who is examined, how far it is, what is written of it.
import { writeFileSync } from "node:fs";
import { UsageError } from "../errors.ts";
import type { ExamOptions, QuestionOutcome } from "../evaluate/exam.ts";
import { comparedModel } from "./compared-model.ts";
import type { ExaminedModel, ExamineOptions } from "./examinee.ts";
import { openedAs } from "./model-options.ts";

export interface EvaluationOptions extends ExamineOptions {
  readonly adapter: string | undefined;
  /** Model that the adapters of checkpoints are of, as the user named it. */
  readonly base: string | undefined;
  /** What to compare with, as the user named it. */
  readonly compare: string | undefined;
  /** File to write every question with its answers to. */
  readonly answers: string | undefined;
  readonly seed: number;
}

/** The model with its adapter, and the one to compare it with; null where none was asked for. */
export async function examinedModels(
  name: string,
  folder: string,
  { adapter, base, compare, workspace, terminal }: EvaluationOptions,
): Promise<{ readonly examined: ExaminedModel; readonly other: ExaminedModel | null }> {
  const given = { ...(base === undefined ? {} : { base }), ...(adapter === undefined ? {} : { adapter }) };
  const examined = { name, ...(await openedAs(folder, given, terminal)) };
  const other = compare === undefined ? null : await comparedModel(compare, examined, { workspace, base, terminal });
  if (other !== null && other.folder === examined.folder && other.adapter === examined.adapter) {
    throw new UsageError(`${name} and ${compare} are the same model.`, "Name another with --compare.");
  }
  return { examined, other };
}

/**
 * How many questions are asked together, each with `samples` answers and the most likely one: enough to keep the engine busy
 * with a large model, and as many more as half a minute allows, since what is under way when the process is killed is lost.
 */
export function paceOf(samples: number): NonNullable<ExamOptions["pace"]> {
  return { questions: Math.max(1, Math.ceil(32 / (samples + 1))), seconds: 30 };
}

/** Writes a line a question: what was asked, what was answered, what was right. */
export function writeAnswers(
  path: string,
  exams: readonly { readonly model: string; readonly outcomes: readonly QuestionOutcome[] }[],
): void {
  const lines = exams.flatMap(({ model, outcomes }) =>
    outcomes.map(({ question, greedy, sampled, voteRight }) =>
      JSON.stringify({ model, question: question.text, difficulty: question.difficulty, greedy, sampled, voteRight }),
    ),
  );
  writeFileSync(path, `${lines.join("\n")}\n`);
}

/** One answer of those that could not be read, with the reason; null where all could. */
export function unreadableExample(outcomes: readonly QuestionOutcome[]): string | null {
  const answers = outcomes.flatMap(({ greedy, sampled }) => [...(greedy === null ? [] : [greedy]), ...sampled]);
  return answers.findLast(({ value }) => value === null)?.reason ?? null;
}
