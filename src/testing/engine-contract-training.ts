// The part of the engine contract about `forwardBackward` and `optimStep`.
import { describe, expect, it } from "vitest";
import { batchLoss } from "../engine/losses.ts";
import { RunStoppedError, UnsupportedError } from "../errors.ts";
import { withImportance } from "../learn/datum.ts";
import { type Datum, type LossFn, lossFunctions } from "../types.ts";
import { contractAdam, type EngineFixture } from "./engine-fixture.ts";

export function describeGradients(fixture: EngineFixture): void {
  describe("forwardBackward and optimStep: gradients", () => {
    it("takes empty input everywhere", async () => {
      expect(await fixture.sample([])).toEqual([]);
      expect(await fixture.policy.score([])).toEqual([]);
      const { logprobs, metrics } = await fixture.policy.forwardBackward([], "cross_entropy");
      expect(logprobs).toEqual([]);
      expect(Math.abs(metrics.loss)).toBe(0);
      expect(await fixture.gradNormOf()).toBe(0);
    });

    it("reports the scored log-probabilities, and the loss and metrics of the reference formulas", async () => {
      const data = await fixture.drawData("losses", 6, 3, 8);
      const scored = await fixture.policy.score(data.map(({ tokens }) => tokens));
      for (const loss of lossFunctions) {
        if (!fixture.policy.capabilities.lossFunctions.includes(loss)) {
          await expect(fixture.policy.forwardBackward(data, loss)).rejects.toBeInstanceOf(UnsupportedError);
          continue;
        }
        const { klPenalty } = fixture.policy.capabilities;
        const config = { clipLow: 0.1, clipHigh: 0.15, klPenaltyCoef: klPenalty ? 0.3 : 0 };
        const { logprobs, metrics } = await fixture.policy.forwardBackward(data, loss, config);
        expect(logprobs.map((row) => row.length)).toEqual([6, 3, 8]);
        logprobs.forEach((row, i) => {
          expect(Math.abs(row[0])).toBe(0);
          row.forEach((logprob, j) => {
            // Where nothing is trained an engine need not say.
            if (data[i].weights[j] === 0) return;
            expect(Math.abs(logprob - scored[i][j])).toBeLessThan(1e-4);
          });
        });
        const { gradients: _, ...expected } = batchLoss(data, logprobs, loss, config);
        expect(Object.keys(metrics)).toEqual(expect.arrayContaining(reportedMetrics(loss, klPenalty)));
        for (const [name, value] of Object.entries(expected)) {
          if (!(name in metrics)) continue;
          expect(Math.abs(metrics[name] - value), `${loss}: ${name}`).toBeLessThan(1e-3 * (1 + Math.abs(value)));
        }
        await fixture.policy.optimStep({ ...contractAdam, learningRate: 0 });
      }
    });

    it("accumulates gradients until optimStep, which clears them and counts", async () => {
      const [first, second] = await fixture.drawData("accumulate", 5, 7);
      const whole = await fixture.gradNormOf([first, second]);
      expect(whole).toBeGreaterThan(0);
      const parts = await fixture.gradNormOf([first], [second]);
      expect(Math.abs(parts - whole)).toBeLessThan(1e-3 * whole);
      const before = (await fixture.policy.optimStep({ ...contractAdam, learningRate: 0 })).metrics;
      expect(before.gradNorm).toBe(0);
      expect((await fixture.policy.optimStep({ ...contractAdam, learningRate: 0 })).metrics.step).toBe(before.step + 1);
    });

    it("gives masked tokens no gradient", async () => {
      const data = await fixture.drawData("masked", 6);
      expect(await fixture.gradNormOf(data.map((datum) => ({ ...datum, weights: datum.weights.map(() => 0) })))).toBe(
        0,
      );
    });

    it("makes likelier what it is rewarded for, and less likely what it is not", async () => {
      if (!fixture.options.learns) return;
      const data = await fixture.drawData("learn", 6, 6);
      const sequences = data.map(({ tokens }) => tokens);
      const logprobs = await fixture.policy.score(sequences);
      const rewarded = data.map((datum, i) => ({
        ...datum,
        logprobs: logprobs[i],
        advantages: datum.tokens.map(() => (i === 0 ? 1 : -1)),
      }));
      // Earlier tests left moments in the optimizer, so one update alone need not go downhill.
      for (let update = 0; update < 5; update++) {
        await fixture.policy.forwardBackward(rewarded, "importance_sampling");
        await fixture.policy.optimStep({ ...contractAdam, learningRate: 1e-3 });
      }
      const preference = (rows: number[][]) =>
        rows.map((row) => row.slice(2).reduce((sum, logprob) => sum + logprob, 0)).reduce((good, bad) => good - bad);
      expect(preference(await fixture.policy.score(sequences))).toBeGreaterThan(preference(logprobs));
    });
  });
}

