// What a worker's policies begin with: the model's folder, how its weights are held, and an adapter where one trains. All is
// decided here, from the sizes of the model and what was asked for, before any weight is read.
import { UnsupportedError, UsageError } from "../../../errors.ts";
import { isAdapterFolder, readAdapter, readAdapterConfig } from "../../../model/adapter.ts";
import { checkBase, locateBase } from "../../../model/base-identity.ts";
import { Companions } from "../../../model/companions.ts";
import { holdsWeights } from "../../../model/find-model.ts";
import { freshAdapter, type Lora, rankOf, readTargets } from "../../../model/lora.ts";
import { type ModelConfig, parameterCount } from "../../../model/model-config.ts";
import { type ModelFolder, openModelFolder, openWeights } from "../../../model/model-folder.ts";
import type { NamedTensor } from "../../../model/safetensors.ts";
import type { WeightSource } from "../../../model/weight-source.ts";
import { availableMemory } from "../plan/available-memory.ts";
import { adapterLayout, plainLayout, type WeightLayout } from "../transformer/linear.ts";

/** Settings of what trains and how weights are held; see config/engine.ts for what they mean to a user. */
export interface ModelOptions {
  /** A model in Hugging Face layout, a GGUF file, or a checkpoint that names its base. */
  readonly model: string;
  /** 0 trains all weights; −1 chooses by size. */
  readonly loraRank?: number;
  readonly loraAlpha?: number;
  /** `all-linear`, or names of projections separated by commas. */
  readonly loraTargets?: string;
  readonly weights?: "auto" | "f32" | "int8";
  /** Folder of an adapter in PEFT's form to begin with. */
  readonly adapter?: string;
  /** Seed of a new adapter's random numbers. */
  readonly seed?: number;
  /** MB that a micro-batch of training may take where an adapter trains; 0 chooses by the model's size. */
  readonly activationMemory?: number;
}

/** What is known of a model before any weight is read. */
export interface ChosenModel {
  /** The base, whose weights are read. */
  readonly folder: ModelFolder;
  readonly layout: WeightLayout;
  /** Folder of the adapter to begin with; null for a new one, and where all weights train. */
  readonly adapterFolder: string | null;
}

export interface OpenedModel extends Omit<ChosenModel, "adapterFolder"> {
  /** Opens the base's weights for reading. */
  readonly openWeights: () => WeightSource;
  /** The adapter that every policy begins with; null where all weights train. */
  readonly adapter: ReadonlyMap<string, NamedTensor> | null;
  /** The adapter is new, so that its numbers are drawn from a seed. */
  readonly drawn: boolean;
  /** Bytes that a micro-batch may take; undefined: as the model's size says. */
  readonly activationBytes?: number | undefined;
}

const defaultAlpha = 32;
const allLinear = "all-linear";
/** Models with more parameters are held as int8 where nothing else is asked for: float32 would take over a gigabyte, twice. */
const largestFloat32 = 250e6;

/** A value and its share of a scale, twice: once to train with, once packed to sample with. */
const bytesInBlocks = 2 * (1 + 4 / 32);

/**
 * `companions` are what stands beside the weights of `options.model`, where somebody has read it: making it from a GGUF file takes
 * long. Throws UsageError, FileFormatError or UnsupportedError.
 */
export function openModel(options: ModelOptions, companions?: ReadonlyMap<string, Uint8Array>): OpenedModel {
  const { adapterFolder, ...chosen } = chooseModel(options, companions);
  const { folder, layout } = chosen;
  const { config, lora } = layout;
  checkMemory(folder.folder, layout);
  const adapter =
    lora === null
      ? null
      : adapterFolder === null
        ? freshAdapter(config, lora, options.seed ?? 1)
        : readAdapter(adapterFolder, config, lora);
  const activationBytes = options.activationMemory ? options.activationMemory * 1e6 : undefined;
  const drawn = lora !== null && adapterFolder === null;
  return { ...chosen, adapter, drawn, activationBytes, openWeights: () => openWeights(folder) };
}

