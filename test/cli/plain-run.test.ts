// Topics in words through the command line: files of questions beside them, what is said where nobody knows the truth. The loop
// is the real one, its model a scripted engine.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { type Parts, projectParts } from "../../src/cli/parts.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import type { RunSummary } from "../../src/events.ts";
import type { ModelFolder } from "../../src/model/model-folder.ts";
import type { RunOverview } from "../../src/store/queries.ts";
import type { LevelResult } from "../../src/types.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

let folder: string;
let evalFile: string;
let examples: string;
const prompts = new Set<string>();

/** Writes sums and adds them up; learns to add to 50 and above with the first update. */
const parts: Partial<Parts> = {
  ...projectParts,
  openModelFiles: async () => ({
    folder: {} as ModelFolder,
    tokenizer: createScriptedEngine({ reply: () => "" }).tokenizer,
  }),
  planEngine: async () => null,
  openEngine: async () =>
    createScriptedEngine({
      reply: ({ prompt, random, updates }) => {
        prompts.add(prompt);
        const asked = [...prompt.matchAll(/What is (\d+) plus (\d+)/g)].at(-1);
        if (/Topic: sums[^?]*<question>$/.test(prompt)) {
          return `What is ${random.integer(40, 60)} plus ${random.integer(1, 9)}?</question>`;
        }
        if (asked === undefined) return "\\boxed{0}";
        const sum = Number(asked[1]) + Number(asked[2]);
        return `\\boxed{${sum >= 50 && updates === 0 ? sum - random.integer(0, 4) : sum}}`;
      },
    }),
};
const sqlm = (args: readonly string[]) => runCli([...args, "--workspace", join(folder, ".sqlm")], parts);

beforeEach(() => {
  prompts.clear();
  folder = temporaryFolder();
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "model", "config.json"), "{}");
  evalFile = join(folder, "eval.jsonl");
  const lines = [3, 20, 50, 55].map((n) => JSON.stringify({ question: `What is ${n} plus 7?`, answer: n + 7 }));
  writeFileSync(evalFile, lines.join("\n"));
  examples = join(folder, "examples.jsonl");
  writeFileSync(examples, '{"question": "What is 700 plus 1?", "answer": "700 + 1 = 701\\n#### 701"}\n');
});

const small = ["--steps", "2", "--groups-per-batch", "4", "--group-size", "4", "--eval-every", "1"];
const words = (...args: readonly string[]) => [
  "run",
  "plain:sums",
  "--model",
  join(folder, "model"),
  "--no-consistent-vote",
  ...small,
  ...args,
];

