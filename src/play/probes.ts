// Probes: questions that are asked again and again to see what becomes of the model, and never taught. Drawn by the topic where it can
// draw, half of them as hard as the model just manages, since what it solves with ease or not at all is the last to change.
import type { Player } from "../engine/engine.ts";
import { randomStream } from "../random.ts";
import type { QuestionGenerator, Topic } from "../topics/topic.ts";
import type { Group, Question } from "../types.ts";
import { type SolveOptions, solve } from "./solve.ts";

/** How much of a difficulty the model solves. */
export interface LevelShare {
  readonly difficulty: number;
  /** 0 to 1. */
  readonly solved: number;
}

/** A difficulty counts as managed from this share of solved questions on. */
const managed = 0.3;

/** Shares of the probes at the hardest managed difficulty, the one below it, and the next. */
const shares = [0.5, 0.3, 0.2] as const;

/** How many probes to draw of which difficulty. Where none is managed, of the one that comes nearest and those below it. */
export function probesByLevel(levels: readonly LevelShare[], count: number): Map<number, number> {
  const hardest = levels.findLastIndex(({ solved }) => solved >= managed);
  const nearest = levels.reduce((best, { solved }, i) => (solved > levels[best].solved ? i : best), 0);
  const top = hardest === -1 ? nearest : hardest;
  const wanted = new Map<number, number>();
  let left = count;
  for (const [below, share] of shares.entries()) {
    const level = levels[top - below];
    if (level === undefined || left === 0) break;
    const part = Math.min(left, Math.round(count * share));
    wanted.set(level.difficulty, part);
    left -= part;
  }
  const { difficulty } = levels[top];
  wanted.set(difficulty, (wanted.get(difficulty) ?? 0) + left);
  return wanted;
}

/** Different questions of a difficulty that are none of `except`: `count`, or as many as there are. */
export function drawQuestions(
  generator: QuestionGenerator,
  difficulty: number,
  count: number,
  { seed, purpose, except }: { readonly seed: number; readonly purpose: string; readonly except: ReadonlySet<string> },
): readonly Question[] {
  // Twice as many as wanted, since some may be held out.
  const drawn = generator.draw(difficulty, 2 * count, randomStream(seed, purpose, difficulty));
  return drawn.filter(({ key }) => !except.has(key)).slice(0, count);
}

export type ProbeOptions = Omit<SolveOptions, "consistentVote" | "groupSize" | "stopVotes"> & {
  /** Answers to each probe, split over its forms. */
  readonly probeAnswers: number;
};

/** Asks each question in all its forms; a group each, in order. */
export function askProbes(
  player: Player,
  topic: Topic,
  questions: readonly Question[],
  { probeAnswers, ...options }: ProbeOptions,
): Promise<Group[]> {
  const asked = questions.map((question) => ({ question, refusal: null }));
  return solve(player, topic, asked, { ...options, groupSize: probeAnswers, consistentVote: true });
}
