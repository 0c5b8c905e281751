// Generation of large models: step by step, in JavaScript, so that rows begin and end at any step, tokens are told as they come, and
// memory is that of the tokens there are. What a step computes is step-graph.ts's, where keys and values are row-caches.ts's, which
// rows take part generation.ts's.

import type { Completion } from "../../../../types.ts";
import { float32Data, type Tensor, type Tensors } from "../../runtime/runtime.ts";
import { blockNames, inBlocks, type WeightLayout } from "../../transformer/linear.ts";
import type { Sampler, SamplerOptions } from "../sampler.ts";
import { sequencesOf } from "../sequences.ts";
import type { RunStep } from "./compute-prompts.ts";
import { generate } from "./generation.ts";
import { findInputDirections, type InputDirections } from "./input-directions.ts";
import { cacheLimits, generationLimits } from "./limits.ts";
import { linearGroups, packAdapters } from "./linear-groups.ts";
import { RowCaches } from "./row-caches.ts";
import { StepSession } from "./step-session.ts";

export function createSteppedSampler(layout: WeightLayout, options: SamplerOptions): Sampler {
  const { config } = layout;
  const { maxBatch, onProgress = () => undefined } = options;
  const sessions = new StepSessions(layout, options);
  const limits = generationLimits(config, maxBatch);
  return {
    sample: async (weights, asks, settings, watch) => {
      const sequences = asks.flatMap(sequencesOf);
      if (sequences.length === 0) return asks.map(() => []);
      const { session, feeds } = await sessions.open(weights);
      const run: RunStep = (blocks, step) => session.run({ ...feeds, ...blocks }, step, settings);
      using caches = new RowCaches(config, sequences, run, cacheLimits(sequences, settings, limits));
      const completions = await generate({ caches, sequences, settings, limits, watch, onProgress });
      const rows: Completion[][] = asks.map(() => []);
      for (const [i, { ask }] of sequences.entries()) rows[ask].push(completions[i]);
      return rows;
    },
    dispose: () => sessions.dispose(),
  };
}

/** The one session there is, since each packs the weights for itself, and what it is fed. */
class StepSessions {
  readonly #layout: WeightLayout;
  readonly #options: SamplerOptions;
  #session: StepSession | null = null;
  #directions: InputDirections | null = null;
  #adapted = false;

  constructor(layout: WeightLayout, options: SamplerOptions) {
    this.#layout = layout;
    this.#options = options;
  }

  /** `weights`: what trains. An adapter is left out as long as its B is zero, which changes nothing. */
  async open(weights: ReadonlyMap<string, Tensor>): Promise<{ session: StepSession; feeds: Tensors }> {
    const { lora } = this.#layout;
    const adapted = lora !== null && (this.#adapted || changesAnything(weights));
    if (this.#session === null || adapted !== this.#adapted) {
      await this.dispose();
      const { threads, frozen = null } = this.#options;
      const packed = this.#layout.blocks ? frozen : null;
      if (packed !== null) this.#directions ??= await findInputDirections(this.#layout, packed, threads);
      const directions = this.#directions;
      this.#session = await StepSession.open({ layout: this.#layout, frozen: packed, directions, adapted, threads });
      this.#adapted = adapted;
    }
    return { session: this.#session, feeds: this.#feeds(weights) };
  }

  /** Weights that are no constants of the graph, and the adapter. */
  #feeds(weights: ReadonlyMap<string, Tensor>): Tensors {
    const { config, lora, blocks } = this.#layout;
    const { frozen = null } = this.#options;
    const adapter =
      this.#adapted && lora !== null ? packAdapters(config, lora, linearGroups(config, blocks), weights) : {};
    if (frozen === null) return Object.fromEntries(weights);
    return { ...(blocks ? embeddingOf(this.#layout, frozen) : Object.fromEntries(frozen)), ...adapter };
  }

  async dispose(): Promise<void> {
    await this.#session?.dispose();
    this.#session = null;
  }
}

function embeddingOf(layout: WeightLayout, frozen: ReadonlyMap<string, Tensor>): Tensors {
  const name = "model.embed_tokens.weight";
  const { values, scales } = blockNames(name);
  const names = inBlocks(layout, { name, shape: [layout.config.vocabSize, layout.config.hiddenSize] })
    ? [values, scales]
    : [name];
  return Object.fromEntries(names.map((one) => [one, frozen.get(one)!]));
}

/** Whether an adapter among these weights does anything yet: its B are zero at first. */
function changesAnything(weights: ReadonlyMap<string, Tensor>): boolean {
  return [...weights].some(
    ([name, tensor]) => name.endsWith("lora_B.weight") && float32Data(tensor).some((x) => x !== 0),
  );
}
