// The climb: which levels a step asks for, so that a model learns what is one step above what it solves. The frontier F is the hardest
// level that probes find solved; nothing here knows an answer.
//
// Lee et al. 2025 (arXiv 2502.01612) raise the length by one a round, on the union of all lengths; RLVE (arXiv 2511.07317)
// raises a level at 90 %. Their accuracy is measured against the truth, ours is that all forms of a probe elect one winner.
import type { Random } from "../random.ts";

/** Plain JSON. */
export interface ClimbState {
  /** The hardest level that is solved; 0 where none is. Levels are indices into the topic's own list, counted from 1. */
  readonly frontier: number;
  /** Looks in a row at which the level above was solved too. */
  readonly passes: number;
}

/** A level is solved from this share of its probes on, and lost below the second. */
const solvedFrom = 0.9;
const lostBelow = 0.7;
/** Looks in a row that raise the frontier: one could be luck. */
const passesToRise = 2;
/** Share of the questions one level above the frontier, of those at it and just below, and of all below those. */
const shares = { above: 0.2, around: 0.5 } as const;

/** The frontier where the climb begins: the levels from the first on that are all solved. */
export function beginClimb(solvedShares: readonly number[]): ClimbState {
  const failed = solvedShares.findIndex((share) => share < solvedFrom);
  return { frontier: failed === -1 ? solvedShares.length : failed, passes: 0 };
}

/** After a look: share of solved probes at the frontier and one level above; null where there is no such level. */
export function climbed(
  { frontier, passes }: ClimbState,
  { at, above }: { readonly at: number | null; readonly above: number | null },
): ClimbState {
  if (at !== null && at < lostBelow) return { frontier: frontier - 1, passes: 0 };
  if (above === null || above < solvedFrom) return { frontier, passes: 0 };
  return passes + 1 >= passesToRise ? { frontier: frontier + 1, passes: 0 } : { frontier, passes: passes + 1 };
}

/**
 * The level of each of `count` questions, of `levels` there are: 20 % one above the frontier, 50 % at it and one below, the rest drawn
 * from all below. What a level has no room for goes to the others: at the bottom nearly all is asked at the first level.
 */
export function levelsToAsk({ frontier }: ClimbState, levels: number, count: number, random: Random): number[] {
  const clamp = (level: number): number => Math.min(levels, Math.max(1, level));
  const above = Math.round(count * shares.above);
  const around = Math.round(count * shares.around);
  return Array.from({ length: count }, (_, i) => {
    if (i < above) return clamp(frontier + 1);
    if (i < above + around) return clamp(i % 2 === 0 ? frontier : frontier - 1);
    return clamp(random.integer(1, Math.max(1, frontier - 2)));
  });
}
