// Runs a micro-batch through the layers and back, one layer at a time. Of the forward pass each layer's hidden states stay in memory,
// and nothing else.
import type { Tensor, Tensors } from "../runtime/runtime.ts";
import { float32Data } from "../runtime/runtime.ts";
import { Scratch } from "../runtime/scratch.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { readRow } from "../transformer/weight-rows.ts";
import { layerBackwardGraph, layerForwardGraph, layerPrefix } from "./layer-graphs.ts";
import type { PackedBatch } from "./packed-batch.ts";
import { gradientName, newGradientName } from "./training-graph.ts";

/** Frozen weights and the adapter, by the names of their inputs. */
export type AllWeights = ReadonlyMap<string, Tensor>;

/** Calls may not overlap; what one returns is good until the next. */
export class LayerStack {
  readonly #layout: WeightLayout;
  readonly #sessions: SessionCache;
  readonly #scratch = new Scratch();

  constructor(layout: WeightLayout, sessions: SessionCache) {
    this.#layout = layout;
    this.#sessions = sessions;
  }

  /** Hidden states [rows, hiddenSize] before each layer and behind the last; with `keep` false only the last are whole. */
  async forward(weights: AllWeights, batch: PackedBatch, keep: boolean): Promise<Tensor[]> {
    const { layers, hiddenSize } = this.#layout.config;
    const shape = [batch.rows, hiddenSize];
    const at = (layer: number): Tensor => this.#scratch.tensor(`hidden ${keep ? layer : layer % 2}`, shape);
    const embedded = at(0);
    for (const [row, token] of batch.tokens.entries()) {
      const into = float32Data(embedded).subarray(row * hiddenSize, (row + 1) * hiddenSize);
      readRow(weights, "model.embed_tokens.weight", token, into);
    }
    const session = await this.#sessions.get(`layer ${batch.levels}`, () =>
      layerForwardGraph(this.#layout, batch.levels),
    );
    const hidden = [embedded];
    for (let layer = 0; layer < layers; layer++) {
      const feeds = { ...batch.feeds, ...layerWeights(weights, layer), hidden: hidden[layer] };
      hidden.push(at(layer + 1));
      await session.run(feeds, { next_hidden: hidden[layer + 1] });
    }
    return hidden;
  }

  /**
   * Adds to `gradients` of the adapter those that follow from `gradient` [rows, hiddenSize] of the states behind the last layer, whose
   * memory it uses up; `hidden` is what `forward` gave.
   */
  async backward(
    weights: AllWeights,
    gradients: ReadonlyMap<string, Tensor>,
    batch: PackedBatch,
    hidden: readonly Tensor[],
    gradient: Tensor,
  ): Promise<void> {
    const { layers } = this.#layout.config;
    const session = await this.#sessions.get(`layer gradient ${batch.levels}`, () =>
      layerBackwardGraph(this.#layout, batch.levels),
    );
    let [next, free] = [gradient, this.#scratch.tensor("gradient", gradient.dims)];
    for (let layer = layers - 1; layer >= 0; layer--) {
      const own = layerGradients(gradients, layer);
      const feeds = { ...batch.feeds, ...layerWeights(weights, layer), hidden: hidden[layer], next_gradient: next };
      await session.run({ ...feeds, ...own.so }, { gradient: free, ...own.next });
      [next, free] = [free, next];
    }
  }
}

/** A layer's tensors under the names of layer 0. */
function layerWeights(weights: AllWeights, layer: number): Tensors {
  const prefix = layerPrefix(layer);
  return Object.fromEntries(
    [...weights].flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[layerPrefix(0) + name.slice(prefix.length), tensor] as const] : [],
    ),
  );
}

function layerGradients(gradients: ReadonlyMap<string, Tensor>, layer: number): { so: Tensors; next: Tensors } {
  const own = Object.entries(layerWeights(gradients, layer));
  return {
    so: Object.fromEntries(own.map(([name, tensor]) => [gradientName(name), tensor])),
    next: Object.fromEntries(own.map(([name, tensor]) => [newGradientName(name), tensor])),
  };
}
