// What a step of self-play takes of memory in this engine, part by part, from the model's shape and the step's size. Pure.
import { parameterCount, parameterSpecs } from "../../../model/model-config.ts";
import { elementCount } from "../../../model/weight-source.ts";
import { completionsOf, type MemoryPart, type SampledWork, type StepWork } from "../../work.ts";
import { cacheBytesPerToken, mostCacheBytes, mostRows, rowsAtOnce } from "../generate/stepped/limits.ts";
import { blockLength } from "../graph/operators.ts";
import { activationBudget } from "../train/memory.ts";
import { inBlocks, trainableSpecs, type WeightLayout } from "../transformer/linear.ts";
import { leastBytes, planPackedTraining, planWholeTraining } from "./training-plan.ts";

/** Node, the runtime, this package's own code and its database, … */
const processBytes = 200e6;
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
  const room = available - held.reduce((total, { bytes }) => total + bytes, 0);
  const trained = work.trained.map((one) => partOfUpdate(one, work.updates));
  if (layout.lora === null) {
    const bytes = keptShapes * largest(trained.map((one) => planWholeTraining(layout, one).bytes));
    const about = "all that a micro-batch of training keeps for its backward pass, in each of its shapes";
    return { parts: [...held, { part: "activations", bytes, about }], activationBytes: 0 };
  }
  const least = largest(trained.map((one) => leastBytes(layout, one)));
  const budget = wanted > 0 ? wanted : Math.min(activationBudget(layout.config), Math.max(least, room));
  const bytes = largest(trained.map((one) => planPackedTraining(layout, one, budget).bytes));
  const about =
    "of a micro-batch of training: states before each layer, layers as far as there is room, a slice of the logits";
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
            about: "the same, packed for the kernels, without and with the adapter",
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

/**
 * The same packed by the runtime, with a sum beside the scale of each block; twice, for when the first update is done, weights are packed
 * anew for the graph with the adapter, and the system has not yet got back what they took without it.
 */
function packedBytes(layout: WeightLayout): number {
  const packed = parameterSpecs(layout.config).reduce(
    (total, spec) => total + (inBlocks(layout, spec) ? elementCount(spec.shape) * (1 + 8 / blockLength) : 0),
    0,
  );
  return 2 * packed;
}

/** Rows that are sampled at a time. */
export function sampledRows({ config, lora }: WeightLayout, work: SampledWork): number {
  const most = lora === null ? mostRows : rowsAtOnce(config);
  return Math.min(most, completionsOf(work));
}

function samplingParts(layout: WeightLayout, { sampled }: StepWork): MemoryPart[] {
  const { config } = layout;
  const caches = sampled.map((work) => {
    const bytes = sampledRows(layout, work) * (work.promptTokens + work.maxTokens) * cacheBytesPerToken(config);
    // What is read and what grows stand beside each other, at the end of a stretch or while a pool gets larger.
    return 2 * (layout.lora === null ? bytes : Math.min(bytes, mostCacheBytes));
  });
  const logits = sampled.map((work) => 4 * 4 * sampledRows(layout, work) * config.vocabSize);
  return [
    { part: "cache", bytes: largest(caches), about: "keys and values of the replies that are sampled at a time" },
    { part: "logits", bytes: largest(logits), about: "of their next tokens" },
  ];
}

const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

const millions = (count: number): string => `${(count / 1e6).toFixed(1)} M`;
