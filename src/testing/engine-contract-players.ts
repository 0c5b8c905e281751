// The part of the engine contract about policies and frozen players beside one another.
import { describe, expect, it } from "vitest";
import type { Player, Policy } from "../engine/engine.ts";
import { SqlmError } from "../errors.ts";
import type { Datum } from "../types.ts";
import { contractAdam, type EngineFixture } from "./engine-fixture.ts";

export function describeFrozenPlayers(fixture: EngineFixture): void {
  describe("frozen players", () => {
    it("a frozen player scores and samples as the policy did, while the policy trains and loads", async () => {
      await using policy = await fixture.engine.openPolicy();
      const data = await fixture.drawData("frozen", 6, 9);
      const sequences = data.map(({ tokens }) => tokens);
      await train(policy, data);
      const folder = await fixture.newFolder();
      await policy.save(folder, { optimizer: true });
      await train(policy, data);
      const expected = { scores: await policy.score(sequences), samples: await sampled(fixture, policy) };
      await using frozen = await policy.freeze();
      const stays = async () => {
        fixture.expectSame(await frozen.score(sequences), expected.scores);
        fixture.expectSameSamples(await sampled(fixture, frozen), expected.samples);
      };
      await stays();
      for (let update = 0; update < 3; update++) await train(policy, data);
      await stays();
      if (fixture.options.learns) expect(await policy.score(sequences)).not.toEqual(expected.scores);
      await policy.load(folder, { optimizer: true });
      await stays();
    });

    it("freezes what the calls before have made of the policy, awaited or not", async () => {
      await using policy = await fixture.engine.openPolicy();
      const data = await fixture.drawData("freeze in turn", 7);
      const [, , frozen] = await Promise.all([
        policy.forwardBackward(data, "cross_entropy"),
        policy.optimStep(contractAdam),
        policy.freeze(),
        policy.forwardBackward(data, "cross_entropy"),
      ]);
      const sequences = data.map(({ tokens }) => tokens);
      fixture.expectSame(await frozen.score(sequences), await policy.score(sequences));
      fixture.expectSameSamples(await sampled(fixture, frozen), await sampled(fixture, policy));
      await frozen[Symbol.asyncDispose]();
    });
  });
}

export function describePolicies(fixture: EngineFixture): void {
  describe("policies beside one another", () => {
    it("every policy begins with the model's own weights and learns apart", async () => {
      await using one = await fixture.engine.openPolicy();
      await using other = await fixture.engine.openPolicy();
      const data = await fixture.drawData("apart", 6, 8);
      const sequences = data.map(({ tokens }) => tokens);
      const base = await one.score(sequences);
      expect(await other.score(sequences)).toEqual(base);
      await one.forwardBackward(data, "cross_entropy");
      expect((await other.optimStep(contractAdam)).metrics).toMatchObject({ gradNorm: 0, step: 1 });
      expect((await one.optimStep(contractAdam)).metrics["gradNorm"]).toBeGreaterThan(0);
      expect(await other.score(sequences)).toEqual(base);
      await using fresh = await fixture.engine.openPolicy();
      expect(await fresh.score(sequences)).toEqual(base);
      expect((await fresh.optimStep(contractAdam)).metrics["step"]).toBe(1);
      if (fixture.options.learns) expect(await one.score(sequences)).not.toEqual(base);
    });

    it("says the same of itself as its engine", async () => {
      await using frozen = await fixture.policy.freeze();
      for (const player of [fixture.policy, frozen]) {
        expect(player.capabilities).toEqual(fixture.engine.capabilities);
        const { text } = fixture.options;
        expect(player.tokenizer.encode(text)).toEqual(fixture.engine.tokenizer.encode(text));
      }
    });

    it("disposed of, carries out what was asked before and rejects what follows; the others go on", async () => {
      const policy = await fixture.engine.openPolicy();
      const frozen = await policy.freeze();
      const sequences = fixture.draw("closed", 5);
      const before = await frozen.score(sequences);
      const [asked] = await Promise.all([policy.score(sequences), policy[Symbol.asyncDispose]()]);
      fixture.expectSame(asked, before);
      await policy[Symbol.asyncDispose]();
      const folder = await fixture.newFolder();
      for (const call of [
        () => policy.score(sequences),
        () => sampled(fixture, policy),
        () => policy.forwardBackward([], "cross_entropy"),
        () => policy.optimStep(contractAdam),
        () => policy.save(folder, { optimizer: false }),
        () => policy.load(folder, { optimizer: false }),
        () => policy.freeze(),
      ]) {
        await expect(call()).rejects.toBeInstanceOf(SqlmError);
      }
      expect(await frozen.score(sequences)).toEqual(before);
      await frozen[Symbol.asyncDispose]();
      await expect(frozen.score(sequences)).rejects.toBeInstanceOf(SqlmError);
      expect(await fixture.policy.score(sequences)).toHaveLength(1);
    });

    it("an engine that is disposed of ends its policies and players", async () => {
      const engine = await fixture.options.open();
      const policy = await engine.openPolicy();
      const frozen = await policy.freeze();
      await engine[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      for (const player of [policy, frozen]) {
        await expect(player.score(fixture.draw("ended", 4))).rejects.toBeInstanceOf(SqlmError);
        await player[Symbol.asyncDispose]();
      }
      await expect(engine.openPolicy()).rejects.toBeInstanceOf(SqlmError);
    });
  });
}

async function train(policy: Policy, data: readonly Datum[]): Promise<void> {
  await policy.forwardBackward(data, "cross_entropy");
  await policy.optimStep(contractAdam);
}

function sampled(fixture: EngineFixture, player: Player) {
  return fixture.sample(fixture.draw("frozen prompts", 2, 5), { numSamples: 4 }, player);
}
