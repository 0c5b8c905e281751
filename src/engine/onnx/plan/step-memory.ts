// What a step of self-play takes of memory in this engine, part by part, from the model's shape and the step's size. Pure.
import { parameterCount, parameterSpecs } from "../../../model/model-config.ts";
import { elementCount } from "../../../model/weight-source.ts";
import { completionsOf, type MemoryPart, type SampledWork, type StepWork } from "../../work.ts";
import { cacheBytesPerToken, mostCacheBytes, mostRows, rowsAtOnce } from "../generate/stepped/limits.ts";
import { blockSize } from "../generate/stepped/step-attention.ts";
import { blockLength } from "../graph/operators.ts";
import { activationBudget } from "../train/memory.ts";
import { inBlocks, trainableSpecs, type WeightLayout } from "../transformer/linear.ts";
import { leastBytes, planPackedTraining, planWholeTraining } from "./training-plan.ts";

/** Node, the runtime, this package's own code and its database, … */
const processBytes = 250e6;
/** … and the tokenizer's tables, for each token of the vocabulary. */
const tokenBytes = 2600;
/** JavaScript's arrays of a sampled token: its number and log-probability, in the reply and as data to learn from. */
const bytesOfToken = 100;

/** Whole graphs keep their memory for the next batch of their shape: as much as this many of the largest, as was measured. */
const keptShapes = 3;

export interface StepMemory {
  readonly parts: readonly MemoryPart[];
  /** What a micro-batch of training may take; 0 where micro-batches are cut by tokens alone. */
  readonly activationBytes: number;
}

/** The parts where `available` bytes are left for all of them, or where a micro-batch may take `wanted` bytes, if that is not 0. */
export function stepMemory(layout: WeightLayout, work: StepWork, available: number, wanted: number): StepMemory {
  const held = [...heldParts(layout, work), ...samplingParts(layout, work)];
  // Keys and values are gone when training begins, and all that a micro-batch takes is given back before the next is sampled.
  const cache = cacheBytes(layout, work);
  const room = available - held.reduce((total, { bytes }) => total + bytes, 0) + cache;
  const trained = work.trained.map((one) => partOfUpdate(one, work.updates));
  if (layout.lora === null) {
    const bytes = keptShapes * largest(trained.map((one) => planWholeTraining(layout, one).bytes));
    const about = "all that a micro-batch of training keeps for its backward pass, in each of its shapes";
    return { parts: [...held, { part: "activations", bytes, about }], activationBytes: 0 };
  }
  const least = largest(trained.map((one) => leastBytes(layout, one)));
  const budget = wanted > 0 ? wanted : Math.min(activationBudget(layout.config), Math.max(least, room));
  const plans = trained.map((one) => planPackedTraining(layout, one, budget));
  const whole = largest(plans.map((plan) => plan.bytes));
  const inPlace = Math.min(cache, whole);
  const bytes = whole - inPlace;
  const about =
    "of a micro-batch of training: states before each layer, layers as far as there is room, a slice of the logits" +
    (inPlace > 0 ? "; without what stands where keys and values were" : "");
  return { parts: [...held, { part: "activations", bytes, about }], activationBytes: budget };
}

/** What one of several updates is made of. */
export function partOfUpdate<Work extends SampledWork>(work: Work, updates: number): Work {
  return { ...work, samplesOfPrompt: Math.ceil(work.samplesOfPrompt / updates) };
}

function heldParts(layout: WeightLayout, { policies, frozenPlayers, sampled }: StepWork): MemoryPart[] {
  const { config, lora, blocks } = layout;
  const trainable = trainableSpecs(layout).reduce((total, { shape }) => total + elementCount(shape), 0);
  const tokens = sampled.reduce((total, one) => total + completionsOf(one) * one.maxTokens, 0);
  const frozen = `${millions(parameterCount(config))} that do not train, ${blocks ? "int8 in blocks of 32" : "float32"}`;
  const copies = policies + frozenPlayers;
  return [
    {
      part: "process",
      bytes: processBytes + tokenBytes * config.vocabSize + bytesOfToken * tokens,
      about: "Node, the tokenizer, a step's replies",
    },
    ...(lora === null ? [] : [{ part: "weights", bytes: weightBytes(layout), about: frozen }]),
    ...(blocks
      ? [
          {
            part: "weights to sample",
            bytes: packedBytes(layout),
            about: "the same, packed for the kernels",
          },
        ]
      : []),
    {
      part: lora === null ? "weights" : "adapter",
      bytes: 4 * trainable * copies,
      about: `${millions(trainable)} that train${copies > 1 ? `, ${copies} times` : ""}`,
    },
    { part: "optimizer", bytes: 12 * trainable * policies, about: "their gradients and two moments" },
  ];
}

/** Frozen weights as training and scoring hold them. */
function weightBytes(layout: WeightLayout): number {
  return parameterSpecs(layout.config).reduce((total, spec) => {
    const count = elementCount(spec.shape);
    return total + (inBlocks(layout, spec) ? count * (1 + 4 / blockLength) : 4 * count);
  }, 0);
}

/** Share that packing takes on top while a session with the adapter takes the place of one without. */
const whilePacking = 0.1;

/** The same packed by the runtime, a byte each; scales are one an output. */
function packedBytes(layout: WeightLayout): number {
  const packed = parameterSpecs(layout.config).reduce(
    (total, spec) => total + (inBlocks(layout, spec) ? elementCount(spec.shape) : 0),
    0,
  );
  return (1 + whilePacking) * packed;
}

/** Rows that are sampled at a time. */
export function sampledRows({ config, lora }: WeightLayout, work: SampledWork): number {
  const most = lora === null ? mostRows : rowsAtOnce(config);
  return Math.min(most, completionsOf(work));
}

function samplingParts(layout: WeightLayout, work: StepWork): MemoryPart[] {
  const logits = work.sampled.map((one) => 4 * 4 * sampledRows(layout, one) * layout.config.vocabSize);
  return [
    {
      part: "cache",
      bytes: cacheBytes(layout, work),
      about: "keys and values of the replies that are sampled at a time",
    },
    { part: "logits", bytes: largest(logits), about: "of their next tokens" },
  ];
}

function cacheBytes(layout: WeightLayout, { sampled }: StepWork): number {
  const { config, lora } = layout;
  const ofWork = (work: SampledWork): number => {
    const rows = sampledRows(layout, work);
    const perToken = cacheBytesPerToken(config);
    // In a graph with a loop what is read and what grows stand beside each other, at the end of a stretch.
    if (lora === null) return 2 * rows * (work.promptTokens + work.maxTokens) * perToken;
    // Blocks grow in place, a layer at a time; a prompt's are there once, and a copy of its last one for each row.
    const ownBlocks = Math.ceil(work.maxTokens / blockSize) + 1;
    const places = rows * ownBlocks * blockSize + work.prompts * work.promptTokens;
    return Math.min(places * perToken, mostCacheBytes);
  };
  return largest(sampled.map(ofWork));
}

const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

const millions = (count: number): string => `${(count / 1e6).toFixed(1)} M`;
