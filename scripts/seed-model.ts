// Trains a topic's seed model from random weights with the project's own engine:
//
//   npm run seed-model -- [--topic arithmetic] [--steps N] [--out FOLDER] [--snapshots]
//
// It stops early on purpose: a half-trained model leaves self-play something to do. What it is trained on (questions and
// right answers drawn at random) is used for nothing else.
import { mkdirSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { didYouMean } from "../src/errors.ts";
import { evaluate } from "../src/evaluate/evaluate.ts";
import { createModel, endToken } from "../src/model/create-model.ts";
import { randomStream } from "../src/random.ts";
import { createSandbox } from "../src/sandbox/process-sandbox.ts";
import { openTopic } from "../src/topics/registry.ts";
import type { Datum } from "../src/types.ts";
import { seedRecipes } from "./seed-recipes.ts";

const { values: flags } = parseArgs({
  options: {
    topic: { type: "string", default: "arithmetic" },
    out: { type: "string" },
    steps: { type: "string" },
    batch: { type: "string" },
    seed: { type: "string", default: "7" },
    threads: { type: "string", default: "0" },
    "evaluate-every": { type: "string", default: "100" },
    // Questions a level in those evaluations.
    questions: { type: "string", default: "100" },
    // Keeps the model of every evaluation in FOLDER-STEP, to choose the stopping point from.
    snapshots: { type: "boolean", default: false },
  },
});
const recipe = seedRecipes[flags.topic];
if (recipe === undefined) {
  console.error(`No recipe for "${flags.topic}".${didYouMean(flags.topic, Object.keys(seedRecipes))}`);
  process.exit(2);
}
const folder = flags.out ?? `models/${flags.topic}`;
const steps = Number(flags.steps ?? recipe.steps);
const batch = Number(flags.batch ?? recipe.batch ?? 256);
const [seed, evaluateEvery] = [flags.seed, flags["evaluate-every"]].map(Number);
const peakLearningRate = 2e-3;
const warmupSteps = 50;

const topic = await openTopic(flags.topic);
await using sandbox = topic.topic.verification === "tests" ? createSandbox() : undefined;
rmSync(folder, { recursive: true, force: true });
createModel(folder, { architecture: "LlamaForCausalLM", ...recipe, seed });
await using engine = await openOnnxEngine({ model: folder, threads: Number(flags.threads) });
await using policy = await engine.openPolicy();
console.log(
  `${engine.parameters} parameters, ${steps} steps of ${batch} lines, ${engine.capabilities.threads} threads`,
);
const started = performance.now();

/** One batch of lines as training data; the loss is the mean over the taught tokens of the replies. */
function drawBatch(step: number): Datum[] {
  const random = randomStream(seed, "seed-model", step);
  const lines = Array.from({ length: batch }, () => recipe.drawLine(random)).map(({ prompt, reply, untaught }) => ({
    prompt: engine.tokenizer.encode(prompt),
    // Every character is a token.
    reply: [...engine.tokenizer.encode(reply), endToken],
    untaught: untaught ?? new Set<number>(),
  }));
  const taughtTokens = lines.reduce((sum, { reply, untaught }) => sum + reply.length - untaught.size, 0);
  return lines.map(({ prompt, reply, untaught }) => {
    const tokens = [...prompt, ...reply];
    const zeros = tokens.map(() => 0);
    const taught = (index: number): boolean => index >= prompt.length && !untaught.has(index - prompt.length);
    const weights = tokens.map((_, index) => (taught(index) ? 1 / taughtTokens : 0));
    return { tokens, weights, logprobs: zeros, advantages: zeros };
  });
}

for (let step = 1; step <= steps; step++) {
  const { metrics } = await policy.forwardBackward(drawBatch(step), "cross_entropy");
  const learningRate =
    peakLearningRate * Math.min(1, step / warmupSteps) * (1 - ((1 - recipe.finalLearningRate) * step) / steps);
  await policy.optimStep({ learningRate, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 });
  if (step % 20 === 0) {
    const seconds = (performance.now() - started) / 1000;
    const left = (seconds / step) * (steps - step);
    console.log(
      `step ${step}/${steps}  loss ${metrics["loss"].toFixed(4)}  ${seconds.toFixed(0)} s, ${left.toFixed(0)} s left`,
    );
  }
  if (step % evaluateEvery === 0 || step === steps) {
    const { levels } = await evaluate(policy, topic, { questions: Number(flags.questions), model: folder, sandbox });
    for (const { difficulty, passAt1, greedy, majAt16 } of levels) {
      const figures = [passAt1, greedy, majAt16].map((value) => value.toFixed(2));
      console.log(`  difficulty ${difficulty}: pass@1 ${figures[0]}, greedy ${figures[1]}, maj@16 ${figures[2]}`);
    }
    if (flags.snapshots) {
      mkdirSync(`${folder}-${step}`, { recursive: true });
      await policy.save(`${folder}-${step}`, { optimizer: false });
    }
  }
}
await policy.save(folder, { optimizer: false });
console.log(`Saved ${folder}.`);
