// Opens an engine by name, and the model in it by whatever name fetchModel knows. Engines are loaded when they are asked for: none pays for what another needs.
import { resolve } from "node:path";
import type { RunConfig } from "../config/config.ts";
import type { ServerSettings, WeightSettings } from "../config/engine.ts";
import { UsageError } from "../errors.ts";
import { fetchModel, type ModelRequest } from "../model/find-model.ts";
import type { ModelFiles } from "../model/model-files.ts";
import type { Engine, EngineProgress } from "./engine.ts";
import type { ModelOptions } from "./onnx/worker/open-model.ts";
import type { EnginePlan, StepWork } from "./work.ts";

export interface OpenEngineOptions extends ModelRequest, Partial<WeightSettings & Pick<ServerSettings, "baseUrl">> {
  /** Which engine; `onnx` by default. */
  readonly engine?: RunConfig["engine"];
  /** Threads of the engine; 0 (the default) measures and chooses. */
  readonly threads?: number;
  /** Seed of a new adapter. */
  readonly seed?: number;
  /** Called while the model loads and while long calls are under way. */
  readonly onProgress?: ((progress: EngineProgress) => void) | undefined;
  /** Told, in sentences, what the user should know and nothing depends on. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** The model's files, where they are open already. */
  readonly files?: ModelFiles | undefined;
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
export async function openEngine(options: OpenEngineOptions): Promise<Engine> {
  return options.engine === "tinker" ? openServersModel(options) : openModel(options);
}

/**
 * What a step would take of the engine that these options open, before any weight is read; with `measure` its time too, which takes
 * seconds. null for an engine that computes elsewhere. Throws UsageError, FileFormatError or UnsupportedError.
 */
export async function planEngine(
  options: OpenEngineOptions,
  work: StepWork,
  { measure }: { readonly measure: boolean },
): Promise<EnginePlan | null> {
  if (options.engine === "tinker") return null;
  const { planOnnxStep } = await import("./onnx/plan/plan-step.ts");
  const { threads = 0, files } = options;
  return planOnnxStep(work, {
    ...(await modelOptions(options)),
    threads,
    measure,
    companions: files?.folder.companions,
  });
}

async function openModel(options: OpenEngineOptions): Promise<Engine> {
  const { threads = 0, onProgress, files } = options;
  const { openOnnxEngine } = await import("./onnx/onnx-engine.ts");
  return openOnnxEngine({
    ...(await modelOptions(options)),
    threads,
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(files === undefined ? {} : { files }),
  });
}

async function modelOptions(options: OpenEngineOptions): Promise<ModelOptions> {
  const { loraRank, loraAlpha, loraTargets, weights, activationMemory, seed, adapter = "none" } = options;
  const settings = { loraRank, loraAlpha, loraTargets, weights, activationMemory, seed };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const model = await fetchModel(options);
  return { model, ...given, ...(adapter === "none" ? {} : { adapter: resolve(adapter) }) };
}

async function openServersModel(options: OpenEngineOptions): Promise<Engine> {
  const { model, baseUrl = "none", loraRank = -1, seed, onProgress, onNote } = options;
  if (loraRank === 0) {
    throw new UsageError("On a Tinker server adapters train, not all weights.", "Leave out --lora-rank 0.");
  }
  const tokenizer = await fetchModel(options);
  const { openTinkerEngine } = await import("./tinker/client/tinker-engine.ts");
  return openTinkerEngine({
    model,
    tokenizer,
    baseUrl: baseUrl === "none" ? undefined : baseUrl,
    rank: loraRank === -1 ? undefined : loraRank,
    seed,
    onProgress,
    onNote,
  });
}
