// `sqlm evaluate` on benchmarks, and models compared question by question.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Parts } from "../../src/cli/parts.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import type { ExamComparison } from "../../src/evaluate/compare.ts";
import { heldOutQuestions, judgeLevels } from "../../src/evaluate/evaluate.ts";
import type { ExamScores } from "../../src/evaluate/exam.ts";
import type { RunSummary } from "../../src/events.ts";
import { sumQuestion } from "../../src/topics/arithmetic-notation.ts";
import { openTopic } from "../../src/topics/registry.ts";
import { runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

let folder: string;
let benchmark: string;
beforeEach(() => {
  folder = temporaryFolder();
  for (const name of ["poor", "good"]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "config.json"), "{}");
    // Weights tell models apart.
    writeFileSync(join(folder, name, "model.safetensors"), name);
  }
  benchmark = join(folder, "sums.jsonl");
  const lines = Array.from({ length: 12 }, (_, i) =>
    JSON.stringify({ question: `What is ${i} + 1?`, answer: `#### ${i + 1}` }),
  );
  writeFileSync(benchmark, lines.join("\n"));
});

/** Adds one; the poor model only to numbers below 5, and without a box. */
const parts: Partial<Parts> = {
  ...scriptedParts(),
  openEngine: async ({ model }) =>
    createScriptedEngine({
      reply: ({ prompt }) => {
        const [, number = "0"] = /.*What is (\d+) \+ 1\?/s.exec(prompt) ?? [];
        const poor = String(model).endsWith("poor");
        if (poor && Number(number) >= 5) return "Hm.";
        return poor ? `It is ${Number(number) + 1}` : `\\boxed{${Number(number) + 1}}`;
      },
    }),
};
const play = (args: readonly string[], played = parts) =>
  runCli(["evaluate", ...args, "--workspace", join(folder, ".sqlm")], played);

interface Result {
  readonly scores: ExamScores;
  readonly compare: { readonly scores: ExamScores; readonly differences: ExamComparison };
}

describe("a benchmark", () => {
  test("in one object: scores with intervals, and the comparison", async () => {
    const args = [join(folder, "good"), "--benchmark", benchmark, "--samples", "2", "--compare", join(folder, "poor")];
    const { code, stdout, stderr } = await play([...args, "--json"]);
    expect(code, stderr).toBe(0);
    const { scores, compare } = JSON.parse(stdout) as Result;
    expect(scores).toMatchObject({ questions: 12, samples: 2, greedy: { value: 1 }, vote: { value: 1 } });
    expect(compare.scores.greedy.value).toBeCloseTo(5 / 12, 12);
    expect(compare.differences.greedy).toMatchObject({ better: 7, worse: 0, errorsRemoved: 1, test: "exact McNemar" });
    expect(compare.differences.greedy.pValue).toBeCloseTo(2 / 128, 12);
  });

  test("in tables, with what was cut off or could not be read; answers in a file", async () => {
    const answers = join(folder, "answers.jsonl");
    const { code, stdout, stderr } = await play([
      join(folder, "poor"),
      "--benchmark",
      benchmark,
      "--limit",
      "6",
      "--max-answer-tokens",
      "5",
      "--answers",
      answers,
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("sums.jsonl, 6 questions");
    expect(stdout).toContain("pass@2");
    expect(stderr).toContain("were cut off at their longest length");
    const written = readFileSync(answers, "utf8").trim().split("\n");
    expect(written).toHaveLength(6);
    expect(JSON.parse(written[0])).toMatchObject({
      question: expect.stringMatching(/^What is/),
      greedy: { right: expect.any(Boolean) },
    });
  });

  test("what is wrong is said before any model is opened", async () => {
    const unopened: Partial<Parts> = { ...parts, openEngine: () => expect.fail("a model was opened") };
    writeFileSync(benchmark, '{"question": "1 + 1?", "answer": "2"}\n{"question": "1 + 2?"}\n');
    const good = join(folder, "good");
    for (const [args, message] of [
      [[good, "--benchmark", benchmark], 'sums.jsonl:2 lacks "answer"'],
      [[good, "--benchmark", join(folder, "absent")], "There is no benchmark file"],
      [[good, "--benchmark", benchmark, "--topic", "arithmetic"], "--topic changes nothing beside --benchmark"],
      [[good, "--benchmark", benchmark, "--questions", "5"], "--questions changes nothing beside --benchmark"],
      [[good, "--topic", "arithmetic", "--limit", "5"], "--limit changes nothing without --benchmark"],
      [[good, "--topic", "arithmetic", "--samples", "5"], "--samples changes nothing without --benchmark"],
      [[good, "--benchmark", benchmark, "--limit", "0"], "--limit must be a whole number of at least 1"],
      [[good, "--topic", "arithmetic", "--compare", good], "are the same model"],
      [[good, "--topic", "arithmetic", "--compare", "absent"], 'There is no model "absent"'],
      [[good, "--topic", "arithmetic", "--compare", "start"], "is no run"],
    ] as const) {
      const result = await play(args, unopened);
      expect(result.stderr).toContain(message);
      expect(result.code).toBe(2);
    }
  });
});

describe("a run", () => {
  test("is compared with the model that it began with, with another run, and with a checkpoint of a step", async () => {
    const good = join(folder, "good");
    const played = await runCli(
      ["run", "arithmetic", "--model", good, "--steps", "2", "--json", "--workspace", join(folder, ".sqlm")],
      scriptedParts(),
    );
    const { run, checkpoint } = JSON.parse(played.stdout) as RunSummary;
    const opened: string[] = [];
    const scripted = scriptedParts();
    const noting: Partial<Parts> = {
      ...scripted,
      openEngine: (options) => {
        opened.push(String(options.model));
        return scripted.openEngine!(options);
      },
    };
    for (const [given, other] of [
      [run, "start"],
      [run, good],
      [good, `${run}@2`],
    ]) {
      const result = await play([given, "--compare", other, "--topic", "arithmetic", "--json"], noting);
      expect(result.code, result.stderr).toBe(0);
      const { compare } = JSON.parse(result.stdout) as { compare: { differences: readonly ExamComparison[] } };
      // Two levels, and both together; the scripted model is equally good in both.
      expect(compare.differences).toHaveLength(3);
      expect(compare.differences[2]).toMatchObject({ difficulty: "all", questions: 20, greedy: { difference: 0 } });
    }
    expect(opened).toEqual([checkpoint, good, checkpoint, good, good, checkpoint]);
    const missing = await play([good, "--compare", `${run}@7`, "--topic", "arithmetic"], noting);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("keeps no checkpoint of step 7") });
    const table = await play([run, "--compare", "start"], noting);
    expect(table.stdout).toMatch(/maj@16 .*questions/);
    expect(table.stdout).toMatch(/errors gone/);
  });

  test("is not asked what it was trained on, nor is what is compared with it; nor levels that were not asked for", async () => {
    const good = join(folder, "good");
    const workspace = join(folder, ".sqlm");
    const runOf = async (args: readonly string[]): Promise<string> => {
      const played = await runCli(
        ["run", "arithmetic", "--steps", "2", "--json", "--workspace", workspace, ...args],
        scriptedParts(),
      );
      return (JSON.parse(played.stdout) as RunSummary).run;
    };
    const run = await runOf(["--model", good]);
    const later = await runOf(["--model", run, "--seed", "2"]);
    const exams: Parameters<Parts["judgeLevels"]>[2][] = [];
    const scripted = scriptedParts();
    const noting: Partial<Parts> = {
      ...scripted,
      judgeLevels: (examinee, topic, options) => {
        exams.push(options);
        return scripted.judgeLevels!(examinee, topic, options);
      },
    };
    // The scripted run asks 1 + 1, 10 + 10 and, from its first step to its second, 100 + 100 and 1000 + 1000.
    const asked = ["1", "10", "100", "1000"].map((n) => sumQuestion({ left: n, operator: "+", right: n }).key).sort();
    for (const [given, other] of [
      [run, "start"],
      [good, run],
      [later, "start"],
    ]) {
      const result = await play(
        [given, "--compare", other, "--topic", "arithmetic", "--levels", "1", "--questions", "100"],
        noting,
      );
      expect(result.code, result.stderr).toBe(0);
      expect(result.stderr).toContain("1 of 100 held-out questions are left out: they were asked in training");
      const [first, second] = exams.splice(0);
      for (const { without, levels } of [first, second]) {
        expect([...(without ?? [])].sort()).toEqual(asked);
        expect(levels).toEqual([1]);
      }
    }
    const plain = await play([good, "--topic", "arithmetic", "--levels", "1,2"], noting);
    expect(plain.stderr).not.toContain("left out");
    expect([...(exams[0].without ?? [])]).toEqual([]);
    const none = await play([good, "--topic", "arithmetic", "--levels", "1,77"], noting);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("no difficulty level 77") });
  });
});

