// A model on disk in Hugging Face layout: config.json, model.safetensors (or its shards), tokenizer files. Loading checks
// every weight's presence and shape before anything is computed; what travels with the weights is kept to be saved again.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FileFormatError, UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { type ModelConfig, parameterSpecs, parseModelConfig } from "./model-config.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "./safetensors.ts";

/** Files that are carried along unchanged from the starting model to every checkpoint. */
const companionFiles = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "vocab.json",
  "merges.txt",
] as const;

const weightsFile = "model.safetensors";
const indexFile = "model.safetensors.index.json";
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

export interface ModelFolder {
  readonly folder: string;
  readonly config: ModelConfig;
  readonly companions: ReadonlyMap<string, Buffer>;
}

/** Reads everything but the weights. Throws UsageError when the folder is not a model's. */
export function openModelFolder(folder: string): ModelFolder {
  const path = join(folder, "config.json");
  if (!existsSync(path)) {
    throw new UsageError(
      `${folder} is not a model folder: it has no config.json.`,
      "Give a folder in Hugging Face layout, such as models/arithmetic.",
    );
  }
  const companions = new Map<string, Buffer>();
  for (const name of companionFiles) {
    if (existsSync(join(folder, name))) companions.set(name, readFileSync(join(folder, name)));
  }
  return { folder, config: parseModelConfig(readJson(path), path), companions };
}

/** All weights of the model by name, in the order of `parameterSpecs`. */
export function readWeights({ folder, config }: ModelFolder): Map<string, NamedTensor> {
  const stored = new Map<string, NamedTensor>();
  for (const file of weightFiles(folder)) {
    for (const [name, tensor] of readSafetensors(join(folder, file)).tensors) stored.set(name, tensor);
  }
  const weights = new Map<string, NamedTensor>();
  for (const { name, shape } of parameterSpecs(config)) {
    const tensor = stored.get(name);
    const problem =
      tensor === undefined
        ? `has no weight ${name}, which its config.json asks for`
        : tensor.shape.join() !== shape.join()
          ? `${name} has shape [${tensor.shape}], but its config.json asks for [${shape}]`
          : null;
    if (problem !== null || tensor === undefined) {
      throw new FileFormatError(
        join(folder, weightsFile),
        problem ?? "",
        "Weights and config.json must come from the same model.",
      );
    }
    weights.set(name, tensor);
  }
  return weights;
}

function weightFiles(folder: string): string[] {
  if (existsSync(join(folder, weightsFile))) return [weightsFile];
  const path = join(folder, indexFile);
  if (!existsSync(path)) {
    throw new FileFormatError(
      folder,
      `has no ${weightsFile}`,
      "Give a folder that holds the weights in safetensors form.",
    );
  }
  const index = indexSchema.safeParse(readJson(path));
  if (!index.success) throw new FileFormatError(path, "not a safetensors index", "Copy the model again.");
  const files = [...new Set(Object.values(index.data.weight_map))].sort();
  const missing = files.find((file) => !existsSync(join(folder, file)));
  if (missing !== undefined)
    throw new FileFormatError(path, `names ${missing}, which is not there`, "Copy the model again.");
  return files;
}

/** Writes the weights and the files that came with the model into an existing folder. */
export function writeModelFolder(
  folder: string,
  companions: ReadonlyMap<string, Buffer>,
  weights: ReadonlyMap<string, NamedTensor>,
): void {
  for (const [name, content] of companions) writeFileSync(join(folder, name), content, { flush: true });
  writeSafetensors(join(folder, weightsFile), weights, { format: "pt" });
}

/**
 * Random weights for a model of this shape: normal with the variance of 1/inputs for matrices (output projections
 * scaled down by 1/√(2·layers), as in GPT-2), 0.1 for embeddings, small logits at the start; ones for norms, zeros for biases.
 */
export function randomWeights(config: ModelConfig, seed: number): Map<string, NamedTensor> {
  return new Map(
    parameterSpecs(config).map(({ name, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      if (shape.length === 1) return [name, { shape, data: data.fill(name.endsWith("bias") ? 0 : 1) }];
      const random = randomStream(seed, "weights", name);
      let deviation = 1 / Math.sqrt(shape[1]);
      if (name.includes("embed_tokens")) deviation = 0.1;
      else if (name.startsWith("lm_head")) deviation *= 0.3;
      else if (name.includes("o_proj") || name.includes("down_proj")) deviation /= Math.sqrt(2 * config.layers);
      for (let i = 0; i < data.length; i++) data[i] = random.normal() * deviation;
      return [name, { shape, data }];
    }),
  );
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new FileFormatError(path, "not JSON", "Copy the file again.", { cause });
  }
}
