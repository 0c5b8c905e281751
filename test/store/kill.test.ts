import { join } from "node:path";
import { expect, test } from "vitest";
import { killRuns } from "./kill-runs.ts";

test("a run that was killed and resumed equals one that was not", async () => {
  const script = join(import.meta.dirname, "append-child.ts");
  const { runs } = await killRuns({ script, args: ["40"], kills: 5, seed: 1, longestDelay: 700 });
  expect(runs).toBeGreaterThan(0);
});