/** Decides what trains and how weights are held. Throws UsageError, FileFormatError or UnsupportedError. */
export function chooseModel(options: ModelOptions, companions?: ReadonlyMap<string, Uint8Array>): ChosenModel {
  const base = locateBase(options.model);
  if (base !== null && options.adapter !== undefined) {
    throw new UsageError(
      `${options.model} is a checkpoint with an adapter of its own.`,
      `Leave out --adapter, or give the base: ${base}.`,
    );
  }
  const adapterFolder = base === null ? options.adapter : options.model;
  if (base === null && isAdapterFolder(options.model) && !holdsWeights(options.model)) {
    throw new UsageError(
      `${options.model} holds an adapter only, and does not say of which model.`,
      "Open the model, with --adapter and this folder; weights of an adapter mean nothing without it.",
    );
  }
  // A checkpoint that is put beside a model names the one that it belongs to.
  if (options.adapter !== undefined) checkBase(options.adapter, options.model);
  const folder =
    base === null && companions !== undefined
      ? openModelFolder(options.model, receivedCompanions(options.model, companions))
      : openModelFolder(base ?? options.model);
  const { config } = folder;
  const lora = adapterFolder === undefined ? loraOf(config, options) : readAdapterConfig(adapterFolder);
  checkInForce(options, folder.folder, config, lora, adapterFolder);
  const blocks = blocksOf(config, lora, options.weights ?? "auto");
  const layout = lora === null ? plainLayout(config) : adapterLayout(config, lora, blocks);
  return { folder, layout, adapterFolder: lora === null ? null : (adapterFolder ?? null) };
}

/** Companions as they were before they went from thread to thread. */
function receivedCompanions(model: string, files: ReadonlyMap<string, Uint8Array>): Companions {
  const whole = [...files].map(
    ([name, { buffer, byteOffset, byteLength }]) => [name, Buffer.from(buffer, byteOffset, byteLength)] as const,
  );
  return new Companions(model, whole);
}

/** What somebody asked for and what would change nothing, which only the model's size or the adapter tells. Throws UsageError. */
function checkInForce(
  { loraRank = 0, loraAlpha = defaultAlpha, loraTargets = allLinear, activationMemory = 0 }: ModelOptions,
  model: string,
  config: ModelConfig,
  lora: Lora | null,
  adapter: string | undefined,
): void {
  const idle = loraAlpha !== defaultAlpha || loraTargets !== allLinear || activationMemory > 0;
  if (lora === null && loraRank < 0 && idle) {
    throw new UsageError(
      `${model} has ${(parameterCount(config) / 1e6).toFixed(1)} M parameters, so all of them train, and loraAlpha, loraTargets and activationMemory change nothing.`,
      "Give --lora-rank too, or leave them out.",
    );
  }
  if (adapter !== undefined && loraRank > 0 && lora?.rank !== loraRank) {
    throw new UsageError(
      `The adapter ${adapter} has rank ${lora?.rank}, not ${loraRank}.`,
      "Leave out --lora-rank: an adapter that is given keeps its own.",
    );
  }
}

function loraOf(
  config: ModelConfig,
  { loraRank = 0, loraAlpha = defaultAlpha, loraTargets = allLinear }: ModelOptions,
): Lora | null {
  const rank = rankOf(config, loraRank);
  return rank === 0 ? null : { rank, alpha: loraAlpha, targets: readTargets(loraTargets) };
}

function blocksOf(config: ModelConfig, lora: Lora | null, weights: "auto" | "f32" | "int8"): boolean {
  if (weights === "auto") return lora !== null && parameterCount(config) > largestFloat32;
  if (weights === "int8" && lora === null) {
    throw new UsageError(
      "Weights in int8 cannot train, and without an adapter all weights train.",
      "Give --lora-rank 16, or leave out --weights.",
    );
  }
  return weights === "int8";
}

/**
 * Weights that do not fit into the memory that is left are refused before they are read. What else a run needs, its plan says
 * (plan/plan-step.ts).
 */
function checkMemory(model: string, { config, blocks }: WeightLayout): void {
  const needed = parameterCount(config) * (blocks ? bytesInBlocks : 4);
  const available = availableMemory();
  if (needed < available) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new UnsupportedError(
    `The weights of ${model} need ${gigabytes(needed)}, and ${gigabytes(available)} of memory are left on this machine.`,
    blocks
      ? "Use a smaller model, or end other programs."
      : "Use a smaller model, hold its weights as int8 (--weights int8), or end other programs.",
  );
}

/** In words, for people. */
export function describeLayout({ lora, blocks }: WeightLayout): string {
  if (lora === null) return "all weights train, float32";
  return `LoRA of rank ${lora.rank} trains, base ${blocks ? "int8 in blocks of 32" : "float32"}`;
}
