import { join } from "node:path";
import { expect, test } from "vitest";
import { killRuns } from "./kill-runs.ts";

const appending = join(import.meta.dirname, "append-child.ts");
const selfPlay = join(import.meta.dirname, "self-play-child.ts");

test("200 kills of a process that records: nothing acknowledged is lost, nothing is there twice", async () => {
  const { runs } = await killRuns({ script: appending, args: ["60"], kills: 200, seed: 2, longestDelay: 1200 });
  expect(runs).toBeGreaterThan(0);
});

test("200 kills of self-play with the scripted engine", async () => {
  const { runs } = await killRuns({
    script: selfPlay,
    args: ["scripted", "40"],
    kills: 200,
    seed: 3,
    longestDelay: 1500,
  });
  expect(runs).toBeGreaterThan(0);
});

test("20 kills of self-play with the onnx engine: equal row for row and weight for weight", async () => {
  const { runs } = await killRuns({ script: selfPlay, args: ["onnx", "24"], kills: 20, seed: 4, longestDelay: 6000 });
  expect(runs).toBeGreaterThan(0);
});
