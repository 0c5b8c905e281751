// Self-play that goes on from where it was killed: `node self-play-child.ts FOLDER scripted|onnx|lora STEPS`. The model is a tiny
// random one beside the folder, the topic one to which any reply is a question, so that every step trains.
import { existsSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { runConfigSchema } from "../../src/config/config.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { openOnnxEngine } from "../../src/engine/onnx/onnx-engine.ts";
import { createScriptedEngine } from "../../src/engine/scripted.ts";
import { createModel } from "../../src/model/create-model.ts";
import { selfPlay } from "../../src/self-play.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { defineTopic } from "../../src/topics/define-topic.ts";

const [folder, engineName, steps] = process.argv.slice(2);
const characters = "PS0123456789";

const topic = defineTopic({
  name: "digits",
  description: "Any text is a question; the answer is the first character of the reply.",
  verification: "vote",
  maxTokens: { propose: 6, solve: 3 },
  proposePrompt: () => "P",
  readQuestion: (reply) =>
    reply === ""
      ? { ok: false, reason: "empty" }
      : { ok: true, value: { text: reply, key: reply, difficulty: reply.length } },
  solvePrompt: (question) => `S${question.text}`,
  readAnswer: (reply) => (reply === "" ? { ok: false, reason: "empty" } : { ok: true, value: reply[0] }),
  hidden: {
    check: (question, answer) => question.text.startsWith(answer),
    levels: [1, 2],
    frontier: 1,
    heldOut: (difficulty, count) =>
      Array.from({ length: count }, (_, i) => ({
        text: `${i}P`.slice(-difficulty),
        key: `${difficulty}:${i}`,
        difficulty,
      })),
  },
});

async function openEngine(): Promise<Engine> {
  if (engineName === "scripted") {
    return createScriptedEngine({
      // What it replies depends on its updates, as the replies of a model that learns do.
      reply: ({ random, updates }) =>
        Array.from({ length: 3 + (updates % 3) }, () => random.pick([...characters])).join(""),
    });
  }
  const model = join(dirname(folder), "model");
  if (!existsSync(model)) {
    const size = { hiddenSize: 32, intermediateSize: 64, layers: 2, heads: 2, maxPositions: 32 };
    createModel(model, { architecture: "LlamaForCausalLM", characters, ...size, seed: 5 });
  }
  const adapter = engineName === "lora" ? { loraRank: 2, loraAlpha: 8 } : {};
  return openOnnxEngine({ model, threads: 1, ...adapter });
}

await using workspace = openWorkspace(folder);
const existing = workspace.list().at(0);
const config = runConfigSchema.parse({
  model: join(dirname(folder), "model"),
  steps: Number(steps),
  groupsPerBatch: 6,
  groupSize: 4,
  minAgreement: 0,
  consistentVote: false,
  learningRate: 1e-2,
  warmupSteps: 0,
  evalEvery: 8,
  evalQuestions: 4,
  saveEvery: 4,
  seed: 11,
});
await using store = existing === undefined ? workspace.createRun(config) : workspace.openRun(existing.run);
await using engine = await openEngine();
for await (const event of selfPlay({ topic, engine, store, config })) {
  if (event.type === "step-end") writeSync(1, `step ${event.record.step}\n`);
  if (event.type === "checkpoint-saved") writeSync(1, `checkpoint ${event.step}\n`);
}
