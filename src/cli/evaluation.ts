// What evaluations on topics and on benchmarks share: who is examined, how far it is, what is written of it.
import { writeFileSync } from "node:fs";
import { UsageError } from "../errors.ts";
import type { QuestionOutcome } from "../evaluate/exam.ts";
import { comparedModel } from "./compared-model.ts";
import type { ExaminedModel, ExamineOptions } from "./examinee.ts";

export interface EvaluationOptions extends ExamineOptions {
  readonly adapter: string | undefined;
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
  { adapter, compare, workspace, terminal }: EvaluationOptions,
): Promise<{ readonly examined: ExaminedModel; readonly other: ExaminedModel | null }> {
  const examined = { name, folder, adapter };
  const other = compare === undefined ? null : await comparedModel(compare, examined, workspace, terminal);
  if (other !== null && other.folder === folder && other.adapter === adapter) {
    throw new UsageError(`${name} and ${compare} are the same model.`, "Name another with --compare.");
  }
  return { examined, other };
}

/**
 * Sequences that are asked for together: enough to keep the engine busy, few enough that little is lost when the process is killed and
 * that progress shows.
 */
const sequencesTogether = 96;

/** Questions that are asked together, each with `samples` answers and the most likely one. */
export function questionsTogether(samples: number): number {
  return Math.max(1, Math.ceil(sequencesTogether / (samples + 1)));
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
