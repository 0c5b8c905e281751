// What a micro-batch takes of memory and of work, before anything is computed. Micro-batches are cut by it, and whoever plans a
// run asks the same functions. Pure.

import type { Lora } from "../../../model/lora.ts";
import { type ModelConfig, parameterCount } from "../../../model/model-config.ts";
import type { WeightLayout } from "../transformer/linear.ts";

/** What of a micro-batch decides about its memory. */
export interface PackedSize {
  /** Tokens that are computed, each once however many sequences share it. */
  readonly rows: number;
  /** Pairs of a token and one that it may attend to, padding included. */
  readonly scores: number;
}

/** Bytes that a micro-batch of a model with an adapter takes at the height of its backward pass. Hidden states and what is kept stay
 * from the forward pass; the rest belongs to the one layer that is computed. */
export interface MicroBatchMemory {
  readonly hiddenStates: number;
  /** Layers, the last ones, whose matrix products are kept for the backward pass; the others are computed again. */
  readonly keptLayers: number;
  readonly kept: number;
  readonly layerActivations: number;
  /** The layer's matrices as float32 where they are held as int8. */
  readonly layerWeights: number;
  /** A slice of the logits, several times over, and the head's rows for it. */
  readonly logits: number;
  readonly total: number;
}

/** Bytes that a micro-batch may take: three for each parameter, between a half and one and a half GiB. Half of it costs a tenth more work. */
export function activationBudget(config: ModelConfig): number {
  return Math.min(1.5 * 2 ** 30, Math.max(2 ** 29, 3 * parameterCount(config)));
}

/** Above, matrix products are no faster. */
const mostRows = 2048;
/** Values of logits that are in memory at a time, for all chosen rows together, and of the head's rows that they come from. */
const logitsPerSlice = 2 ** 21;
const headPerSlice = 2 ** 22;

/** Tokens of the vocabulary that the head looks at together, for so many chosen rows. */
export function vocabularySlice({ vocabSize, hiddenSize }: ModelConfig, picks: number): number {
  const most = Math.min(Math.floor(logitsPerSlice / picks), Math.floor(headPerSlice / hiddenSize));
  return Math.min(vocabSize, Math.max(256, most));
}

/** The plan of a micro-batch alone within `budget` bytes: as many layers are kept as fit. Null where it does not fit even without. */
export function planMicroBatch(layout: WeightLayout, size: PackedSize, budget: number): MicroBatchMemory | null {
  const fits = size.rows <= mostRows && leastMicroBatch(layout, size).total <= budget;
  return fits ? planMicroBatches(layout, [size], budget)[0] : null;
}

/**
 * The micro-batches of one call, one after another. What is kept stands in one array, which grows to what the largest keeps; the C
 * library holds what a layer was computed in. So the most that any of them keeps and the most that any computes in are in memory
 * together, and both stay within `budget` bytes where that is possible.
 */
export function planMicroBatches(
  layout: WeightLayout,
  sizes: readonly PackedSize[],
  budget: number,
): MicroBatchMemory[] {
  const { config, lora } = layout;
  const leasts = sizes.map((size) => leastMicroBatch(layout, size));
  const passing = mostPassing(leasts);
  return leasts.map((least, i) => {
    const keptBytes = 4 * sizes[i].rows * (keptWidth(config) + lowWidth(lora));
    const room = Math.max(0, budget - passing - least.hiddenStates);
    const keptLayers = Math.min(config.layers, Math.floor(room / keptBytes));
    const kept = keptLayers * keptBytes;
    return { ...least, keptLayers, kept, total: least.hiddenStates + kept + passing };
  });
}

/** The most that any of these micro-batches computes in. */
export function mostPassing(plans: readonly MicroBatchMemory[]): number {
  return plans.reduce((most, one) => Math.max(most, passingBytes(one)), 0);
}

/** What is given back when a micro-batch's layer is done. */
function passingBytes({ layerWeights, layerActivations, logits }: MicroBatchMemory): number {
  return layerWeights + Math.max(layerActivations, logits);
}

/**
 * So many times what its tensors add up to a layer takes whose matrices are made float32 first: blocks of so many sizes leave gaps in the C
 * library's heaps. Measured with Qwen2.5-Coder-0.5B, 956 and 1,852 rows: 1.52, 1.58; with SmolLM2-135M in float32 there is no such gap.
 */
const spreadOfBlocks = 1.6;

/** What a micro-batch takes at the least: no layer is kept. One of a single sequence is trained so, whatever the budget. */
export function leastMicroBatch({ config, blocks }: WeightLayout, { rows, scores }: PackedSize): MicroBatchMemory {
  const { layers, hiddenSize, intermediateSize, heads, keyValueHeads, headSize } = config;
  const queries = heads * headSize;
  const keyValues = keyValueHeads * headSize;
  const hiddenStates = 4 * rows * (layers + 3) * hiddenSize;
  const widths = 5 * hiddenSize + 6 * queries + 8 * keyValues + 6 * intermediateSize;
  const spread = blocks ? spreadOfBlocks : 1;
  const layerActivations = Math.round(spread * 4 * (rows * widths + 4 * scores * heads));
  const layerWeights = blocks ? Math.round(spread * 4 * matrixElements(config)) : 0;
  const logits = Math.round(spread * 4 * (3 * logitsPerSlice + (blocks ? headPerSlice : 0) + rows * hiddenSize * 3));
  const least = { hiddenStates, keptLayers: 0, kept: 0, layerActivations, layerWeights, logits, total: 0 };
  return { ...least, total: hiddenStates + passingBytes(least) };
}

/** Values for each row that a kept layer keeps: the results of its products but the last, and of its attention. */
function keptWidth({ hiddenSize, intermediateSize, heads, keyValueHeads, headSize }: ModelConfig): number {
  return 2 * heads * headSize + 2 * keyValueHeads * headSize + hiddenSize + 2 * intermediateSize;
}

/** What the adapters' A made of a row. */
function lowWidth(lora: Lora | null): number {
  return lora === null ? 0 : lora.rank * lora.targets.length;
}

/** Elements of one layer's matrices. */
function matrixElements({ hiddenSize, intermediateSize, heads, keyValueHeads, headSize }: ModelConfig): number {
  return 2 * hiddenSize * headSize * (heads + keyValueHeads) + 3 * hiddenSize * intermediateSize;
}

/** What a micro-batch costs beside its rows, in rows: weights are packed for the kernels once more, and those in blocks made float32. */
const rowsPerBatch = { float32: 15, blocks: 70 } as const;
/** Share of a forward and backward pass that a layer takes once more where it is not kept. */
const recomputedShare = 0.27;

/**
 * Work of training a micro-batch, in rows of which every layer is kept; infinite where it does not fit into `budget` bytes. For the
 * planner of micro-batches: large ones share more, small ones have more room to keep.
 */
export function trainingWork(layout: WeightLayout, size: PackedSize, budget: number): number {
  const plan = planMicroBatch(layout, size, budget);
  if (plan === null) return Number.POSITIVE_INFINITY;
  const recomputed = 1 - plan.keptLayers / layout.config.layers;
  return ownWork(layout) + size.rows * (1 + recomputedShare * recomputed);
}

/** The same of scoring, which keeps nothing. */
export function scoringWork(layout: WeightLayout, size: PackedSize, budget: number): number {
  return planMicroBatch(layout, size, budget) === null ? Number.POSITIVE_INFINITY : ownWork(layout) + size.rows;
}

/** What any micro-batch costs beside its rows, in rows. */
export function ownWork({ blocks }: WeightLayout): number {
  return rowsPerBatch[blocks ? "blocks" : "float32"];
}
