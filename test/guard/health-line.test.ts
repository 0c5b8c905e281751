// What is said of a run whose labels nobody can check: numbers of its ends, and that none of them is accuracy.
import { expect, test } from "vitest";
import { healthLine } from "../../src/guard/health-line.ts";

test("compares the first three steps with the last three, and turns shares of what is bad around", () => {
  const line = healthLine({
    agreement: [0.4, 0.5, 0.6, 0, 0.7, 0.8, 0.9],
    unreadableShare: [0.1, 0.1, 0.1, 0.02, 0.02, 0.02],
    answerEntropy: [1.2],
    topAnswerShare: [0.05, 0.05],
  });
  expect(line).toContain("agreement .50 → .80");
  expect(line).toContain("readable answers .90 → .98");
  expect(line).toContain("entropy of answers 1.20 → 1.20 nats");
  expect(line).toContain("None of them is accuracy");
  expect(line).not.toContain("readable questions");
  expect(line).not.toContain("stopped reading");
});

test("warns of one answer to everything", () => {
  expect(healthLine({ topAnswerShare: [0.1, 0.1, 0.1, 0.9, 0.9, 0.9] })).toContain(
    "90 % of the questions elected one and the same answer",
  );
});

test("says nothing of nothing, and leaves out what is no number", () => {
  expect(healthLine({})).toBeNull();
  expect(healthLine({ agreement: [null, Number.NaN] })).toBeNull();
  expect(healthLine({ agreement: [null, 0.5, Number.NaN] })).toContain("agreement .50 → .50");
});
