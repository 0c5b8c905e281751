// Every topic that comes with the package comes with a model that is unsure at the topic's frontier: neither hopeless nor
// finished, or self-play would have nothing to do.
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";
import { builtInTopicNames, openTopic } from "../../src/topics/registry.ts";

const models = resolve(import.meta.dirname, "../../models");

test("there is one model for each built-in topic, small enough to ship", () => {
  expect(readdirSync(models).sort()).toEqual([...builtInTopicNames].sort());
  for (const name of builtInTopicNames) {
    expect(statSync(join(models, name, "model.safetensors")).size).toBeLessThan(25 * 1024 * 1024);
  }
});

test.each(builtInTopicNames)("the model of %s is unsure at its frontier", async (name) => {
  const topic = await openTopic(name);
  await using sandbox = topic.topic.verification === "tests" ? createSandbox() : undefined;
  await using engine = await openOnnxEngine({ model: join(models, name), threads: 1 });
  await using policy = await engine.openPolicy();
  const { levels } = await evaluate(policy, topic, { questions: 16, model: name, sandbox });
  const passAt1 = new Map(levels.map((level) => [level.difficulty, level.passAt1]));
  const atFrontier = passAt1.get(topic.hidden?.frontier ?? Number.NaN);
  expect(atFrontier).toBeGreaterThan(0.25);
  expect(atFrontier).toBeLessThan(0.9);
  // The easiest questions are nearly solved, so that votes are right somewhere from the start.
  expect(passAt1.get(topic.hidden?.levels[0] ?? Number.NaN)).toBeGreaterThan(0.7);
});
