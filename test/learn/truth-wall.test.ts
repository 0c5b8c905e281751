// No reward may depend on what knows the truth. Two walls are checked: nothing on the way to a reward imports a module
// that knows it, and a run through all stages never calls the checker of the topic that it plays.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/config/config.ts";
import { createScriptedEngine, createScriptedPolicy } from "../../src/engine/scripted.ts";
import type { StepRecord } from "../../src/events.ts";
import { health } from "../../src/guard/health.ts";
import { judge } from "../../src/learn/judge.ts";
import { propose } from "../../src/play/propose.ts";
import { solve } from "../../src/play/solve.ts";
import { randomStream } from "../../src/random.ts";
import { selfPlay } from "../../src/self-play.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { arithmetic } from "../../src/topics/arithmetic.ts";
import { defineTopic } from "../../src/topics/define-topic.ts";
import { plainTopic } from "../../src/topics/plain.ts";
import type { Evaluation } from "../../src/types.ts";
import { verify } from "../../src/verify/verify.ts";

const source = resolve(import.meta.dirname, "../../src");

/** Modules of this project that `path` imports at run time (type imports leave no trace in a program). */
function importsOf(path: string): string[] {
  const statements = readFileSync(path, "utf8").matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from\s+"(\.[^"]+)";/gms);
  return [...statements].map(([, target]) => resolve(dirname(path), target));
}

function reachable(from: readonly string[]): Set<string> {
  const seen = new Set(from);
  for (const path of seen) for (const target of importsOf(path)) seen.add(target);
  return new Set([...seen].map((path) => relative(source, path)));
}

const modulesIn = (folder: string) =>
  readdirSync(join(source, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(source, folder, name));

describe("the truth stays out of rewards", () => {
  it("sees the truth from a topic, so that the search below can find it", () => {
    expect(reachable([join(source, "topics/arithmetic.ts")])).toContain("topics/arithmetic-truth.ts");
  });

  it("no stage on the way to a reward imports a topic", () => {
    const stages = ["learn", "verify", "play", "guard"].flatMap(modulesIn);
    expect(stages.length).toBeGreaterThan(10);
    expect([...reachable(stages)].filter((name) => name.startsWith("topics/"))).toEqual([]);
  });

  it("no stage calls the checker, and rewards are the same whatever it says", async () => {
    const config = runConfigSchema.parse({});
    const engine = createScriptedPolicy({
      reply: ({ prompt, random }) =>
        prompt !== "P"
          ? String(random.integer(1, 2))
          : random.integer(1, 4) === 1
            ? "nonsense"
            : `${random.integer(1, 9)}+${random.integer(1, 9)}=`,
    });
    const rewardsUnder = async (check: () => boolean) => {
      const { topic } = defineTopic({
        ...arithmetic.topic,
        hidden: { check, levels: [1], frontier: 1, heldOut: () => [] },
      });
      const sampling = { temperature: 1, topP: 1, topK: 0, truncatedReplies: "refuse" as const, seed: 1 };
      const none = new Set<string>();
      const proposals = await propose(engine, topic, {
        ...sampling,
        count: 12,
        accept: 8,
        random: randomStream("wall"),
        recent: [],
        seenKeys: none,
        heldOutKeys: none,
      });
      const groups = await solve(engine, topic, proposals, {
        ...sampling,
        groupSize: 8,
        consistentVote: true,
        heldOutKeys: new Set<string>(),
      });
      const verified = await verify(topic, groups, { consistentVote: true });
      const judgement = judge({ step: config.proposerEvery, proposals, groups: verified }, config);
      return { judgement, health: health(judgement) };
    };
    const honest = await rewardsUnder(() => expect.fail("a stage called the checker"));
    expect(honest.judgement.groups.length).toBeGreaterThan(0);
    expect(honest.judgement.proposals.some(({ advantage }) => advantage !== 0)).toBe(true);
    expect(await rewardsUnder(() => true)).toEqual(honest);
  });

  it("answers of an eval file reach no prompt and no reward, and its questions are never asked in training", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sqlm-wall-"));
    const question = "What is 30 plus 4?";
    const played = async (answer: number) => {
      const evalFile = join(folder, `${answer}.jsonl`);
      writeFileSync(evalFile, JSON.stringify({ question, answer }));
      const defined = plainTopic("sums", { evalFile });
      const prompts = new Set<string>();
      const engine = createScriptedEngine({
        reply: ({ prompt, random }) => {
          prompts.add(prompt);
          const number = random.integer(1, 4);
          return prompt.endsWith("<question>")
            ? `<question>What is 30 plus ${number}?</question>`
            : `\\boxed{${30 + number}}`;
        },
      });
      const workspace = openWorkspace(join(folder, `workspace-${answer}`));
      const config = runConfigSchema.parse({
        topic: "plain:sums",
        evalFile,
        steps: 2,
        groupsPerBatch: 6,
        groupSize: 4,
        consistentVote: false,
        evalQuestions: 1,
      });
      await using store = workspace.createRun(config, { name: "wall" });
      const steps: StepRecord[] = [];
      const evaluations: Evaluation[] = [];
      for await (const event of selfPlay({ topic: defined, engine, store, config })) {
        if (event.type === "step-end") steps.push(event.record);
        if (event.type === "evaluation-end") evaluations.push(event.evaluation);
      }
      await workspace[Symbol.asyncDispose]();
      return {
        steps: steps.map(({ proposals, groups, metrics }) => ({ proposals, groups, metrics })),
        prompts,
        evaluations,
      };
    };
    try {
      const right = await played(34);
      const wrong = await played(4711);
      expect(right.steps).toEqual(wrong.steps);
      expect([...wrong.prompts].join()).not.toContain("4711");
      // The evaluation sees it: the model is sometimes right with the one, never with the other.
      expect(right.evaluations.map(({ levels }) => levels[0].passAt1 > 0)).toEqual([true, true]);
      expect(wrong.evaluations.map(({ levels }) => levels[0].passAt1)).toEqual([0, 0]);
      const refused = right.steps
        .flatMap(({ proposals }) => proposals)
        .filter(({ refusal }) => refusal?.kind === "held-out");
      expect(refused.length).toBeGreaterThan(0);
      const asked = right.steps.flatMap(({ groups }) => groups);
      expect(asked.length).toBeGreaterThan(0);
      for (const { question: own, truth } of asked) {
        expect(own.text).not.toBe(question);
        expect(truth).toBeNull();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
