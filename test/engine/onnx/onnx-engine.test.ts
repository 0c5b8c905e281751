import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { createModel, type NewModel } from "../../../src/engine/onnx/create-model.ts";
import { openOnnxEngine } from "../../../src/engine/onnx/onnx-engine.ts";
import { describeEngineContract } from "../../../src/testing/engine-contract.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-onnx-"));
afterAll(() => rmSync(folder, { recursive: true }));
const characters = "0123456789+-*=?ab";
const shape = { characters, hiddenSize: 32, intermediateSize: 48, layers: 2, heads: 2, maxPositions: 32, seed: 5 };
const models = {
  llama: { ...shape, architecture: "LlamaForCausalLM" },
  "qwen2, tied": { ...shape, architecture: "Qwen2ForCausalLM", tiedEmbeddings: true },
  "qwen3, grouped heads": { ...shape, architecture: "Qwen3ForCausalLM", keyValueHeads: 1 },
} as const satisfies Record<string, NewModel>;

for (const [name, model] of Object.entries(models)) {
  const path = join(folder, model.architecture);
  describeEngineContract(`onnx, ${name}`, {
    open: () => {
      createModel(path, model);
      return openOnnxEngine({ model: path, threads: 1 });
    },
    vocabularySize: characters.length + 2,
    learns: true,
    text: "12+34=46",
  });
}
