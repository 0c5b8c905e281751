// Log-probabilities of whole sequences, for any weights of one shape.
import { float32Data, type Tensor } from "../runtime/runtime.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { microBatches, tokenFeeds, unpackRows } from "./batch-feeds.ts";
import { PackedRuns } from "./packed-runs.ts";
import { scoreGraph } from "./training-graph.ts";

/** Calls may not overlap. */
export interface Scorer {
  /** With the weights as they are at the time of the call; see `Player.score`. */
  score(
    weights: ReadonlyMap<string, Tensor>,
    sequences: readonly (readonly number[])[],
    first?: readonly number[],
  ): Promise<number[][]>;
}

interface ScorerOptions {
  /** What runs micro-batches where an adapter trains. */
  readonly packed?: PackedRuns | null;
  /** Called after each micro-batch with the tokens scored so far, in all, and once more those so far. */
  readonly onProgress?: (done: number, total: number, tokens: number) => void;
}

/** The cache may be shared with whatever names its sessions otherwise. */
export function createScorer(
  layout: WeightLayout,
  sessions: SessionCache,
  { packed: shared = null, onProgress = () => undefined }: ScorerOptions = {},
): Scorer {
  const packed = layout.lora === null ? null : (shared ?? new PackedRuns(layout, sessions));
  return {
    async score(weights, sequences, first) {
      if (packed !== null) {
        return packed.score(weights, sequences, { first, onTokens: (done, total) => onProgress(done, total, done) });
      }
      const weightFeeds = Object.fromEntries(weights);
      const logprobs: number[][] = sequences.map(() => []);
      const total = sequences.reduce((sum, { length }) => sum + length, 0);
      let done = 0;
      for (const batch of microBatches(layout, sequences)) {
        const { run } = await sessions.get(`score ${batch.batch}x${batch.time}`, () => scoreGraph(layout, batch));
        const result = await run({ ...weightFeeds, ...tokenFeeds(layout, batch, sequences) });
        unpackRows(batch, sequences, float32Data(result["logprobs"]), logprobs);
        done += batch.rows.reduce((sum, index) => sum + sequences[index].length, 0);
        onProgress(done, total, done);
      }
      return logprobs;
    },
  };
}
