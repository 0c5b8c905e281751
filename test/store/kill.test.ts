import { join } from "node:path";
import { expect, test } from "vitest";
import { killRuns } from "./kill-runs.ts";

test("a run that was killed and resumed equals one that was not", async () => {
  const script = join(import.meta.dirname, "append-child.ts");
  const { runs } = await killRuns({ script, args: ["40"], kills: 5, seed: 1, longestDelay: 700 });
  expect(runs).toBeGreaterThan(0);
});

test("self-play that was killed and resumed equals self-play that was not", async () => {
  const script = join(import.meta.dirname, "self-play-child.ts");
  const { runs } = await killRuns({ script, args: ["scripted", "16"], kills: 4, seed: 5, longestDelay: 1000 });
  expect(runs).toBeGreaterThan(0);
});

test("self-play that trains an adapter: killed and resumed it equals, token for token, one that was not", async () => {
  const script = join(import.meta.dirname, "self-play-child.ts");
  const { runs } = await killRuns({ script, args: ["lora", "8"], kills: 2, seed: 6, longestDelay: 6000 });
  expect(runs).toBeGreaterThan(0);
});
