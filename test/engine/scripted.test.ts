import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createScriptedEngine, createScriptedPolicy } from "../../src/engine/scripted.ts";
import { FileFormatError } from "../../src/errors.ts";
import { describeEngineContract } from "../../src/testing/index.ts";

await describeEngineContract("scripted", {
  open: async () =>
    createScriptedEngine({
      reply: ({ random }) => String(random.integer(0, 99_999)),
      maxSequenceTokens: 32,
    }),
  vocabularySize: 128,
  learns: false,
  text: "S321+654=é𝛑",
});

const folder = mkdtempSync(join(tmpdir(), "sqlm-scripted-"));
afterAll(() => rmSync(folder, { recursive: true }));
const adam = { learningRate: 1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };

describe("scripted engine", () => {
  const policy = createScriptedPolicy({
    reply: ({ prompt, sample, updates, temperature }) => `${prompt}:${sample}:${updates}:${temperature}`,
  });
  const options = { maxTokens: 20, temperature: 1, stop: policy.tokenizer.endTokens };
  const ask = { promptTokens: policy.tokenizer.encode("P"), numSamples: 2, seed: 1, first: 0 };
  const texts = async (temperature = 1) =>
    (await policy.sample([ask], { ...options, temperature }))[0].map(({ tokens }) => policy.tokenizer.decode(tokens));

  it("tells the script prompt, sample, temperature and updates", async () => {
    expect(await texts()).toEqual(["P:0:0:1", "P:1:0:1"]);
    await policy.optimStep(adam);
    expect(await texts(0)).toEqual(["P:0:1:0", "P:0:1:0"]);
  });

  it("saves and loads the number of updates", async () => {
    const saved = mkdtempSync(join(folder, "saved-"));
    await policy.save(saved, { optimizer: false });
    expect(readdirSync(saved)).toEqual(["scripted.json"]);
    await policy.optimStep(adam);
    expect((await texts())[0]).toBe("P:0:2:1");
    await policy.load(saved, { optimizer: false });
    expect((await texts())[0]).toBe("P:0:1:1");
    await expect(policy.load(saved, { optimizer: true })).rejects.toBeInstanceOf(FileFormatError);
  });

  it("says when a state file is broken", async () => {
    const broken = mkdtempSync(join(folder, "broken-"));
    for (const text of ["", "{", "{}", '{"format":"sqlm-scripted-engine","updates":-1}']) {
      writeFileSync(join(broken, "scripted.json"), text);
      await expect(policy.load(broken, { optimizer: false })).rejects.toBeInstanceOf(FileFormatError);
    }
    expect((await texts())[0]).toBe("P:0:1:1");
  });

  it("renders messages", () => {
    const tokens = policy.tokenizer.encodeChat([{ role: "user", content: "hello" }]);
    expect(policy.tokenizer.decode(tokens)).toBe("<user>hello\n<assistant>");
  });
});
