// Trains the seed model from random weights with the project's own engine: `npm run seed-model [-- --steps N --out FOLDER]`.
// It stops early on purpose: a half-trained model leaves self-play something to do. What it is trained on (questions and
// right answers drawn at random) is used for nothing else.
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { createModel, endToken } from "../src/engine/onnx/create-model.ts";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { evaluate } from "../src/evaluate/evaluate.ts";
import type { Random } from "../src/random.ts";
import { randomStream } from "../src/random.ts";
import { arithmetic, roleMarks } from "../src/topics/arithmetic.ts";
import { operators, writeNumber, writeSum } from "../src/topics/arithmetic-notation.ts";
import { drawSum, truth } from "../src/topics/arithmetic-truth.ts";
import type { Datum } from "../src/types.ts";

const { values: flags } = parseArgs({
  options: {
    out: { type: "string", default: "models/seed" },
    steps: { type: "string", default: "600" },
    batch: { type: "string", default: "256" },
    seed: { type: "string", default: "7" },
    "evaluate-every": { type: "string", default: "100" },
    threads: { type: "string", default: "0" },
  },
});
const [steps, batch, seed, evaluateEvery] = [flags.steps, flags.batch, flags.seed, flags["evaluate-every"]].map(Number);
const peakLearningRate = 2e-3;
const warmupSteps = 50;

/** Share of the proposer's lines, the rest are the solver's. */
const proposeShare = 0.25;
/** How often each difficulty is drawn: most of what is easy, little beyond the frontier, so that accuracy falls smoothly. */
const difficultyShares = [0.22, 0.3, 0.27, 0.14, 0.06, 0.01].map((share, index) => [index + 1, share] as const);
/** Harder operations are drawn more often, so that all three are half learned at the same time. */
const operatorShares = [
  ["+", 0.2],
  ["-", 0.35],
  ["*", 0.45],
] as const;

/** Draws an item with the probability beside it; shares sum to 1. */
function drawShare<Item>(shares: readonly (readonly [Item, number])[], random: Random): Item {
  let rest = random.next();
  for (const [item, share] of shares) {
    rest -= share;
    if (rest < 0) return item;
  }
  return shares[shares.length - 1][0];
}

/** One line of training text: what a role is shown, and what it should write. */
function drawLine(random: Random): { prompt: string; reply: string } {
  const sum = drawSum(drawShare(operatorShares, random), drawShare(difficultyShares, random), random);
  return random.next() < proposeShare
    ? { prompt: roleMarks.propose, reply: writeSum(sum) }
    : { prompt: `${roleMarks.solve}${writeSum(sum)}`, reply: writeNumber(truth(sum)) };
}

rmSync(flags.out, { recursive: true, force: true });
createModel(flags.out, {
  architecture: "LlamaForCausalLM",
  characters: `${roleMarks.propose}${roleMarks.solve}=${operators.join("")}0123456789`,
  hiddenSize: 128,
  intermediateSize: 352,
  layers: 4,
  heads: 4,
  maxPositions: 64,
  seed,
});
await using engine = await openOnnxEngine({ model: flags.out, threads: Number(flags.threads) });
console.log(`${engine.parameters} parameters, ${steps} steps of ${batch} lines, ${engine.threads} threads`);
const started = performance.now();

for (let step = 1; step <= steps; step++) {
  const random = randomStream(seed, "seed-model", step);
  const lines = Array.from({ length: batch }, () => drawLine(random));
  const encoded = lines.map(({ prompt, reply }) => ({
    prompt: engine.tokenizer.encode(prompt),
    reply: [...engine.tokenizer.encode(reply), endToken],
  }));
  const replyTokens = encoded.reduce((sum, { reply }) => sum + reply.length, 0);
  const data: Datum[] = encoded.map(({ prompt, reply }) => {
    const tokens = [...prompt, ...reply];
    const zeros = tokens.map(() => 0);
    return {
      tokens,
      weights: tokens.map((_, i) => (i >= prompt.length ? 1 / replyTokens : 0)),
      logprobs: zeros,
      advantages: zeros,
    };
  });
  const { metrics } = await engine.forwardBackward(data, "cross_entropy");
  const learningRate = peakLearningRate * Math.min(1, step / warmupSteps) * (1 - (0.9 * step) / steps);
  await engine.optimStep({ learningRate, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 });
  if (step % 20 === 0) {
    const seconds = (performance.now() - started) / 1000;
    console.log(`step ${step}/${steps}  loss ${metrics["loss"].toFixed(4)}  ${seconds.toFixed(0)} s`);
  }
  if (step % evaluateEvery === 0 || step === steps) {
    const { levels } = await evaluate(engine, arithmetic, {
      questions: 100,
      model: flags.out,
      levels: [1, 2, 3, 4, 5],
    });
    console.log(
      levels
        .map(
          (l) =>
            `${l.difficulty} digits: pass@1 ${l.passAt1.toFixed(3)} greedy ${l.greedy.toFixed(2)} maj@16 ${l.majAt16.toFixed(2)}`,
        )
        .join("\n"),
    );
  }
}
await engine.save(flags.out, { optimizer: false });
console.log(`Saved ${flags.out}.`);
