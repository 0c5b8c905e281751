// Keys and values while sequences are generated: two tensors a layer, frozen ones of earlier stretches and recent ones of
// the stretch under way, and the names under which the loops of generation carry them.

import type { ModelConfig } from "../../../../model/model-config.ts";
import type { Shape, Value } from "../../graph/graph.ts";
import { transpose } from "../../graph/operators.ts";
import { prefixNames } from "./prefill-graph.ts";

/** Keys of layer n are entry 2n of each list, values entry 2n + 1. */
export interface Caches {
  readonly frozenNames: readonly string[];
  readonly recentNames: readonly string[];
  /** Frozen places are [rows, keyValueHeads, time, headSize]; recent ones, which grow with every step, have time first. */
  shapes(rows: string, frozenTime: string, recentTime: string): Readonly<Record<string, Shape>>;
}

export function decodeCaches(config: ModelConfig): Caches {
  const { keyValueHeads, headSize } = config;
  const tensors = prefixNames(config);
  const frozenNames = tensors.map((_, i) => `frozen_${i}`);
  const recentNames = tensors.map((_, i) => `recent_${i}`);
  return {
    frozenNames,
    recentNames,
    shapes: (rows, frozenTime, recentTime) => ({
      ...named(frozenNames, () => frozenShape(config, rows, frozenTime)),
      ...named(recentNames, () => [recentTime, rows, keyValueHeads, headSize]),
    }),
  };
}

export function frozenShape({ keyValueHeads, headSize }: ModelConfig, rows: string, time: string): Shape {
  return [rows, keyValueHeads, time, headSize];
}

/** A record with an entry for each name. */
export function named<T>(names: readonly string[], make: (index: number) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(names.map((name, i) => [name, make(i)]));
}

/** From the layout of frozen places to that of recent ones. */
export const timeFirst = (x: Value): Value => transpose(x, [2, 0, 1, 3]);
/** And back. */
export const rowsFirst = (x: Value): Value => transpose(x, [1, 2, 0, 3]);
