// How likely a vote's winner is right, from votes of the same run that the hidden checker has judged. Pure numbers; it knows the
// truth of votes that are over, and nothing that learns may ask it.
import { wilsonInterval } from "./statistics.ts";

interface Vote {
  /** Share of the winner, 0 to 1. */
  readonly agreement: number;
  /** All forms elect it. */
  readonly consistent: boolean;
}

export interface VoteChance {
  /** (right + 1)/(of + 2): never certain. */
  readonly probability: number;
  readonly interval: readonly [low: number, high: number];
  /** Votes like this one, and how many of their winners were right. */
  readonly of: number;
  readonly right: number;
  /** Their agreement. */
  readonly from: number;
  readonly to: number;
}

/** Fewer votes of a sort than this say too little. */
const leastVotes = 30;

/**
 * The chance by isotonic regression (pool adjacent violators; Zadrozny and Elkan 2002): votes that are consistent, or not, as this one
 * is, in the order of their agreement, are pooled until more agreement never means fewer right ones; the pool around this agreement
 * gives the share. Null where there are fewer than 30 votes of the sort.
 */
export function chanceRight(vote: Vote, judged: readonly (Vote & { readonly right: boolean })[]): VoteChance | null {
  const like = judged.filter(({ consistent }) => consistent === vote.consistent);
  if (like.length < leastVotes) return null;
  const steps = [...Map.groupBy(like, ({ agreement }) => agreement)].sort(([a], [b]) => a - b);
  const pools: { from: number; to: number; of: number; right: number }[] = [];
  for (const [agreement, votes] of steps) {
    let pool = { from: agreement, to: agreement, of: votes.length, right: votes.filter(({ right }) => right).length };
    for (
      let last = pools.at(-1);
      last !== undefined && last.right * pool.of >= pool.right * last.of;
      last = pools.at(-1)
    ) {
      pools.pop();
      pool = { from: last.from, to: pool.to, of: last.of + pool.of, right: last.right + pool.right };
    }
    pools.push(pool);
  }
  const distance = ({ from, to }: { from: number; to: number }): number =>
    Math.max(0, from - vote.agreement, vote.agreement - to);
  const pool = pools.reduce((nearest, one) => (distance(one) < distance(nearest) ? one : nearest));
  return {
    ...pool,
    probability: (pool.right + 1) / (pool.of + 2),
    interval: wilsonInterval(pool.right / pool.of, pool.of),
  };
}
