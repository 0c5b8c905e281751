import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import type { Policy } from "../../src/engine/engine.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import { learningRateAt, updateModel } from "../../src/learn/update.ts";
import type { Judgement } from "../../src/types.ts";

describe("learningRateAt", () => {
  const config = (settings: object) => runConfigSchema.parse({ learningRate: 1, ...settings });

  it("rises over the warm-up and stays with the constant schedule", () => {
    const constant = config({ learningRateSchedule: "constant", warmupSteps: 4, steps: 100 });
    expect([1, 2, 4, 5, 100].map((step) => learningRateAt(step, constant))).toEqual([0.25, 0.5, 1, 1, 1]);
  });

  it("falls linearly, and is still above 0 in the last step", () => {
    const linear = config({ learningRateSchedule: "linear", warmupSteps: 0, steps: 10 });
    expect(learningRateAt(1, linear)).toBe(1);
    expect(learningRateAt(6, linear)).toBeCloseTo(0.5, 12);
    expect(learningRateAt(10, linear)).toBeCloseTo(0.1, 12);
  });

  it("never leaves (0, learningRate], whatever the warm-up", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 0, max: 50 }),
        fc.nat(),
        (steps, warmupSteps, at) => {
          const rate = learningRateAt((at % steps) + 1, config({ steps, warmupSteps }));
          expect(rate).toBeGreaterThan(0);
          expect(rate).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});

describe("updateModel with a capped importance weight", () => {
  const samples = Array.from({ length: 6 }, (_, i) => ({
    promptTokens: [1, 2],
    tokens: [3, 4, 5 + i],
    logprobs: [-0.3 - i, -2, -1 + 0.2 * i],
    advantage: i % 2 === 0 ? 1 : -1,
  }));
  const judgement = { step: 1, proposals: [], groups: [{ answers: samples }] } as unknown as Judgement;
  const config = runConfigSchema.parse({ importanceCap: 1.5, numSubsteps: 2, learningRate: 1e-3 });

  /** Metrics of an update, and how many sequences were scored for it. */
  async function update(correctsForSampler: boolean) {
    await using engine = createScriptedEngine({ reply: () => "" });
    const policy = await engine.openPolicy();
    let scored = 0;
    const solver = {
      capabilities: { ...policy.capabilities, correctsForSampler },
      score: async (sequences: number[][]) => {
        scored += sequences.length;
        return policy.score(sequences);
      },
      forwardBackward: policy.forwardBackward.bind(policy),
      optimStep: policy.optimStep.bind(policy),
    } as unknown as Policy;
    return { metrics: await updateModel({ solver, ownProposer: null, reference: null }, judgement, config), scored };
  }

  it("is the same whether the engine corrects in its own pass or data are scored before, and scores the first update's data no more", async () => {
    const [inPass, before] = [await update(true), await update(false)];
    expect(before.scored).toBe(6);
    expect(inPass.scored).toBe(3);
    expect(Object.keys(inPass.metrics).sort()).toEqual(Object.keys(before.metrics).sort());
    for (const [name, value] of Object.entries(before.metrics))
      expect(inPass.metrics[name], name).toBeCloseTo(value, 9);
    expect(before.metrics["meanLogprobGap"]).toBeGreaterThan(0.1);
  });
});
