// Self-play on programs that really run: two runs with the same seed are equal, sandbox included, also where programs fail,
// never end or are no programs.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import type { StepRecord } from "../../src/events.ts";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";
import { selfPlay } from "../../src/self-play.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { coding } from "../../src/topics/coding.ts";

const programs = ["x+1", "x+2", "x-1", "x//0", "list(iter(int,1))", "x+", "__import__('os').getpid()"];

async function play(): Promise<StepRecord[]> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-coding-"));
  try {
    const config = runConfigSchema.parse({
      topic: "coding",
      steps: 2,
      // One question a step: a program that uses up the memory does so in each of its calls, which takes a second.
      groupsPerBatch: 1,
      groupSize: 6,
      evalQuestions: 1,
    });
    // The third test of every task is wrong.
    const engine = createScriptedEngine({
      reply: ({ prompt, random }) =>
        prompt === "K"
          ? `+1 -${random.integer(1, 9)} +1|1>2;2>3;3>9;4>5;${random.integer(5, 9)}>7`
          : random.pick(programs),
    });
    await using sandbox = createSandbox();
    await using workspace = openWorkspace(folder);
    await using store = workspace.createRun(config);
    const records: StepRecord[] = [];
    // Without the truth, which would run the same programs on its own tests too.
    const topic = { topic: coding.topic, hidden: null };
    for await (const event of selfPlay({ topic, engine, store, config, sandbox })) {
      if (event.type === "step-end") records.push(event.record);
    }
    return records;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the same seed gives the same run, sandbox included", async () => {
  const withoutTime = (records: StepRecord[]) => records.map(({ seconds: _, timing: __, ...record }) => record);
  const first = withoutTime(await play());
  expect(first).toHaveLength(2);
  const verdicts = first.flatMap(({ groups }) => groups.map(({ verdict }) => verdict));
  expect(verdicts).toHaveLength(2);
  for (const verdict of verdicts)
    expect(verdict).toMatchObject({ kind: "tests", unagreedTests: expect.arrayContaining([2]) });
  expect(withoutTime(await play())).toEqual(first);
});
