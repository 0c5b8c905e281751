// How many threads to give one operator. More threads are slower than one on a busy machine, so it is measured, once.
import { availableParallelism } from "node:os";
import type { ModelConfig } from "../../../model/model-config.ts";
import { parameterCount, parameterSpecs } from "../../../model/model-config.ts";
import {
  createSession,
  float32Data,
  float32Tensor,
  int64Tensor,
  type Session,
  type Tensor,
} from "../runtime/runtime.ts";
import { scoreGraph } from "../train/training-graph.ts";
import { plainLayout } from "../transformer/linear.ts";

/** A second thread must save at least this share of the time to be worth taking a core from others. */
const worthwhileSaving = 0.25;
const rounds = 3;
/** Of models with more parameters one layer stands for all. */
const largestWhole = 5e7;

/**
 * Times one forward pass on 1, 2, 4, … threads up to the machine's cores, interleaved, and returns the smallest count
 * that is not clearly beaten. Costs about ten forward passes over some hundreds of tokens.
 */
export async function chooseThreads(model: ModelConfig): Promise<number> {
  const config = parameterCount(model) > largestWhole ? { ...model, layers: 1, vocabSize: 512 } : model;
  const counts = [1];
  while (counts[counts.length - 1] * 2 <= availableParallelism()) counts.push(counts[counts.length - 1] * 2);
  if (counts.length === 1) return 1;

  const shape = { batch: 32, time: Math.min(16, config.maxPositions) };
  const tokens = shape.batch * shape.time;
  const feeds: Record<string, Tensor> = {
    tokens: int64Tensor([tokens], new BigInt64Array(tokens)),
    targets: int64Tensor([tokens], new BigInt64Array(tokens)),
  };
  for (const { name, shape } of parameterSpecs(config)) {
    feeds[name] = float32Tensor(shape);
    // Zeros would be multiplied as fast as any number, but denormals could appear from them in norms.
    float32Data(feeds[name]).fill(0.01);
  }
  const sessions: Session[] = [];
  for (const threads of counts) sessions.push(await createSession(scoreGraph(plainLayout(config), shape), { threads }));
  const best = counts.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      // The first round warms up.
      if (round > 0) best[index] = Math.min(best[index], performance.now() - start);
    }
  }
  for (const session of sessions) await session.dispose();
  let chosen = 0;
  for (let index = 1; index < counts.length; index++) {
    if (best[index] < best[chosen] * (1 - worthwhileSaving)) chosen = index;
  }
  return counts[chosen];
}
