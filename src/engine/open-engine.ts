// Opens an engine by name, and the model in it by whatever name fetchModel knows. Engines are loaded when they are asked for: none pays for what another needs.
import type { RunConfig } from "../config/config.ts";
import { fetchModel, type ModelRequest } from "../model/find-model.ts";
import type { Engine } from "./engine.ts";

export interface OpenEngineOptions extends ModelRequest {
  /** Which engine; `onnx` by default. */
  readonly engine?: RunConfig["engine"];
  /** Threads of the engine; 0 (the default) measures and chooses. */
  readonly threads?: number;
}

/**
 * Opens a model in an engine; a config says which. Dispose it when done. Throws UsageError, FileFormatError or
 * UnsupportedError before any work.
 *
 * @example
 * import { openEngine, runConfigSchema } from "self-questioning";
 *
 * const config = runConfigSchema.parse({ topic: "arithmetic" });
 * await using engine = await openEngine(config);
 * await using player = await engine.openPolicy();
 * const { tokenizer } = player;
 * const ask = { promptTokens: tokenizer.encode("S321+654="), numSamples: 4, seed: 1, first: 0 };
 * const [answers = []] = await player.sample([ask], { maxTokens: 12, temperature: 1, stop: tokenizer.endTokens });
 * for (const { tokens } of answers) console.log(tokenizer.decode(tokens)); // 975 when right: last digit first
 */
export async function openEngine({ engine = "onnx", threads = 0, ...request }: OpenEngineOptions): Promise<Engine> {
  switch (engine) {
    case "onnx":
      return (await import("./onnx/onnx-engine.ts")).openOnnxEngine({ model: await fetchModel(request), threads });
  }
}
