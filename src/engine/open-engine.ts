// Opens an engine by name. Engines are loaded when they are asked for: none pays for what another needs.
import type { RunConfig } from "../config/config.ts";
import type { Engine } from "./engine.ts";

export interface OpenEngineOptions {
  /** Which engine; `onnx` by default. */
  readonly engine?: RunConfig["engine"];
  /** Folder of the model in Hugging Face layout. */
  readonly model: string;
  /** Threads of the engine; 0 (the default) measures and chooses. */
  readonly threads?: number;
}

/** Opens a model in an engine. Dispose it when done. Throws UsageError, FileFormatError or UnsupportedError before any work. */
export async function openEngine({ engine = "onnx", model, threads = 0 }: OpenEngineOptions): Promise<Engine> {
  switch (engine) {
    case "onnx":
      return (await import("./onnx/onnx-engine.ts")).openOnnxEngine({ model, threads });
  }
}
