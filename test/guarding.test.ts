// Where a topic cannot draw probes, some of a run's own questions become them instead of teaching.
import { describe, expect, test } from "vitest";
import { runConfigSchema } from "../src/config/config.ts";
import { atEase } from "../src/guard/ladder.ts";
import { type GuardMemory, withhold } from "../src/guarding.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import type { VerifiedGroup } from "../src/types.ts";
import { vote } from "../src/verify/vote.ts";

/** A group whose two forms gave these answers, a letter each. */
const group = (key: string, ...forms: string[]): VerifiedGroup => {
  const completion = { promptTokens: [1], tokens: [8], logprobs: [-1], stopReason: "stop" as const, text: "" };
  const answers = forms.flatMap((values, form) => [...values].map((value) => ({ ...completion, form, value })));
  return { proposal: 0, question: { text: key, key, difficulty: 1 }, answers, verdict: vote(answers) };
};
const { generator: _, ...topic } = arithmetic.topic;
const solved = Array.from({ length: 8 }, (_, i) => group(`solved ${i}`, "aaaa", "aaaa"));
const split = Array.from({ length: 4 }, (_, i) => group(`split ${i}`, "aaaa", "bbbb"));
const empty: GuardMemory = { watch: null, collected: [], posture: atEase, honest: null };

function kept(given: object, groups: readonly VerifiedGroup[]): string[] {
  const config = runConfigSchema.parse({ guard: "note", ...given });
  const { memory, withheld } = withhold({ topic, config, heldOutKeys: new Set() }, empty, groups);
  expect([...withheld]).toEqual(memory?.collected.map(({ key }) => key));
  return [...withheld];
}

describe("probes of a topic that cannot draw", () => {
  test("are half of the solved questions", () => {
    expect(kept({}, [...split, ...solved])).toEqual(["solved 0", "solved 2", "solved 4", "solved 6"]);
  });

  test("with the counterforce a quarter of them are questions that forms are split on", () => {
    const found = kept({ splitReward: 0.1 }, [...split, ...solved]);
    expect(found).toEqual(["solved 0", "solved 2", "solved 4", "solved 6", "split 0"]);
    expect(kept({ splitReward: 0.1 }, split)).toEqual([]);
  });

  test("are no more than are asked for", () => {
    expect(kept({ splitReward: 0.1, probeQuestions: 3 }, [...split, ...solved])).toHaveLength(3);
  });
});
