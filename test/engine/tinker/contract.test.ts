// The engine contract over the wire: the client against a server whose engine is the one in process.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openOnnxEngine } from "../../../src/engine/onnx/onnx-engine.ts";
import { openTinkerEngine } from "../../../src/engine/tinker/client/tinker-engine.ts";
import { createModel } from "../../../src/model/create-model.ts";
import { describeEngineContract } from "../../../src/testing/engine-contract.ts";
import { openTestServer } from "./test-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-tinker-"));
afterAll(() => rmSync(folder, { recursive: true }));
const characters = "0123456789+-*=?ab";

describeEngineContract("tinker, over onnx", {
  open: async () => {
    const model = join(folder, "model");
    createModel(model, {
      characters,
      hiddenSize: 32,
      intermediateSize: 48,
      layers: 2,
      heads: 2,
      maxPositions: 32,
      seed: 5,
      architecture: "Qwen2ForCausalLM",
    });
    const inner = await openOnnxEngine({ model, threads: 1, loraRank: 4, loraAlpha: 16 });
    const server = await openTestServer({ engine: inner, model: "tiny" });
    const engine = await openTinkerEngine({
      model: "tiny",
      tokenizer: model,
      baseUrl: server.url,
      rank: 4,
      environment: {},
      pace: 0.01,
    });
    const dispose = engine[Symbol.asyncDispose];
    return Object.assign(engine, {
      [Symbol.asyncDispose]: async () => {
        await dispose();
        await server[Symbol.asyncDispose]();
        await inner[Symbol.asyncDispose]();
      },
    });
  },
  vocabularySize: characters.length + 2,
  learns: true,
  text: "12+34=46",
  rounds: true,
});
