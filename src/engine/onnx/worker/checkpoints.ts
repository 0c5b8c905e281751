// What a policy begins with, is saved as and loaded from: a whole model in Hugging Face layout, or where an adapter trains the
// adapter in PEFT's form and the name and digest of its base.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FileFormatError } from "../../../errors.ts";
import { isAdapterFolder, readAdapter, readAdapterConfig, writeAdapter } from "../../../model/adapter.ts";
import { type BaseIdentity, checkBase, identifyBase, readBase, writeBase } from "../../../model/base-identity.ts";
import { freshAdapter } from "../../../model/lora.ts";
import { openWeights, writeModelFolder } from "../../../model/model-folder.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../../model/safetensors.ts";
import { float32Data, float32Tensor, type Tensor } from "../runtime/runtime.ts";
import type { OptimizerState } from "../train/trainer.ts";
import { plainLayout, trainableSpecs, type WeightLayout } from "../transformer/linear.ts";
import type { OpenedModel } from "./open-model.ts";

const optimizerFile = "optimizer.safetensors";

/** float32 tensors of what trains, by name. */
export type TrainedWeights = ReadonlyMap<string, Tensor>;

export interface Checkpoints {
  /** Weights of their own for a new policy; `seed` where its adapter is to be drawn from another one than the model's. */
  start(seed?: number): TrainedWeights;
  save(folder: string, weights: TrainedWeights, optimizer: OptimizerState | null): void;
  /**
   * Reads over `weights` and returns the optimizer's state where it is asked for. Throws FileFormatError and changes nothing where
   * the folder does not hold all of it.
   */
  load(folder: string, weights: TrainedWeights, optimizer: boolean): OptimizerState | null;
}

export function openCheckpoints(model: OpenedModel): Checkpoints {
  const { adapter, layout } = model;
  const own = adapter === null ? wholeModels(model) : adapters(model, adapter);
  return {
    ...own,
    save(folder, weights, optimizer) {
      own.save(folder, weights);
      if (optimizer !== null) writeOptimizer(folder, optimizer);
    },
    load(folder, weights, optimizer) {
      // Everything is checked before the first weight changes, so that a bad folder leaves the model whole.
      let state: OptimizerState | null = null;
      own.load(folder, weights, () => {
        state = optimizer ? readOptimizer(folder, layout) : null;
      });
      return state;
    },
  };
}

interface Form {
  start(seed?: number): TrainedWeights;
  save(folder: string, weights: TrainedWeights): void;
  /** Calls `check` when all of its own checks have passed and nothing has changed. */
  load(folder: string, weights: TrainedWeights, check: () => void): void;
}

function wholeModels({ folder: model, openWeights: openOwn }: OpenedModel): Form {
  return {
    start() {
      using source = openOwn();
      return new Map(
        trainableSpecs(plainLayout(model.config)).map(({ name, shape }) => [
          name,
          float32Tensor(shape, source.readTensor(name)),
        ]),
      );
    },
    save: (folder, weights) => writeModelFolder(folder, model.companions, asNamedTensors(weights)),
    load(folder, weights, check) {
      if (isAdapterFolder(folder) && readBase(folder) !== null) {
        throw new FileFormatError(
          folder,
          "holds an adapter, and this model trains all weights",
          "Open the model with the adapter's rank (--lora-rank).",
        );
      }
      // Weights are read over the old ones, for there may be no room for both.
      using source = openWeights({ folder, config: model.config });
      check();
      for (const [name, tensor] of weights) source.readTensor(name, float32Data(tensor));
    },
  };
}

function adapters({ folder: model, layout, drawn }: OpenedModel, adapter: ReadonlyMap<string, NamedTensor>): Form {
  const { config, lora } = layout;
  if (lora === null) throw new Error("A model without LoRA has no adapter.");
  let identity: BaseIdentity | null = null;
  const base = (): BaseIdentity => {
    identity ??= identifyBase(model.folder);
    return identity;
  };
  return {
    start(seed) {
      const own = drawn && seed !== undefined ? freshAdapter(config, lora, seed) : adapter;
      return new Map([...own].map(([name, { shape, data }]) => [name, float32Tensor(shape, Float32Array.from(data))]));
    },
    save(folder, weights) {
      // Tokenizer and config travel with the adapter, so that a checkpoint can be read where the base is not.
      for (const [name, content] of model.companions) writeFileSync(join(folder, name), content, { flush: true });
      writeAdapter(folder, { lora, base: model.folder }, asNamedTensors(weights));
      writeBase(folder, base());
    },
    load(folder, weights, check) {
      if (!isAdapterFolder(folder)) {
        throw new FileFormatError(folder, "holds no adapter", "Load a checkpoint of a run with the same --lora-rank.");
      }
      checkBase(folder, model.folder, base());
      const stored = readAdapterConfig(folder);
      if (stored.rank !== lora.rank || stored.alpha !== lora.alpha || stored.targets.join() !== lora.targets.join()) {
        const say = ({ rank, alpha, targets }: typeof lora): string =>
          `rank ${rank}, alpha ${alpha}, ${targets.join(" ")}`;
        throw new FileFormatError(
          folder,
          `holds an adapter of another form (${say(stored)}; here ${say(lora)})`,
          "Open the model with the adapter's own settings.",
        );
      }
      const tensors = readAdapter(folder, config, lora);
      check();
      for (const [name, tensor] of weights) float32Data(tensor).set(tensors.get(name)!.data);
    },
  };
}

function asNamedTensors(weights: TrainedWeights): Map<string, NamedTensor> {
  return new Map([...weights].map(([name, tensor]) => [name, { shape: tensor.dims, data: float32Data(tensor) }]));
}

function writeOptimizer(folder: string, { updates, moments }: OptimizerState): void {
  writeSafetensors(join(folder, optimizerFile), moments, { updates: String(updates) });
}

function readOptimizer(folder: string, layout: WeightLayout): OptimizerState {
  const path = join(folder, optimizerFile);
  const hint = "Resume from another checkpoint, or load the weights alone.";
  if (!existsSync(path)) throw new FileFormatError(path, "missing: this folder has no optimizer state", hint);
  const { tensors, metadata } = readSafetensors(path);
  const updates = Number(metadata["updates"]);
  const wrong = trainableSpecs(layout)
    .flatMap(({ name, shape }) => [
      { name: `m:${name}`, shape },
      { name: `v:${name}`, shape },
    ])
    .find(({ name, shape }) => tensors.get(name)?.shape.join() !== shape.join());
  if (wrong !== undefined || !Number.isInteger(updates)) {
    throw new FileFormatError(path, `does not belong to this model (${wrong?.name ?? "update count"})`, hint);
  }
  return { updates, moments: tensors };
}