export function describeCorrection(fixture: EngineFixture): void {
  describe("forwardBackward: importanceCap", () => {
    it("corrects for another sampler in the pass itself as if the data had been scored and corrected before", async () => {
      const data = await fixture.drawData("importance", 6, 8);
      const importanceCap = 1.2;
      const loss = "importance_sampling";
      if (fixture.policy.capabilities.correctsForSampler !== true) {
        const call = fixture.policy.forwardBackward(data, loss, { importanceCap });
        await expect(call).rejects.toBeInstanceOf(UnsupportedError);
        return;
      }
      const corrected = await fixture.policy.forwardBackward(data, loss, { importanceCap });
      const { gradNorm } = (await fixture.policy.optimStep({ ...contractAdam, learningRate: 0 })).metrics;
      const before = withImportance(data, corrected.logprobs, importanceCap);
      const plain = await fixture.policy.forwardBackward(before, loss);
      expect(before.flatMap(({ weights }) => weights)).not.toEqual(data.flatMap(({ weights }) => weights));
      expect(Math.abs(corrected.metrics["loss"] - plain.metrics["loss"])).toBeLessThan(1e-5);
      const expected = (await fixture.policy.optimStep({ ...contractAdam, learningRate: 0 })).metrics["gradNorm"];
      expect(Math.abs(gradNorm - expected)).toBeLessThan(1e-5 * (1 + expected));
    });
  });
}

export function describeOrder(fixture: EngineFixture): void {
  describe("forwardBackward and optimStep: order of calls", () => {
    it("carries calls out in the order in which they were made, awaited or not", async () => {
      const data = await fixture.drawData("order", 6, 4, 8);
      const sequences = data.map(({ tokens }) => tokens);
      const still = { ...contractAdam, learningRate: 0 };
      const awaited = await fixture.gradNormOf(data);
      expect(awaited).toBeGreaterThan(0);
      const before = await fixture.policy.score(sequences);
      const folder = await fixture.newFolder();
      const [forward, update, , scored, , , restored, empty] = await Promise.all([
        fixture.policy.forwardBackward(data, "cross_entropy"),
        fixture.policy.optimStep(still),
        fixture.policy.save(folder, { optimizer: true }),
        fixture.policy.score(sequences),
        fixture.policy.forwardBackward(data, "cross_entropy"),
        // Takes back the weights and with them the gradient of the call before.
        fixture.policy.load(folder, { optimizer: true }),
        fixture.policy.score(sequences),
        fixture.policy.optimStep(still),
      ]);
      expect(update.metrics.gradNorm).toBe(awaited);
      expect(scored).toEqual(before);
      expect(forward.logprobs.map((row) => row.length)).toEqual([6, 4, 8]);
      expect(restored).toEqual(before);
      expect(empty.metrics.gradNorm).toBe(0);
      expect(empty.metrics.step).toBe(update.metrics.step + 1);
    });

    it("goes on with the calls behind one that is refused or fails", async () => {
      const data = await fixture.drawData("order after a failure", 6, 4);
      const still = { ...contractAdam, learningRate: 0 };
      const awaited = await fixture.gradNormOf(data);
      const empty = await fixture.newFolder();
      const [refused, failed, forward, alsoRefused, update] = await Promise.allSettled([
        fixture.policy.score([[]]),
        fixture.policy.load(empty, { optimizer: true }),
        fixture.policy.forwardBackward(data, "cross_entropy"),
        fixture.sample([[]]),
        fixture.policy.optimStep(still),
      ]);
      expect([refused, failed, alsoRefused].map(({ status }) => status)).toEqual(Array(3).fill("rejected"));
      expect(forward.status).toBe("fulfilled");
      expect(update).toMatchObject({ status: "fulfilled", value: { metrics: { gradNorm: awaited } } });
    });
  });
}

