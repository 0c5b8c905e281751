import { expect, test } from "vitest";
import { describeStep } from "../../src/cli/step-line.ts";
import { exampleStep } from "../../src/testing/example-step.ts";

test("a step's line says up to which level a climb has come, and nothing of it where nothing climbs", () => {
  const record = exampleStep(3);
  const lineOf = (metrics: Readonly<Record<string, number>>): string =>
    describeStep({ ...record, metrics }, 10, null, 80)[0];
  expect(lineOf(record.metrics)).toMatch(/^step {2}3\/10 {2}agreement /);
  expect(lineOf(record.metrics)).not.toContain("level");
  expect(lineOf({ ...record.metrics, climbFrontier: 12 })).toContain("  solved up to level 12  ");
  expect(lineOf({ ...record.metrics, climbFrontier: 0 })).toContain("  no level solved  ");
});