describe("with an eval file", () => {
  test("a run is evaluated on it before, on the way and at the end, and all that looks at a run shows it", async () => {
    const played = await sqlm(words("--eval-file", evalFile, "--examples", examples, "--json"));
    expect(played.code, played.stderr).toBe(0);
    const summary = JSON.parse(played.stdout) as RunSummary;
    // Greedy answers to sums below 50 are right from the start.
    expect(summary.before?.levels).toMatchObject([{ difficulty: 1, questions: 4, greedy: expect.any(Number) }]);
    expect(summary.after?.levels).toMatchObject([{ difficulty: 1, passAt1: 1, greedy: 1, majAt16: 1 }]);
    expect(summary.before?.levels[0].passAt1).toBeLessThan(1);
    expect([...prompts].some((prompt) => prompt.includes("The answer is \\boxed{701}."))).toBe(true);

    const shown = JSON.parse((await sqlm(["show", summary.run, "--json"])).stdout) as RunOverview;
    expect(shown.evaluations.map(({ step }) => step)).toEqual([0, 1, 2]);
    expect(shown.config).toMatchObject({ evalFile, examples });
    const page = (await sqlm(["show", summary.run])).stdout;
    expect(page).toContain("Evaluation, step 0 → 2");
    expect(page).toContain("Nobody knows which answers to its own questions are right");
    expect(page).toContain("None of them is accuracy");
    const report = join(folder, "report.md");
    expect((await sqlm(["report", summary.run, "--out", report])).code).toBe(0);
    const text = readFileSync(report, "utf8");
    expect(text).toContain("Held-out questions");
    expect(text).toContain("measured on the questions of the eval file");

    const again = await sqlm(["evaluate", summary.run, "--json"]);
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ topic: "plain:sums", levels: [{ questions: 4 }] });
  });

  test("a run goes on only with the file that it was made with", async () => {
    const { run } = JSON.parse((await sqlm(words("--eval-file", evalFile, "--json"))).stdout) as RunSummary;
    writeFileSync(evalFile, '{"question": "What is 1 plus 1?", "answer": 2}\n');
    const refused = await sqlm(["resume", run, "--steps", "3"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("eval.jsonl has changed") });
    expect((await sqlm(["resume", run, "--steps", "3", "--changed"])).code).toBe(0);
  });

  test("evaluate reads replies as the run does: what is cut off counts for one that reads it", async () => {
    const cut = ["--eval-file", evalFile, "--max-answer-tokens", "10", "--json"];
    const refusing = JSON.parse((await sqlm(words(...cut))).stdout) as RunSummary;
    const reading = JSON.parse((await sqlm(words(...cut, "--truncated-replies", "read"))).stdout) as RunSummary;
    const greedy = async ({ run }: RunSummary): Promise<number | undefined> => {
      const [line] = (await sqlm(["evaluate", run, "--json"])).stdout.trim().split("\n");
      return (JSON.parse(line) as { levels: readonly LevelResult[] }).levels[0].greedy;
    };
    // The engine of these tests knows nothing of checkpoints: it is the model as it began, half right.
    expect([await greedy(refusing), await greedy(reading)]).toEqual([0, 0.5]);
    // `\\boxed{27}` has ten characters, and the end is one token more.
    expect([refusing, reading].map(({ after }) => after?.levels[0].greedy)).toEqual([0, 1]);
  });

  test("larger than an evaluation: said", async () => {
    const played = await sqlm(words("--eval-file", evalFile, "--eval-questions", "2"));
    expect(played.stderr).toContain("Each evaluation asks 2 of the 4 questions");
  });

  test("for a model that is no run: evaluate takes one too", async () => {
    const model = join(folder, "model");
    const args = ["evaluate", model, "--topic", "plain:sums"];
    expect(await sqlm(args)).toMatchObject({ code: 2, stderr: expect.stringContaining("--eval-file FILE.jsonl") });
    const found = await sqlm([...args, "--eval-file", evalFile, "--json"]);
    expect(JSON.parse(found.stdout)).toMatchObject({ levels: [{ questions: 4 }] });
    const idle = await sqlm(["evaluate", model, "--topic", "arithmetic", "--eval-file", evalFile]);
    expect(idle).toMatchObject({ code: 2, stderr: expect.stringContaining("--eval-file changes nothing here") });
  });
});

test("without one, a run ends with how it stands, that none of it is accuracy, and how to measure that", async () => {
  const { code, stdout, stderr } = await sqlm(words());
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(
    /Nobody knows which answers to its own questions are right\. First steps → last steps: agreement \./,
  );
  expect(stdout).toContain("readable answers 1.00 → 1.00");
  expect(stdout).toContain("--eval-file FILE.jsonl");
  const latest = await sqlm(["show", "latest"]);
  expect(latest.stdout).toContain("None of them is accuracy");
});

describe("what cannot be used", () => {
  test.each<[string, () => readonly string[], string]>([
    [
      "a topic that is not in words",
      () => ["run", "arithmetic", "--eval-file", evalFile],
      "it counts only with topic plain:*",
    ],
    [
      "examples of such a topic",
      () => ["run", "arithmetic", "--examples", examples],
      "it counts only with topic plain:*",
    ],
    ["a missing file", () => words("--eval-file", join(folder, "absent")), "There is no eval file"],
    ["missing examples", () => words("--examples", join(folder, "absent")), "There is no file of examples"],
    ["an overlap", () => words("--eval-file", evalFile, "--examples", evalFile), "shows with its answer"],
  ])("%s is refused, and leaves nothing behind", async (_, args, message) => {
    const result = await sqlm(args());
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    expect((await sqlm(["list", "--json"])).stdout).not.toContain("plain:sums");
  });

  test("a line is named", async () => {
    writeFileSync(evalFile, '{"question": "What is 1 plus 1?", "answer": 2}\n{"question": "What is 2 plus 2?"}\n');
    const { code, stderr } = await sqlm(words("--eval-file", evalFile));
    expect(code).toBe(2);
    expect(stderr).toMatch(/eval\.jsonl:2 lacks "answer"\.\n/);
  });
});