export function describeRefusedTraining(fixture: EngineFixture): void {
  describe("forwardBackward and optimStep: what is refused", () => {
    it("refuses data that do not fit the call", async () => {
      const [datum] = await fixture.drawData("refused", 4);
      const { referenceLogprobs: _, ...withoutReference } = datum;
      const bad: [Datum, number][] = [
        [{ ...datum, weights: datum.weights.slice(1) }, 0],
        [{ ...datum, logprobs: [...datum.logprobs, 0] }, 0],
        [{ ...datum, advantages: [] }, 0],
        [{ ...datum, weights: datum.weights.map(() => 1) }, 0],
        [withoutReference, 0.1],
      ];
      for (const [data, klPenaltyCoef] of bad) {
        const call = fixture.policy.forwardBackward([data], "importance_sampling", { klPenaltyCoef });
        await expect(call).rejects.toBeInstanceOf(UnsupportedError);
      }
      for (const lossConfig of [{ clipLow: -0.1 }, { clipHigh: Number.NaN }, { klPenaltyCoef: -1 }]) {
        const call = fixture.policy.forwardBackward([datum], "importance_sampling", lossConfig);
        await expect(call).rejects.toBeInstanceOf(UnsupportedError);
      }
      if (!fixture.policy.capabilities.klPenalty) {
        const call = fixture.policy.forwardBackward([datum], "importance_sampling", { klPenaltyCoef: 0.1 });
        await expect(call).rejects.toBeInstanceOf(UnsupportedError);
      }
      expect(await fixture.gradNormOf()).toBe(0);
    });

    it("refuses an update that would spoil the weights", async () => {
      const sequences = fixture.draw("update", 6, 4);
      const before = await fixture.policy.score(sequences);
      const { step } = (await fixture.policy.optimStep({ ...contractAdam, learningRate: 0 })).metrics;
      for (const change of [
        { learningRate: Number.NaN },
        { learningRate: -1 },
        { beta1: 1 },
        { beta2: -0.5 },
        { eps: 0 },
        { weightDecay: -1 },
        { gradClipNorm: Number.POSITIVE_INFINITY },
      ]) {
        await expect(fixture.policy.optimStep({ ...contractAdam, ...change })).rejects.toBeInstanceOf(UnsupportedError);
      }
      expect(await fixture.policy.score(sequences)).toEqual(before);
      expect((await fixture.policy.optimStep({ ...contractAdam, learningRate: 0 })).metrics.step).toBe(step + 1);
    });

    it("stops at a gradient that is not finite and leaves the weights alone", async () => {
      const data = await fixture.drawData("nan", 5);
      const sequences = data.map(({ tokens }) => tokens);
      const before = await fixture.policy.score(sequences);
      const poisoned = data.map((datum) => ({ ...datum, advantages: datum.advantages.map(() => Number.NaN) }));
      await fixture.policy.forwardBackward(poisoned, "importance_sampling");
      await expect(fixture.policy.optimStep(contractAdam)).rejects.toBeInstanceOf(RunStoppedError);
      expect(await fixture.policy.score(sequences)).toEqual(before);
      expect(await fixture.gradNormOf()).toBe(0);
    });
  });
}

/** What a loss has to report (ForwardBackwardResult). */
function reportedMetrics(loss: LossFn, withKl: boolean): string[] {
  const clips = loss === "ppo" || loss === "cispo";
  return ["loss", "tokens", ...(clips ? ["clipFraction"] : []), ...(withKl ? ["kl"] : [])];
}
