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
  /**
   * For each level, the running share of its questions that were asked before or are kept from training: 55 sums of one digit are
   * soon spent. None in a state of before this was counted.
   */
  readonly spent?: readonly number[];
}

/** A question as it came, by its level, and whether it could not be asked because it had been, or is held out. */
export interface AskedLevel {
  readonly level: number;
  readonly repeated: boolean;
}

/** A level is solved from this share of its probes on, and lost below the second. */
const solvedFrom = 0.9;
const lostBelow = 0.7;
/** From this share of repetitions on a level has no room. */
const spentFrom = 0.5;
/** Weight of a step in the running share. */
const newestShare = 0.3;
/** Looks in a row that raise the frontier: one could be luck. */
const passesToRise = 2;
/** Share of the questions one level above the frontier, of those at it and just below, and of all below those. */
const shares = { above: 0.2, around: 0.5 } as const;

/** The frontier where the climb begins: the levels from the first on that are all solved. */
export function beginClimb(solvedShares: readonly number[]): ClimbState {
  const failed = solvedShares.findIndex((share) => share < solvedFrom);
  return { frontier: failed === -1 ? solvedShares.length : failed, passes: 0, spent: [] };
}

/** The state after a step whose questions these were. */
export function countSpent(state: ClimbState, asked: readonly AskedLevel[]): ClimbState {
  const spent = [...(state.spent ?? [])];
  for (const level of new Set(asked.map((one) => one.level))) {
    const ofLevel = asked.filter((one) => one.level === level);
    const share = ofLevel.filter(({ repeated }) => repeated).length / ofLevel.length;
    while (spent.length < level) spent.push(0);
    spent[level - 1] += newestShare * (share - spent[level - 1]);
  }
  return { ...state, spent };
}

/** After a look: share of solved probes at the frontier and one level above; null where there is no such level. */
export function climbed(
  state: ClimbState,
  { at, above }: { readonly at: number | null; readonly above: number | null },
): ClimbState {
  const { frontier, passes } = state;
  if (at !== null && at < lostBelow) return { ...state, frontier: frontier - 1, passes: 0 };
  if (above === null || above < solvedFrom) return { ...state, passes: 0 };
  return passes + 1 >= passesToRise
    ? { ...state, frontier: frontier + 1, passes: 0 }
    : { ...state, passes: passes + 1 };
}

/**
 * The level of each of `count` questions, of `levels` there are: 20 % one above the frontier, 50 % at it and one below, the rest drawn
 * from all below. What a level has no room for goes to the next one that has, also where the level above the frontier has none:
 * sums of one digit are soon asked, and a model that slips at one in ten of them would stay below them for good.
 */
export function levelsToAsk(
  { frontier, spent = [] }: ClimbState,
  levels: number,
  count: number,
  random: Random,
): number[] {
  const above = Math.round(count * shares.above);
  const around = Math.round(count * shares.around);
  const withRoom = (wanted: number): number => {
    let level = Math.max(1, wanted);
    while (level < levels && (spent[level - 1] ?? 0) >= spentFrom) level += 1;
    return Math.min(levels, level);
  };
  return Array.from({ length: count }, (_, i) => {
    if (i < above) return withRoom(frontier + 1);
    if (i < above + around) return withRoom(i % 2 === 0 ? frontier : frontier - 1);
    return withRoom(random.integer(1, Math.max(1, frontier - 2)));
  });
}
