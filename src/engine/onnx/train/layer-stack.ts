// Runs a micro-batch through the layers and back, one layer at a time.
import type { Tensor, Tensors } from "../runtime/runtime.ts";
import { float32Data } from "../runtime/runtime.ts";
import type { SessionCache } from "../runtime/session-cache.ts";
import { Workspace } from "../runtime/workspace.ts";
import type { WeightLayout } from "../transformer/linear.ts";
import { readRow } from "../transformer/weight-rows.ts";
import { type KeptValue, keptValues, layerBackwardGraph, layerForwardGraph, layerPrefix } from "./layer-graphs.ts";
import type { PackedBatch } from "./packed-batch.ts";
import { gradientName, newGradientName } from "./training-graph.ts";

/** Frozen weights and the adapter, by the names of their inputs. */
export type AllWeights = ReadonlyMap<string, Tensor>;

/** What a forward pass leaves to the backward pass. */
export interface ForwardPass {
  /** [rows, hiddenSize] before each layer and behind the last. */
  readonly hidden: readonly Tensor[];
  /** For each layer the values of `keptValues`, or none. */
  readonly kept: readonly Tensors[];
  readonly last: Tensor;
  /** Room for two gradients of the same shape. */
  readonly gradients: readonly [Tensor, Tensor];
}

/** Calls may not overlap; what one returns is good until the next. */
export class LayerStack {
  readonly #layout: WeightLayout;
  readonly #sessions: SessionCache;
  readonly #workspace = new Workspace();
  /** By number of levels. */
  readonly #kept = new Map<number, readonly KeptValue[]>();

  constructor(layout: WeightLayout, sessions: SessionCache) {
    this.#layout = layout;
    this.#sessions = sessions;
  }

  /** Gives memory back that only the next call needs again. */
  release(): void {
    this.#workspace.release();
  }

  /** The same where what is held has become larger than `bytes`. */
  releaseAbove(bytes: number): void {
    if (this.#workspace.bytes > bytes) this.release();
  }

  /** Hidden states [rows, hiddenSize] behind the last layer. */
  async forward(weights: AllWeights, batch: PackedBatch): Promise<Tensor> {
    const { layers } = this.#layout.config;
    const shape = [batch.rows, this.#layout.config.hiddenSize];
    this.#workspace.reset([shape, shape]);
    let [hidden, next] = [this.#workspace.take(shape), this.#workspace.take(shape)];
    this.#embed(weights, batch, hidden);
    for (let layer = 0; layer < layers; layer++) {
      await this.#runLayer(weights, batch, layer, hidden, next, []);
      [hidden, next] = [next, hidden];
    }
    return hidden;
  }

  /** The same, and what the backward pass needs: hidden states before each layer, and of the last `keptLayers` more than that. */
  async forwardToTrain(weights: AllWeights, batch: PackedBatch, keptLayers: number): Promise<ForwardPass> {
    const { layers } = this.#layout.config;
    const shape = [batch.rows, this.#layout.config.hiddenSize];
    const values = this.#keptValues(batch.levels);
    const keptShapes = values.map(({ width }) => [batch.rows, width]);
    this.#workspace.reset([
      ...Array.from({ length: layers + 3 }, () => shape),
      ...Array.from({ length: keptLayers }, () => keptShapes).flat(),
    ]);
    const take = (): Tensor => this.#workspace.take(shape);
    const hidden = [take()];
    this.#embed(weights, batch, hidden[0]);
    const kept: Tensors[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const next = take();
      kept.push(
        await this.#runLayer(weights, batch, layer, hidden[layer], next, layer < layers - keptLayers ? [] : values),
      );
      hidden.push(next);
    }
    return { hidden, kept, last: hidden[layers], gradients: [take(), take()] };
  }

  /**
   * Adds to `gradients` of the adapter those that follow from the gradient of the states behind the last layer, which stands in the
   * first of the pass's `gradients`.
   */
  async backward(
    weights: AllWeights,
    gradients: ReadonlyMap<string, Tensor>,
    batch: PackedBatch,
    { hidden, kept, gradients: [last, other] }: ForwardPass,
  ): Promise<void> {
    const { levels } = batch;
    let [next, free] = [last, other];
    for (let layer = this.#layout.config.layers - 1; layer >= 0; layer--) {
      const keep = Object.keys(kept[layer]).length > 0;
      const session = await this.#sessions.get(`layer gradient ${levels}${keep ? " kept" : ""}`, () =>
        layerBackwardGraph(this.#layout, levels, keep),
      );
      const own = layerGradients(gradients, layer);
      const feeds = { ...batch.feeds, ...layerWeights(weights, layer), ...kept[layer], hidden: hidden[layer] };
      await session.run({ ...feeds, ...own.so, next_gradient: next }, { gradient: free, ...own.next });
      [next, free] = [free, next];
    }
  }

  #embed(weights: AllWeights, { tokens }: PackedBatch, into: Tensor): void {
    const { hiddenSize } = this.#layout.config;
    for (const [row, token] of tokens.entries()) {
      const place = float32Data(into).subarray(row * hiddenSize, (row + 1) * hiddenSize);
      readRow(weights, "model.embed_tokens.weight", token, place);
    }
  }

  /** Returns what was kept, by name. */
  async #runLayer(
    weights: AllWeights,
    { feeds, levels, rows }: PackedBatch,
    layer: number,
    hidden: Tensor,
    next: Tensor,
    values: readonly KeptValue[],
  ): Promise<Tensors> {
    const keep = values.length > 0;
    const session = await this.#sessions.get(`layer ${levels}${keep ? " kept" : ""}`, () =>
      layerForwardGraph(this.#layout, levels, keep),
    );
    const kept = Object.fromEntries(values.map(({ name, width }) => [name, this.#workspace.take([rows, width])]));
    await session.run({ ...feeds, ...layerWeights(weights, layer), hidden }, { next_hidden: next, ...kept });
    return kept;
  }

  #keptValues(levels: number): readonly KeptValue[] {
    const known = this.#kept.get(levels) ?? keptValues(this.#layout, levels);
    this.#kept.set(levels, known);
    return known;
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
