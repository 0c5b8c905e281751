// Adapters on disk, in the form of PEFT (adapter_config.json, adapter_model.safetensors), and merged into their base.
// What this project does not compute (DoRA, ranks that differ by layer, trained embeddings or biases) is refused.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FileFormatError, UnsupportedError, UsageError } from "../errors.ts";
import { adaptedModules, adapterNames, adapterSpecs, type Lora, type Projection, projections } from "./lora.ts";
import type { ModelConfig } from "./model-config.ts";
import { type NamedTensor, SafetensorsFile, writeSafetensors } from "./safetensors.ts";

export const adapterConfigFile = "adapter_config.json";
export const adapterWeightsFile = "adapter_model.safetensors";
const prefix = "base_model.model.";

const empty = z.union([z.null(), z.array(z.unknown()).length(0), z.record(z.string(), z.never())]).optional();
const configSchema = z.looseObject({
  peft_type: z.string(),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  use_rslora: z.boolean().nullish(),
});
/** Keys that must be absent, null, empty or false: what they ask for is not computed here. */
const unsupported = {
  use_dora: z.literal(false).nullish(),
  fan_in_fan_out: z.literal(false).nullish(),
  lora_bias: z.literal(false).nullish(),
  bias: z.literal("none").nullish(),
  rank_pattern: empty,
  alpha_pattern: empty,
  modules_to_save: empty,
  layers_to_transform: empty,
  trainable_token_indices: empty,
};

/** Whether a folder holds an adapter. */
export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, adapterConfigFile));
}

/** Writes an adapter as PEFT reads it. `base` is the model's name or path, for people and for PEFT's AutoPeftModel. */
export function writeAdapter(
  folder: string,
  { lora, base }: { readonly lora: Lora; readonly base: string },
  tensors: ReadonlyMap<string, NamedTensor>,
): void {
  const config = {
    base_model_name_or_path: base,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    lora_alpha: lora.alpha,
    lora_dropout: 0,
    peft_type: "LORA",
    r: lora.rank,
    target_modules: lora.targets,
    task_type: "CAUSAL_LM",
  };
  writeFileSync(join(folder, adapterConfigFile), `${JSON.stringify(config, null, 2)}\n`, { flush: true });
  const named = new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
  writeSafetensors(join(folder, adapterWeightsFile), named, { format: "pt" });
}

/** What an adapter's config says. Throws UsageError where the folder holds none, FileFormatError or UnsupportedError. */
export function readAdapterConfig(folder: string): Lora {
  const path = join(folder, adapterConfigFile);
  if (!existsSync(path)) {
    throw new UsageError(
      `${folder} holds no ${adapterConfigFile}.`,
      "An adapter is a folder in PEFT's form, as `sqlm export adapter` writes it.",
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new FileFormatError(path, "not JSON", "Copy the adapter again.", { cause });
  }
  const parsed = configSchema.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new FileFormatError(path, `${issue.path.join(".")}: ${issue.message}`, "Copy the adapter again.");
  }
  const config = parsed.data;
  if (config.peft_type !== "LORA") {
    throw new UnsupportedError(
      `${path}: adapters of type ${config.peft_type} are not supported.`,
      "Use a LoRA adapter.",
    );
  }
  for (const [key, schema] of Object.entries(unsupported)) {
    if (schema.safeParse(config[key]).success) continue;
    throw new UnsupportedError(
      `${path}: ${key} ${JSON.stringify(config[key])} is not supported.`,
      "Merge the adapter into its model with PEFT's merge_and_unload, and give the merged model.",
    );
  }
  // Rank-stabilised LoRA scales by alpha / √rank.
  const alpha = config.use_rslora === true ? config.lora_alpha * Math.sqrt(config.r) : config.lora_alpha;
  return { rank: config.r, alpha, targets: targetsOf(folder, config.target_modules ?? null) };
}

