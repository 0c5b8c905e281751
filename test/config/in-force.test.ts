// A setting changes results exactly where its condition says that it is in force: no knob does nothing in silence.
import { describe, expect, test } from "vitest";
import { openCast } from "../../src/cast.ts";
import { type ConfigKey, type RunConfig, runConfigSchema } from "../../src/config/config.ts";
import { conditionOf, idleBecause } from "../../src/config/in-force.ts";
import { resolveConfig } from "../../src/config/layers.ts";
import { learning, optimizer, rewards } from "../../src/config/learn.ts";
import type { Policy } from "../../src/engine/engine.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import { UsageError } from "../../src/errors.ts";
import { judge } from "../../src/learn/judge.ts";
import { updateModel } from "../../src/learn/update.ts";
import { randomStream } from "../../src/random.ts";
import type { Answer, Proposal, Refusal, VerifiedGroup } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const random = randomStream("in-force");
const completion = () => {
  const tokens = Array.from({ length: random.integer(1, 4) }, () => random.integer(0, 50));
  // Far from what the scripted engine says of them, so that ratios reach both clips.
  return { tokens, logprobs: tokens.map(() => -0.05 - 2.5 * random.next()), stopReason: "stop" as const };
};
const answer = (value: string | null, form: number): Answer => ({
  ...completion(),
  promptTokens: [1, 2],
  text: "",
  form,
  value,
});

/** Proposals of every kind, and groups of every agreement: unanimous, high, low, tied, inconsistent, unreadable. */
const proposals: Proposal[] = [];
const groups: VerifiedGroup[] = [];
for (const [index, values] of [
  "aaaaaaaa",
  "aaaaaaab",
  "aaaaabbb",
  "aabcaade",
  "aaaabbbb",
  "abaaaabb",
  "aa??aab?",
  "aa??a???",
].entries()) {
  const question = { text: `q${index % 3}`, key: `q${index}`, difficulty: 1 };
  proposals.push({ ...completion(), promptTokens: [3], text: "", ask: 0, question, refusal: null });
  const answers = [...values].map((value, i) => answer(value === "?" ? null : value, i < 4 ? 0 : 1));
  groups.push({ proposal: index, question, answers, verdict: vote(answers) });
}
for (const kind of ["malformed", "duplicate", "surplus", "held-out"] satisfies Refusal["kind"][]) {
  proposals.push({ ...completion(), promptTokens: [3], text: "", ask: 0, question: null, refusal: { kind } });
}

/** All that a step decides: rewards, advantages, and the gradients and updates that reach the engine. */
async function outcomeOf(config: RunConfig, step: number): Promise<unknown> {
  const scripted = createScriptedEngine({ reply: () => "" });
  const updates: unknown[] = [];
  const openPolicy = async (): Promise<Policy> => {
    const policy = await scripted.openPolicy();
    return {
      ...policy,
      async optimStep(adam) {
        const result = await policy.optimStep(adam);
        updates.push(adam, result);
        return result;
      },
      // The reference is elsewhere, or a penalty for leaving it would be none.
      async freeze() {
        const frozen = await policy.freeze();
        const score: Policy["score"] = async (sequences) =>
          (await frozen.score(sequences)).map((row) => row.map((logprob) => logprob / 2));
        return { ...frozen, score };
      },
    };
  };
  await using cast = await openCast({ ...scripted, openPolicy }, config);
  const curiosity = () => ({ rarity: 0.5, errorFall: 0.5 });
  const judgement = judge({ step, proposals, groups }, config, { curiosity });
  const metrics = await updateModel(cast, judgement, config);
  return [judgement, metrics, updates];
}

/** A step of the warm-up and a later one. */
async function outcome(config: RunConfig): Promise<string> {
  return JSON.stringify([await outcomeOf(config, 2), await outcomeOf(config, 200)]);
}

const defaults = { ...runConfigSchema.parse({}), proposerEvery: 1 };

