// Cases made from what people reported of other projects, in parts that have no suite of such cases of their own:
// advantages, the learning rate, TensorBoard files, two models at once. Each names its source.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Policy } from "../src/engine/engine.ts";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { type AdvantageEstimator, advantages } from "../src/learn/advantages.ts";
import { learningRateAt } from "../src/learn/update.ts";
import { createModel } from "../src/model/create-model.ts";
import { maskedCrc32c, tensorboardFile } from "../src/store/tensorboard.ts";

interface Case<Input, Expected> {
  readonly input: Input;
  readonly expected: Expected;
}
const [groups, rates, tensorboard, engines] = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures", "field-cases.json"), "utf8"),
) as [
  Case<
    { groups: number[][]; estimators: AdvantageEstimator[] },
    { largest: number; zeroSums: boolean; zeroGroups: number[] }
  >,
  Case<{ config: Parameters<typeof learningRateAt>[1]; steps: number[] }, { rates: number[] }>,
  Case<
    { events: { tag: string; step: number; value: number | string; wallTime: number }[] },
    { records: number; checksums: boolean }
  >,
  Case<object, { sameSamples: boolean }>,
];

test.each(groups.input.estimators)("advantages of %s of rewards that no float holds exactly", (estimator) => {
  const rows = advantages(groups.input.groups, estimator);
  for (const value of rows.flat()) expect(Math.abs(value)).toBeLessThan(groups.expected.largest);
  for (const group of groups.expected.zeroGroups) for (const value of rows[group]) expect(Math.abs(value)).toBe(0);
  if (groups.expected.zeroSums) {
    const sum = rows[0].reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo(0, 9);
  }
});

test("the learning rate is a function of the step alone", () => {
  const found = rates.input.steps.map((step) => learningRateAt(step, rates.input.config));
  for (const [index, rate] of rates.expected.rates.entries()) expect(found[index]).toBeCloseTo(rate, 12);
});

test("TensorBoard files take NaN and what single precision does not hold", () => {
  const events = tensorboard.input.events.map((event) => ({ ...event, value: Number(event.value) }));
  const file = Buffer.from(tensorboardFile(events, 1));
  let [at, records] = [0, 0];
  for (; at < file.length; records++) {
    const size = Number(file.readBigUInt64LE(at));
    const payload = file.subarray(at + 12, at + 12 + size);
    expect(file.readUInt32LE(at + 8)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
    expect(file.readUInt32LE(at + 12 + size)).toBe(maskedCrc32c(payload));
    at += size + 16;
  }
  expect({ records, checksums: at === file.length }).toEqual(tensorboard.expected);
});

test("two models in one process sample at once, and one goes on when the other is closed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-two-"));
  try {
    const characters = "0123456789+=";
    const shape = { characters, hiddenSize: 16, intermediateSize: 24, layers: 1, heads: 2, maxPositions: 16 };
    const open = async (seed: number) => {
      const model = join(folder, String(seed));
      createModel(model, { ...shape, architecture: "LlamaForCausalLM", seed });
      return openOnnxEngine({ model, threads: 1 });
    };
    await using first = await open(1);
    const second = await open(2);
    const policies = await Promise.all([first, second].map((engine) => engine.openPolicy()));
    const asks = [[2, 3, 4], [5]].map((promptTokens) => ({ promptTokens, numSamples: 4, seed: 7, first: 0 }));
    const sample = (policy: Policy) => policy.sample(asks, { maxTokens: 6, temperature: 1, stop: [] });
    const alone = [await sample(policies[0]), await sample(policies[1])];
    const together = await Promise.all(policies.map(sample));
    await second[Symbol.asyncDispose]();
    const sameSamples = JSON.stringify(together) === JSON.stringify(alone);
    expect({ sameSamples }).toEqual(engines.expected);
    expect(await sample(policies[0])).toEqual(alone[0]);
    expect(alone[0]).not.toEqual(alone[1]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
