// A model on disk: a folder in Hugging Face layout (config.json, model.safetensors or its shards, tokenizer files) or a GGUF file. Loading
// checks every weight's presence and shape before anything is computed; what travels with the weights is kept to be saved
// again, always as a folder.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FileFormatError, UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { type Companions, readCompanions } from "./companions.ts";
import { GgufFile } from "./gguf.ts";
import { isGgufPath } from "./gguf-companions.ts";
import { architectureOf } from "./gguf-config.ts";
import { GgufWeights } from "./gguf-weights.ts";
import { type ModelConfig, parameterSpecs, parseModelConfig } from "./model-config.ts";
import { type NamedTensor, SafetensorsFile, writeSafetensors } from "./safetensors.ts";
import { SafetensorsShards } from "./safetensors-shards.ts";
import { sameValues, type WeightSource } from "./weight-source.ts";

const weightsFile = "model.safetensors";
const indexFile = "model.safetensors.index.json";
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });
const headName = "lm_head.weight";
const embeddingName = "model.embed_tokens.weight";

export interface ModelFolder {
  /** Folder in Hugging Face layout, or GGUF file. */
  readonly folder: string;
  readonly config: ModelConfig;
  readonly companions: Companions;
}

/**
 * Reads everything but the weights; `companions` where somebody has read them before. Throws UsageError when the folder is not a
 * model's.
 */
export function openModelFolder(folder: string, companions = readCompanions(folder)): ModelFolder {
  const stored = companions.get("config.json");
  if (stored === undefined) {
    throw new UsageError(
      `${folder} is not a model folder: it has no config.json.`,
      "Give a folder in Hugging Face layout, such as models/arithmetic, or a GGUF file.",
    );
  }
  const path = companions.pathOf("config.json");
  const content = parseJson(path, stored);
  const config = parseModelConfig(content, path);
  if (!config.tiedEmbeddings || !hasOwnHead(folder)) return { folder, config, companions };
  // The stored head is the model; checkpoints of it must say so too.
  const untied = { ...z.looseObject({}).parse(content), tie_word_embeddings: false };
  companions.set("config.json", Buffer.from(`${JSON.stringify(untied, null, 2)}\n`));
  return { folder, config: { ...config, tiedEmbeddings: false }, companions };
}

/** Whether a folder whose config says that the head is the embedding stores another matrix as head. */
function hasOwnHead(folder: string): boolean {
  if (isGgufPath(folder) || (!existsSync(join(folder, weightsFile)) && !existsSync(join(folder, indexFile))))
    return false;
  using source = openSafetensors(folder);
  if (source.shapeOf(headName) === null || source.shapeOf(embeddingName) === null) return false;
  return !sameValues(source, headName, embeddingName);
}

/**
 * Opens the weights for reading one by one. Presence and shape of every weight of the model are checked first: FileFormatError
 * names the one that is missing or does not fit.
 */
export function openWeights({ folder, config }: Pick<ModelFolder, "folder" | "config">): WeightSource {
  const source = isGgufPath(folder) ? openGguf(folder, config) : openSafetensors(folder);
  for (const { name, shape } of parameterSpecs(config)) {
    const stored = source.shapeOf(name);
    if (stored?.join() === shape.join()) continue;
    source[Symbol.dispose]();
    throw new FileFormatError(
      source.path,
      stored === null
        ? `has no weight ${name}, which its config.json asks for`
        : `${name} has shape [${stored}], but its config.json asks for [${shape}]`,
      "Weights and config.json must come from the same model.",
    );
  }
  return source;
}

/** All weights of the model by name, in the order of `parameterSpecs`. */
export function readWeights(model: Pick<ModelFolder, "folder" | "config">): Map<string, NamedTensor> {
  using source = openWeights(model);
  return new Map(
    parameterSpecs(model.config).map(({ name, shape }) => [name, { shape, data: source.readTensor(name) }]),
  );
}

function openGguf(path: string, { tiedEmbeddings, heads, keyValueHeads }: ModelConfig): WeightSource {
  const file = new GgufFile(path);
  const paired = architectureOf(file) === "llama";
  return new GgufWeights(file, {
    tied: tiedEmbeddings,
    pairedHeads: paired ? { queries: heads, keys: keyValueHeads } : null,
  });
}

function openSafetensors(folder: string): WeightSource {
  if (existsSync(join(folder, weightsFile))) return new SafetensorsFile(join(folder, weightsFile));
  const path = join(folder, indexFile);
  if (!existsSync(path)) {
    throw new FileFormatError(
      folder,
      `has no ${weightsFile}`,
      "Give a folder that holds the weights in safetensors form.",
    );
  }
  const index = indexSchema.safeParse(parseJson(path, readFileSync(path)));
  if (!index.success) throw new FileFormatError(path, "not a safetensors index", "Copy the model again.");
  return new SafetensorsShards(folder, path, new Map(Object.entries(index.data.weight_map)));
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

function parseJson(path: string, content: Buffer): unknown {
  try {
    return JSON.parse(content.toString("utf8"));
  } catch (cause) {
    throw new FileFormatError(path, "not JSON", "Copy the file again.", { cause });
  }
}