/** Another value than the default, for each setting of learning. */
const others = {
  proposerReward: "variance",
  bandLow: 0.8,
  bandHigh: 0.6,
  malformedReward: -3,
  duplicateReward: -2,
  proposerEntropyCoef: 0.5,
  repetitionPenalty: 0.5,
  proposerEvery: 3,
  proposerLossWeight: 0.7,
  solverReward: "format",
  minAgreement: 0.95,
  lowAgreementPenalty: 0.3,
  consistentVote: false,
  gateLeak: 1,
  rareCellBonus: 0.5,
  progressBonus: 0.5,
  splitReward: 0.5,
  proposerBaseline: "kind",
  proposerWeights: "separate",
  advantageEstimator: "rloo",
  solverBaseline: "form",
  negativeAdvantageScale: 1,
  lossFn: "ppo",
  clipLow: 0.01,
  clipHigh: 0.01,
  lossAggregation: "token-sum",
  klPenaltyCoef: 0.5,
  importanceCap: 0.8,
  numSubsteps: 2,
  learningRate: 0.5,
  learningRateSchedule: "constant",
  warmupSteps: 0,
  beta1: 0.5,
  beta2: 0.5,
  eps: 0.5,
  weightDecay: 0.5,
  gradClipNorm: 0.5,
} satisfies Partial<Record<ConfigKey, unknown>>;

const keys = Object.keys({ ...rewards, ...learning, ...optimizer }) as (keyof typeof others)[];

/** Settings under which a key's condition holds in every way it can, and fails in every way it can. */
function circumstances(key: ConfigKey): Partial<RunConfig>[] {
  const condition = conditionOf(runConfigSchema.shape[key]) ?? {};
  return Object.entries(condition).flatMap(([other, wanted]) => {
    const schema = runConfigSchema.shape[other as ConfigKey];
    const values =
      wanted === "above 0" || wanted === "not 0" ? [0, 1] : Object.values((schema.unwrap() as { enum: object }).enum);
    return values.map((value: unknown) => ({ [other]: value }) as Partial<RunConfig>);
  });
}

describe("settings in force", () => {
  test("another value is tried of every setting of learning", () => {
    expect(Object.keys(others).sort()).toEqual([...keys].sort());
    for (const key of keys) expect(others[key], key).not.toBe(defaults[key]);
  });

  test.each(keys.filter((key) => conditionOf(runConfigSchema.shape[key]) === null))(
    "%s always changes something",
    async (key) => {
      expect(await outcome({ ...defaults, [key]: others[key] })).not.toBe(await outcome(defaults));
    },
  );

  test.each(keys.filter((key) => conditionOf(runConfigSchema.shape[key]) !== null))(
    "%s changes something exactly where it is in force",
    async (key) => {
      const seen = new Set<boolean>();
      for (const circumstance of circumstances(key)) {
        const config = { ...defaults, ...circumstance };
        const changed = (await outcome({ ...config, [key]: others[key] })) !== (await outcome(config));
        expect(changed, JSON.stringify(circumstance)).toBe(idleBecause(runConfigSchema.shape[key], config) === null);
        seen.add(changed);
      }
      expect(seen.size).toBe(2);
    },
  );

  test("one that is not is refused as a flag, noted from a file, and left alone in a preset or a topic", () => {
    const flags = { proposerReward: "sqlm", bandLow: 0.2 };
    expect(() => resolveConfig({ flags })).toThrow(UsageError);
    expect(() => resolveConfig({ flags })).toThrow(
      "--band-low changes nothing here: it counts only with proposerReward band, and proposerReward is sqlm.",
    );
    const file = { path: "sqlm.config.ts", values: { clipLow: 0.1 } };
    expect(resolveConfig({ file }).notes).toEqual([
      "clipLow in sqlm.config.ts changes nothing here: it counts only with lossFn ppo or cispo, and lossFn is importance_sampling.",
    ]);
    expect(resolveConfig({ file, flags: { lossFn: "ppo" } }).notes).toEqual([]);
    const words = { topic: "plain:sums", evalFile: "eval.jsonl" };
    expect(resolveConfig({ flags: words }).config).toMatchObject(words);
    expect(() => resolveConfig({ flags: { ...words, topic: "algebra" } })).toThrow(
      "--eval-file changes nothing here: it counts only with topic plain:*, and topic is algebra.",
    );
    const topic = { name: "t", settings: { bandLow: 0.1, bandHigh: 0.95 } };
    expect(resolveConfig({ topic, flags: { preset: "paper" } }).notes).toEqual([]);
  });
});
