// Shared by the modules that know a topic's truth: drawing held-out questions, and lines of seed-model text.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Question } from "../types.ts";
import type { HiddenTruth } from "./define-topic.ts";
import type { QuestionGenerator } from "./topic.ts";

/** One line of training text for the seed model: what a role is shown, and what it should write. */
export interface SeedLine {
  readonly prompt: string;
  readonly reply: string;
  /** Places of characters in the reply that stand there and are not taught; none where left out. */
  readonly untaught?: ReadonlySet<number>;
}

/** How a topic draws lines of training text, one function for each role. */
export interface SeedLines {
  readonly propose: (difficulty: number, random: Random) => SeedLine;
  readonly solve: (difficulty: number, random: Random) => SeedLine;
}

/** `count` questions with different keys; fewer when many draws in a row bring nothing new. */
export function drawDistinct(count: number, draw: () => Question): Question[] {
  const questions = new Map<string, Question>();
  for (let repeats = 0; questions.size < count && repeats < 2000; ) {
    const question = draw();
    if (questions.has(question.key)) {
      repeats++;
      continue;
    }
    repeats = 0;
    questions.set(question.key, question);
  }
  return [...questions.values()];
}

/** Questions as they are drawn for evaluation, without what knows their answers. */
export const questionsOf = ({ levels, heldOut }: HiddenTruth): QuestionGenerator => ({ levels, draw: heldOut });

/** For a difficulty that a topic has no questions of; `what` says what its difficulties are. */
export const noSuchDifficulty = (topic: string, difficulty: number, what: string): UsageError =>
  new UsageError(`${topic} has no questions of difficulty ${difficulty}.`, what);