/** The projections that an adapter's weights belong to; where the config lists them, they must be the same. */
function targetsOf(folder: string, listed: string | readonly string[] | null): readonly Projection[] {
  using file = openAdapterWeights(folder);
  const present = new Set(file.names.map((name) => /\.(\w+)\.lora_[AB]\.weight$/.exec(name)?.[1] ?? name));
  const unknown = [...present].find((name) => !projections.some((projection) => projection === name));
  if (unknown !== undefined) {
    throw new UnsupportedError(
      `${file.path}: an adapter of ${unknown} is not supported.`,
      `Adapters may change ${projections.join(", ")}.`,
    );
  }
  const missing = Array.isArray(listed) ? listed.find((name) => !present.has(name)) : undefined;
  if (missing !== undefined) {
    throw new FileFormatError(
      file.path,
      `holds nothing for ${missing}, which its config lists`,
      "Copy the adapter again.",
    );
  }
  return projections.filter((projection) => present.has(projection));
}

function openAdapterWeights(folder: string): SafetensorsFile {
  if (!existsSync(join(folder, adapterWeightsFile))) {
    throw new FileFormatError(
      folder,
      `has no ${adapterWeightsFile}`,
      "An adapter's weights must be in safetensors form: save it again with a current version of PEFT.",
    );
  }
  return new SafetensorsFile(join(folder, adapterWeightsFile));
}

/**
 * The adapter's matrices by the names of `adapterSpecs`. Throws FileFormatError where one is missing or does not fit the model, as
 * an adapter of another base.
 */
export function readAdapter(folder: string, config: ModelConfig, lora: Lora): Map<string, NamedTensor> {
  using file = openAdapterWeights(folder);
  const specs = adapterSpecs(config, lora);
  const tensors = specs.map(({ name, shape }) => {
    const stored = file.shapeOf(prefix + name);
    if (stored?.join() !== shape.join()) {
      throw new FileFormatError(
        file.path,
        stored === null
          ? `has no ${prefix + name}, which an adapter of this model needs`
          : `${prefix + name} has shape [${stored}], but this model and rank ask for [${shape}]`,
        "The adapter belongs to another model or rank. Give the model that it was trained on.",
      );
    }
    return [name, { shape, data: file.readTensor(prefix + name) }] as const;
  });
  const known = new Set(specs.map(({ name }) => prefix + name));
  const extra = file.names.find((name) => !known.has(name));
  if (extra !== undefined) {
    throw new FileFormatError(
      file.path,
      `holds ${extra}, which this model does not have`,
      "Give the adapter's own model.",
    );
  }
  return new Map(tensors);
}

/** Adds (alpha / rank) · B·A of each module to its matrix, in place: `weights` [out, in] by name. */
export function mergeAdapter(
  config: ModelConfig,
  lora: Lora,
  adapter: ReadonlyMap<string, NamedTensor>,
  weight: (name: string) => Float32Array,
): void {
  for (const { module } of adaptedModules(config, lora)) mergeModule(module, lora, adapter, weight(`${module}.weight`));
}

/** The same for one module. */
export function mergeModule(
  module: string,
  { rank, alpha }: Lora,
  adapter: ReadonlyMap<string, NamedTensor>,
  matrix: Float32Array,
): void {
  const names = adapterNames(module);
  const [a, b] = [adapter.get(names.a), adapter.get(names.b)];
  if (a === undefined || b === undefined) throw new Error(`The adapter has no ${module}.`);
  const columns = a.shape[1];
  const scale = alpha / rank;
  for (let row = 0; row < b.shape[0]; row++) {
    const into = matrix.subarray(row * columns, (row + 1) * columns);
    for (let k = 0; k < rank; k++) {
      const factor = scale * b.data[row * rank + k];
      if (factor === 0) continue;
      const from = a.data.subarray(k * columns, (k + 1) * columns);
      for (let i = 0; i < columns; i++) into[i] += factor * from[i];
    }
  }
}
