// Log-probabilities of whole sequences, for any weights of one shape.
import type { ModelConfig } from "../../../model/model-config.ts";
import { float32Data, type Tensor } from "../runtime/runtime.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import { microBatches, tokenFeeds, unpackRows } from "./batch-feeds.ts";
import { scoreGraph } from "./training-graph.ts";

/** Calls may not overlap. */
export interface Scorer {
  /** With the weights as they are at the time of the call; see `Player.score`. */
  score(weights: ReadonlyMap<string, Tensor>, sequences: readonly (readonly number[])[]): Promise<number[][]>;
}

/** The cache may be shared with whatever names its sessions otherwise. */
export function createScorer(config: ModelConfig, sessions: SessionCache): Scorer {
  return {
    async score(weights, sequences) {
      const weightFeeds = Object.fromEntries(weights);
      const logprobs: number[][] = sequences.map(() => []);
      for (const batch of microBatches(config, sequences)) {
        const { run } = await sessions.get(`score ${batch.batch}x${batch.time}`, () => scoreGraph(config, batch));
        const result = await run({ ...weightFeeds, ...tokenFeeds(batch, sequences) });
        unpackRows(batch, sequences, float32Data(result["logprobs"]), logprobs);
      }
      return logprobs;
    },
  };
}
