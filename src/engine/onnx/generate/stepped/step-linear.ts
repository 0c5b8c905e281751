// How the linear layers of a step are computed: in groups of those that read the same rows, by integer products where the
// frozen weights are int8, else by float32 ones, with the adapter beside them.

import type { Graph, Value } from "../../graph/graph.ts";
import { add } from "../../graph/operators.ts";
import { float32Data } from "../../runtime/runtime.ts";
import type { FrozenWeights } from "../../transformer/frozen-weights.ts";
import { halveRows, productOfHalves } from "../../transformer/integer-linear.ts";
import { type Linear, type Parameters, parameter, type WeightLayout } from "../../transformer/linear.ts";
import { directionCount, type InputDirections } from "./input-directions.ts";
import { adapterInputs, adapterWidth, type LinearGroup, linearGroups } from "./linear-groups.ts";
import { packMatrix } from "./pack-weights.ts";
import { rowProduct } from "./row-product.ts";

export interface StepLinearOptions {
  readonly layout: WeightLayout;
  /** Where int8 matrices come from; null for float32 ones, which are parameters. */
  readonly frozen: FrozenWeights | null;
  /** With int8 matrices, in which directions what rounding them took is given back. */
  readonly directions: InputDirections | null;
  /** Whether there is an adapter, as inputs (`packAdapters`). */
  readonly adapted: boolean;
  /** Threads that will compute the graph. */
  readonly threads: number;
}

/** Linear layers of matrices [n, inputs]. */
export function stepLinear(graph: Graph, parameters: Parameters, options: StepLinearOptions): Linear {
  const { layout, frozen } = options;
  const groups = linearGroups(layout.config, frozen !== null);
  const groupOf = new Map(groups.flatMap((group) => group.members.map(({ module }) => [module, group] as const)));
  const done = new Map<LinearGroup, { readonly x: Value; readonly parts: readonly Value[] }>();
  const partsOf = (group: LinearGroup, x: Value): readonly Value[] => {
    const known = done.get(group);
    if (known?.x === x) return known.parts;
    const parts = splitMembers(group, groupOutputs(graph, parameters, options, group, x));
    done.set(group, { x, parts });
    return parts;
  };
  return (x, name) => {
    const group = groupOf.get(name);
    if (group === undefined) throw new Error(`The model has no linear layer ${name}.`);
    return partsOf(group, x)[group.members.findIndex(({ module }) => module === name)];
  };
}

function groupOutputs(
  graph: Graph,
  parameters: Parameters,
  { layout, frozen, directions, adapted, threads }: StepLinearOptions,
  group: LinearGroup,
  x: Value,
): Value {
  const product = (rows: Value, w: Value): Value => rowProduct(rows, w, { transposed: false, threads });
  const base =
    frozen === null
      ? floatProduct(parameters, group, x, threads)
      : packedProduct(graph, frozen, directionsOf(directions, group), group, x, threads);
  const bias = biasOf(graph, parameters, frozen, group);
  const biased = bias === null ? base : add(base, bias);
  if (!adapted || layout.lora === null) return biased;
  const width = adapterWidth(layout.config, layout.lora, group);
  if (width === 0) return biased;
  const names = adapterInputs(group);
  const [a, b] = [graph.input(names.a, [group.inputs, width]), graph.input(names.b, [width, group.outputs])];
  return add(biased, product(product(x, a), b));
}

/** A group of one layer. */
function floatProduct(
  parameters: Parameters,
  { members: [{ module }] }: LinearGroup,
  x: Value,
  threads: number,
): Value {
  return rowProduct(x, parameter(parameters, `${module}.weight`), { transposed: true, threads });
}

function directionsOf(directions: InputDirections | null, { name }: LinearGroup): Float32Array {
  const found = directions?.get(name);
  if (found === undefined) throw new Error(`There are no directions of ${name}.`);
  return found;
}

/** Integer products, and for rows along the given directions what rounding the matrix took. */
function packedProduct(
  graph: Graph,
  frozen: FrozenWeights,
  directions: Float32Array,
  group: LinearGroup,
  x: Value,
  threads: number,
): Value {
  const { inputs, outputs, name } = group;
  const packed = packMatrix(frozen, group, directions);
  const matrix = graph.external(`packed:${name}`, [inputs, outputs], "int8", inputs * outputs, packed.values);
  const scales = graph.external(`packed_scales:${name}`, [outputs], "float32", outputs * 4, packed.scales);
  const lost = graph.external(
    `packed_lost:${name}`,
    [directionCount, outputs],
    "float32",
    directionCount * outputs * 4,
    packed.lost,
  );
  const along = graph.constant(directions, [directionCount, inputs]);
  const parts = rowProduct(x, along, { transposed: true, threads });
  return add(productOfHalves(halveRows(x), matrix, scales), rowProduct(parts, lost, { transposed: false, threads }));
}

function biasOf(
  graph: Graph,
  parameters: Parameters,
  frozen: FrozenWeights | null,
  { members, outputs }: LinearGroup,
): Value | null {
  if (frozen === null) return parameters.get(`${members[0].module}.bias`) ?? null;
  const biases = members.map(({ module }) => frozen.get(`${module}.bias`));
  if (biases.every((bias) => bias === undefined)) return null;
  const data = new Float32Array(outputs);
  let start = 0;
  for (const [i, { outputs: size }] of members.entries()) {
    const bias = biases[i];
    if (bias !== undefined) data.set(float32Data(bias), start);
    start += size;
  }
  return graph.constant(data, [outputs]);
}

function splitMembers({ members }: LinearGroup, y: Value): readonly Value[] {
  if (members.length === 1) return [y];
  const sizes = y.graph.integers(members.map(({ outputs }) => outputs));
  const parts = members.map(({ outputs }) => ({ shape: [y.shape[0], outputs] }));
  return y.graph.emit("Split", [y, sizes], parts, { attributes: { axis: 1 } });
}