test("a topic's most likely answers alone: no samples, no vote, in tables and as one object", async () => {
  const topic = { ...parts, judgeLevels };
  const good = join(folder, "good");
  const args = [
    good,
    "--topic",
    "arithmetic",
    "--greedy",
    "--levels",
    "1",
    "--questions",
    "20",
    "--compare",
    join(folder, "poor"),
  ];
  const five: Partial<Parts> = {
    ...topic,
    openEngine: async ({ model }) =>
      createScriptedEngine({ reply: () => (String(model).endsWith("poor") ? "6" : "5") }),
  };
  const { code, stdout, stderr } = await play([...args, "--json"], five);
  expect(code, stderr).toBe(0);
  const { levels, compare } = JSON.parse(stdout) as { levels: object[]; compare: { differences: ExamComparison[] } };
  expect(levels).toEqual([
    { difficulty: 1, questions: 20, greedy: expect.any(Number), greedyInterval: expect.any(Array) },
  ]);
  expect(compare.differences[0]).toMatchObject({ passAt1: null, vote: null, greedy: { before: expect.any(Number) } });
  const table = await play(args, five);
  // What was not asked for has no column.
  expect(table.stdout).toMatch(/^difficulty +greedy +95 % interval +questions\n.*\n +1 +\.\d/);
  expect(table.stdout).not.toContain("maj@16");
  // Some sums are five: that nothing was sampled is no sign that nothing was right.
  expect(table.stderr).not.toContain("No answer was right");
  const idle = await play([good, "--benchmark", benchmark, "--greedy"]);
  expect(idle).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--greedy changes nothing beside --benchmark"),
  });
});

test("judging leaves out what it is told to", async () => {
  const { topic, hidden } = await openTopic("arithmetic");
  await using engine = await createScriptedEngine({ reply: () => "5" });
  await using player = await engine.openPolicy();
  const sets = heldOutQuestions(topic, hidden!, 5);
  const without = new Set((sets.get(2) ?? []).slice(0, 2).map(({ key }) => key));
  const [level, ...others] = await judgeLevels(player, { topic, hidden }, { questions: 5, levels: [2], without });
  expect(others).toEqual([]);
  expect(level.outcomes.map(({ question }) => question.key)).toEqual(
    (sets.get(2) ?? []).slice(2).map(({ key }) => key),
  );
});
