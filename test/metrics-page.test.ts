// docs/metrics.md explains every metric that a run records, and nothing that no run records.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { presets, type RunConfigInput, runConfigSchema } from "../src/config/config.ts";
import { createScriptedEngine } from "../src/engine/scripted.ts";
import type { Random } from "../src/random.ts";
import type { Sandbox } from "../src/sandbox/sandbox.ts";
import { selfPlay } from "../src/self-play.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import { readWrittenSum, writeNumber } from "../src/topics/arithmetic-notation.ts";
import { truth } from "../src/topics/arithmetic-truth.ts";
import { coding } from "../src/topics/coding.ts";
import type { DefinedTopic } from "../src/topics/define-topic.ts";

const root = resolve(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs", "metrics.md"), "utf8");
const documented = [...page.matchAll(/^\| `([^`]+)` *\|/gm)].map(([, name]) => name);

/** Whatever the program says, every call gives its number plus one. */
const addsOne: Sandbox = {
  languages: ["python"],
  run: async ({ calls }) => {
    const results = calls.map(({ args }) => ({ value: Number(args[0]) + 1 }));
    return { status: "ok", results, output: "", milliseconds: 0 };
  },
  [Symbol.asyncDispose]: async () => {},
};

const sums = ({ prompt, random }: { prompt: string; random: Random }): string =>
  prompt === "P" ? `${random.integer(1, 9)}+${random.integer(1, 9)}=` : String(random.integer(1, 3));

/** So that there is something to lose. */
const mostlyRight = ({ prompt, random }: { prompt: string; random: Random }): string => {
  if (prompt === "P") return `${random.integer(1, 9)}+${random.integer(1, 9)}=`;
  const sum = readWrittenSum(prompt.slice(1));
  return sum.ok && random.next() < 0.8 ? writeNumber(truth(sum.value)) : "7";
};

/** Adds one-digit numbers and nothing else. */
const ofOneDigit: typeof mostlyRight = ({ prompt, random }) => {
  if (prompt === "P") return `${random.integer(1, 9)}+${random.integer(1, 9)}=`;
  const sum = readWrittenSum(prompt.slice(1));
  return sum.ok && prompt.length <= "S1+1=".length ? writeNumber(truth(sum.value)) : String(random.integer(1, 99));
};

const tasks = ({ prompt, random }: { prompt: string; random: Random }): string =>
  prompt === "K" ? `+${random.integer(1, 9)}|1>2;2>3;3>4;4>5;5>7` : "x+1";

const onePlusOne = { text: "1+1=", key: "1+1", difficulty: 1 };

/** Names of the metrics that a short run over a scripted model records. */
async function recordedMetrics(
  input: RunConfigInput,
  topic: DefinedTopic,
  reply: (asked: { prompt: string; random: Random }) => string,
): Promise<Set<string>> {
  const config = runConfigSchema.parse({ ...input, groupsPerBatch: 6, groupSize: 6, steps: 5, evalQuestions: 3 });
  const folder = mkdtempSync(join(tmpdir(), "sqlm-metrics-"));
  const engine = () => createScriptedEngine({ reply });
  const names = new Set<string>();
  try {
    await using workspace = openWorkspace(folder);
    await using store = workspace.createRun(config);
    for await (const event of selfPlay({ topic, engine: engine(), store, config, sandbox: addsOne })) {
      if (event.type === "step-end") for (const name of Object.keys(event.record.metrics)) names.add(name);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return names;
}

describe("docs/metrics.md", async () => {
  // The paper's preset has a KL penalty and a clipped loss, the default has neither.
  const recorded = new Set<string>();
  for (const preset of Object.values(presets)) {
    for (const name of await recordedMetrics({ ...preset, minAgreement: 0 }, arithmetic, sums)) recorded.add(name);
  }
  // What only a topic with tests has.
  for (const name of await recordedMetrics({}, coding, tasks)) recorded.add(name);
  for (const name of await recordedMetrics({ guard: "note" }, arithmetic, mostlyRight)) recorded.add(name);
  // Where a topic cannot draw, some of its questions become probes.
  const { generator: _, ...cannotDraw } = arithmetic.topic;
  const collecting: RunConfigInput = {
    guard: "note",
    consistentVote: false,
    voteStop: "decided",
    rareCellBonus: 0.1,
    progressBonus: 1,
    chooseQuestions: "teaching",
  };
  for (const name of await recordedMetrics(collecting, { ...arithmetic, topic: cannotDraw }, mostlyRight)) {
    recorded.add(name);
  }
  const { topic } = arithmetic;
  const climbable = { ...arithmetic, topic: { ...topic, levels: topic.generator!.levels } };
  for (const name of await recordedMetrics({ climb: "on", replayShare: 0.1 }, climbable, ofOneDigit))
    recorded.add(name);
  const checked = { ...arithmetic, topic: { ...topic, inverseCheck: () => ({ prompts: ["1+1="], expected: "2" }) } };
  for (const name of await recordedMetrics({ inverseAnswers: 2 }, checked, sums)) recorded.add(name);
  const talks: typeof sums = (asked) => (asked.prompt.endsWith(";") || asked.prompt === "P" ? sums(asked) : "hm");
  const concluding = {
    ...topic,
    conclusion: { text: ";", maxTokens: 2 },
    readAnswer: (reply: string) => topic.readAnswer(reply.slice(reply.indexOf(";") + 1), onePlusOne),
  };
  for (const name of await recordedMetrics({}, { ...arithmetic, topic: concluding }, talks)) recorded.add(name);
  const separate = await recordedMetrics(
    { proposerWeights: "separate", proposerEvery: 1, proposerReward: "variance", consistentVote: false },
    arithmetic,
    sums,
  );
  const ofProposer = [...separate].filter((name) => name.startsWith("proposer."));

  it("explains every metric that a run records", () => {
    expect(recorded).toContain("groups.trained");
    expect(recorded).toContain("kl");
    expect([...recorded].filter((name) => !documented.includes(name))).toEqual([]);
  });

  it("explains the proposer's own metrics with those that they are named after", () => {
    expect(ofProposer).toContain("proposer.gradNorm");
    expect(page).toContain("`proposer.loss`");
    for (const name of ofProposer) expect(documented).toContain(name.slice("proposer.".length));
  });

  it("explains nothing that no run records", () => {
    // The one metric that only an engine with a model of its own can measure.
    const trainer = readFileSync(join(root, "src", "engine", "onnx", "train", "trainer.ts"), "utf8");
    const measured = trainer.includes("largestLogprobGap:") ? ["largestLogprobGap"] : [];
    const client = readFileSync(join(root, "src", "engine", "tinker", "client", "metrics.ts"), "utf8");
    const told = client.includes("`server.") ? ["server.…"] : [];
    expect(documented.filter((name) => !recorded.has(name))).toEqual([...measured, ...told]);
  });

  it("explains each metric once, with what it is, its range, healthy and unhealthy", () => {
    expect(new Set(documented).size).toBe(documented.length);
    for (const [row] of page.matchAll(/^\| `.*$/gm)) expect(row.split("|"), row).toHaveLength(7);
  });
});
