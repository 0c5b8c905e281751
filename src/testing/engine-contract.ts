// What every engine promises (src/engine/engine.ts), as tests that run on any of them. It knows no model: prompts are
// random token ids below a vocabulary size. Parts that an engine's capabilities exclude are checked to be refused.
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { describeListening } from "./engine-contract-listening.ts";
import { describeFrozenPlayers, describePolicies } from "./engine-contract-players.ts";
import { describeDistribution, describeRefusedSampling, describeSampling } from "./engine-contract-sampling.ts";
import {
  describeCorrection,
  describeGradients,
  describeOrder,
  describeRefusedTraining,
} from "./engine-contract-training.ts";
import { contractAdam, type EngineContractOptions, type EngineFixture, engineFixture } from "./engine-fixture.ts";

/** Declares the contract suite of one engine. */
export function describeEngineContract(name: string, options: EngineContractOptions): void {
  describe(`engine contract: ${name}`, () => {
    const fixture = engineFixture(options);
    describeTokenizer(fixture);
    describeSampling(fixture);
    describeListening(fixture);
    describeDistribution(fixture);
    describeRefusedSampling(fixture);
    describeScoring(fixture);
    describeGradients(fixture);
    describeCorrection(fixture);
    describeOrder(fixture);
    describeRefusedTraining(fixture);
    describeCheckpoints(fixture);
    describeFrozenPlayers(fixture);
    describePolicies(fixture);
  });
}

function describeTokenizer(fixture: EngineFixture): void {
  describe("tokenizer", () => {
    it("reads back what it writes, without end tokens", () => {
      const { tokenizer } = fixture.policy;
      expect(tokenizer.endTokens.length).toBeGreaterThan(0);
      expect(tokenizer.decode(tokenizer.encode(fixture.options.text))).toBe(fixture.options.text);
      for (const end of tokenizer.endTokens) {
        expect(tokenizer.decode([...tokenizer.encode(fixture.options.text), end])).toBe(fixture.options.text);
        expect(tokenizer.encode(fixture.options.text)).not.toContain(end);
      }
    });
  });
}

function describeScoring(fixture: EngineFixture): void {
  describe("score", () => {
    it("gives one number a token, 0 for the first, never above 0", async () => {
      const sequences = fixture.draw("score", 1, 7, 4);
      const scored = await fixture.policy.score(sequences);
      expect(scored.map((row) => row.length)).toEqual([1, 7, 4]);
      for (const row of scored) {
        expect(Math.abs(row[0])).toBe(0);
        for (const logprob of row) expect(logprob).toBeLessThanOrEqual(1e-6);
      }
    });

    it("is the same from where it is asked for", async () => {
      const sequences = fixture.draw("from", 1, 7, 4);
      const [all, later] = [await fixture.policy.score(sequences), await fixture.policy.score(sequences, [1, 3, 4])];
      expect(later.map((row) => row.length)).toEqual([1, 7, 4]);
      for (const [i, first] of [1, 3, 4].entries()) {
        for (let t = first; t < all[i].length; t++) expect(Math.abs(later[i][t] - all[i][t])).toBeLessThan(1e-4);
      }
    });

    it("depends neither on the batch nor on what follows", async () => {
      const [long, short] = fixture.draw("causal", 9, 4);
      const [inBatch] = await fixture.policy.score([long, short]);
      const [alone] = await fixture.policy.score([long]);
      const [prefix] = await fixture.policy.score([long.slice(0, 5)]);
      inBatch.forEach((logprob, i) => {
        expect(Math.abs(logprob - alone[i])).toBeLessThan(1e-4);
        if (i < 5) expect(Math.abs(logprob - prefix[i])).toBeLessThan(1e-4);
      });
    });

    it("refuses sequences that are empty or too long", async () => {
      const long = fixture.draw("long", fixture.policy.capabilities.maxSequenceTokens + 1);
      for (const sequences of [[[]], long]) {
        await expect(fixture.policy.score(sequences)).rejects.toBeInstanceOf(UnsupportedError);
      }
    });
  });
}

function describeCheckpoints(fixture: EngineFixture): void {
  describe("save and load", () => {
    it("goes on from a checkpoint as if it had never stopped", async () => {
      const data = await fixture.drawData("checkpoint", 6, 5);
      const sequences = data.map(({ tokens }) => tokens);
      const update = async () => {
        await fixture.policy.forwardBackward(data, "cross_entropy");
        return (await fixture.policy.optimStep(contractAdam)).metrics;
      };
      await update();
      const saved = await fixture.newFolder();
      await fixture.policy.save(saved, { optimizer: true });
      const atSave = await fixture.policy.score(sequences);
      const metrics = await update();
      const uninterrupted = await fixture.policy.score(sequences);
      await update();
      await fixture.policy.load(saved, { optimizer: true });
      expect(await fixture.policy.score(sequences)).toEqual(atSave);
      const resumed = await update();
      expect(resumed.step).toBe(metrics.step);
      expect(resumed.gradNorm).toBeCloseTo(metrics.gradNorm, 5);
      const scored = await fixture.policy.score(sequences);
      scored.forEach((row, i) => {
        row.forEach((logprob, j) => {
          expect(logprob).toBeCloseTo(uninterrupted[i][j], 5);
        });
      });
      await fixture.policy.load(saved, { optimizer: false });
      expect(await fixture.policy.score(sequences)).toEqual(atSave);
      expect((await update()).step).toBe(1);
      if (fixture.options.learns) expect(uninterrupted).not.toEqual(atSave);
    });

    it("fails on a folder that holds no model", async () => {
      const empty = await fixture.newFolder();
      const [prompt] = fixture.draw("kept", 4);
      const before = await fixture.policy.score([prompt]);
      await expect(fixture.policy.load(empty, { optimizer: false })).rejects.toThrow();
      expect(await fixture.policy.score([prompt])).toEqual(before);
    });
  });
}
