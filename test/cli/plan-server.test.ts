// What a step on a server asks for, in tokens and money.
import { describe, expect, it } from "vitest";
import { costOf, measureServer, readPrices, tokensOfStep } from "../../src/cli/plan-server.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import type { StepWork } from "../../src/engine/work.ts";
import { UsageError } from "../../src/errors.ts";

const propose = {
  stage: "propose",
  prompts: 1,
  promptTokens: 10,
  sharedTokens: 0,
  samplesOfPrompt: 100,
  maxTokens: 20,
} as const;
const solve = {
  stage: "solve",
  prompts: 8,
  promptTokens: 30,
  sharedTokens: 0,
  samplesOfPrompt: 4,
  maxTokens: 50,
} as const;
const work: StepWork = {
  sampled: [propose, solve],
  trained: [
    { ...solve, share: 1 },
    { ...propose, share: 0.5 },
  ],
  updates: 1,
  referencePasses: 0,
  correction: "never",
  policies: 1,
  frozenPlayers: 0,
};

describe("a step on a server", () => {
  it("sends a prompt once for the samples of a request, and trains prompts and replies", () => {
    expect(tokensOfStep(work)).toEqual({
      // Two requests of at most 64 samples, and one for each of 8 prompts.
      prefill: 2 * 10 + 8 * 30,
      sample: 100 * 20 + 32 * 50,
      train: 32 * 80 + 0.5 * 100 * 30,
    });
  });

  it("asks more under a reference, and to correct for the sampler", () => {
    const plain = tokensOfStep(work);
    expect(tokensOfStep({ ...work, correction: "always" })).toEqual({ ...plain, prefill: plain.prefill + plain.train });
    expect(tokensOfStep({ ...work, referencePasses: 1 })).toEqual({
      ...plain,
      prefill: plain.prefill + plain.train,
      train: 2 * plain.train,
    });
  });

  it("costs what the prices say", () => {
    const prices = readPrices("0.1, 0.4,2");
    expect(prices).toEqual({ prefill: 0.1, sample: 0.4, train: 2 });
    expect(costOf({ prefill: 1e6, sample: 2e6, train: 3e6 }, prices)).toBeCloseTo(0.1 + 0.8 + 6);
    for (const given of ["", "1,2", "1,2,3,4", "1,,2", "1,-2,3", "a,b,c", "1,2,Infinity"]) {
      expect(() => readPrices(given)).toThrow(UsageError);
    }
  });

  it("is measured by samples and passes, without an update", async () => {
    let updates = 0;
    await using engine = createScriptedEngine({
      reply: (request) => {
        updates = Math.max(updates, request.updates);
        return "12345";
      },
    });
    const rates = await measureServer(engine);
    expect(rates.sample).toBeGreaterThan(0);
    expect(rates.train).toBeGreaterThan(0);
    expect(rates.tokens).toBeGreaterThan(1000);
    expect(updates).toBe(0);
  });
});
