import { expect, test } from "vitest";
import { diagnose } from "../../src/evaluate/diagnose.ts";
import type { HiddenTruth } from "../../src/topics/define-topic.ts";
import type { JudgedGroup } from "../../src/types.ts";

const group = (winner: string | null, ...values: readonly (string | null)[]): JudgedGroup =>
  ({
    question: { text: "q", key: "q", difficulty: 1 },
    answers: values.map((value) => ({ value })),
    verdict: { winner },
  }) as unknown as JudgedGroup;

test("each value of a group is checked once, however many answers gave it, and counts as often as it was given", async () => {
  const checks: string[] = [];
  const hidden = {
    check: async (_: unknown, value: string) => {
      checks.push(value);
      return value === "4";
    },
  } as unknown as HiddenTruth;
  const groups = [group("4", "4", "4", "5", null), group(null, "5", "5"), group("6")];
  const found = await diagnose(hidden, groups, undefined);
  expect(found.map(({ truth }) => truth)).toEqual([
    { labelRight: true, accuracy: 0.5 },
    { labelRight: null, accuracy: 0 },
    { labelRight: false, accuracy: 0 },
  ]);
  expect(checks.sort()).toEqual(["4", "5", "5", "6"]);
});
