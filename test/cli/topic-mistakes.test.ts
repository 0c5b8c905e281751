// Mistakes in a topic file, met by a run: named with file and function, nothing recorded that cannot go on, and a function
// that never returns does not keep the process from ending.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../src/model/find-model.ts";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

const executable = join(packageRoot, "bin", "sqlm.js");

/** A folder with a topic file; `parts` replaces some of a sound topic's. */
function topicFolder(parts: string): string {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, "topic.ts"),
    `import { defineTopic, type TopicDefinition } from "self-questioning";
const sound: TopicDefinition = {
  name: "sums", description: "Sums.", verification: "vote", maxTokens: { propose: 14, solve: 12 },
  settings: { model: "arithmetic", steps: 1, groupsPerBatch: 4, groupSize: 4 },
  proposePrompt: () => "P", solvePrompt: (question) => "S" + question.text, readAnswer: (value) => ({ ok: true, value }),
  readQuestion: (text) => ({ ok: true, value: { text, key: text, difficulty: 1 } }),
};
const never = (): never => { for (;;) {} };
const changed: object = { ${parts} };
export const topic = defineTopic({ ...sound, ...changed });
`,
  );
  return folder;
}

describe("a mistake is named, and what cannot be played leaves no run behind", () => {
  const mistakes: readonly (readonly [parts: string, sentence: RegExp, runs: number])[] = [
    [`proposePrompt: async () => "P"`, /topic\.ts: proposePrompt returned a Promise \(an async function\)/, 0],
    [`proposePrompt: () => undefined`, /topic\.ts: proposePrompt returned nothing \(undefined\)/, 0],
    [`proposePrompt: () => "日本"`, /The model knows no character of the prompt/, 0],
    [`proposePrompt: () => "P".repeat(500)`, /prompt of topic sums has 500 tokens/, 0],
    [
      `readQuestion: (text: string) => ({ ok: true, value: { text, difficulty: 1 } })`,
      /topic\.ts: readQuestion .* key is nothing/,
      1,
    ],
    [
      `readAnswer: (text: string) => ({ ok: true, value: Number(text) })`,
      /topic\.ts: readAnswer returned the number \d+/,
      1,
    ],
    [
      `readAnswer: (text: never) => text.missing.part`,
      /topic\.ts: readAnswer threw TypeError: .* at .*topic\.ts:\d+/,
      1,
    ],
  ];
  test.each(mistakes)("%s", async (parts, sentence, runs) => {
    const folder = topicFolder(parts);
    const workspace = ["--workspace", join(folder, ".sqlm")];
    const { code, stderr } = await runCli(["run", join(folder, "topic.ts"), ...workspace]);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toContain("defect");
    expect(code).toBe(2);
    const listed = await runCli(["list", "--json", ...workspace]);
    expect((JSON.parse(listed.stdout) as { runs: unknown[] }).runs).toHaveLength(runs);
  });
});

describe("a function that never returns", () => {
  /** Starts a run and waits until it says that it has begun. */
  async function begin(parts: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, [executable, "run", "./topic.ts"], { cwd: topicFolder(parts) });
    await once(child.stdout!, "data");
    return child;
  }

  test.each([
    ["SIGINT", `readAnswer: never`],
    ["SIGTERM", `readQuestion: () => /^(a+)+$/.test("a".repeat(60) + "b")`],
    ["SIGTERM", `hidden: { levels: [1], frontier: 1, check: () => true, heldOut: never }`],
  ] as const)("does not outlive %s: %s", async (signal, parts) => {
    const child = await begin(parts);
    const ended = once(child, "exit");
    // It sees within a tenth of a second that it stands still; the sampling before takes longer on a busy machine.
    await wait(3000);
    expect(child.exitCode).toBeNull();
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
  });

  test("is named by the watchdog, which ends the process after a while", async () => {
    const script = join(temporaryFolder(), "stuck.ts");
    const from = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
    writeFileSync(
      script,
      `import { setTimeout as wait } from "node:timers/promises";
       import { watchTopicCalls } from ${from("cli/watchdog.ts")};
       import { checked, isPrompt } from ${from("topics/checked-topic.ts")};
       process.on("SIGTERM", () => console.log("listened"));
       using watchdog = watchTopicCalls({ noteSeconds: 0.5, endSeconds: 1 });
       const busy = (milliseconds: number) => { const end = Date.now() + milliseconds; while (Date.now() < end); return "P"; };
       const call = (body: () => string) => checked({ source: "topic.ts", part: "solvePrompt" }, body, () => null, isPrompt);
       await wait(300);
       // Not in a topic's function, however long.
       busy(1500);
       await wait(300);
       // Listeners come back when the function returns.
       call(() => busy(400))();
       await wait(300);
       process.kill(process.pid, "SIGTERM");
       await wait(300);
       call(() => { for (;;) {} })();`,
    );
    const { stdout, stderr, signal } = spawnSync(process.execPath, [script], { encoding: "utf8" });
    expect(stdout).toBe("listened\n");
    expect(signal).toBe("SIGTERM");
    expect(stderr).toMatch(/topic\.ts: solvePrompt, at \/.*stuck\.ts:17, has not returned for 0\.5 seconds/);
    expect(stderr).toMatch(/has not returned for 1 seconds, so the process ends/);
  });
});
