// Leaves out of a graph what is not needed: a backward pass is recorded behind a whole forward pass, of which it reads a part.
import type { Graph, Value } from "./graph.ts";

/** Removes nodes, inputs and constants that no output depends on. For graphs without bodies. */
export function prune(graph: Graph): void {
  const needed = new Set<Value>(graph.outputs.map(({ value }) => value));
  const nodes = graph.nodes.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((output) => needed.has(output))) return false;
    for (const input of inputs) if (input !== null) needed.add(input);
    return true;
  });
  replace(graph.nodes, nodes.toReversed());
  replace(
    graph.inputs,
    graph.inputs.filter((input) => needed.has(input)),
  );
  replace(
    graph.initializers,
    graph.initializers.filter(({ value }) => needed.has(value)),
  );
}

/** Makes values of a graph its inputs, under their own names: what led to them is somebody else's work. */
export function takeAsInputs(graph: Graph, values: readonly Value[]): void {
  const given = new Set(values);
  replace(
    graph.nodes,
    graph.nodes.filter(({ outputs }) => !outputs.some((output) => given.has(output))),
  );
  graph.inputs.push(...values);
  prune(graph);
}

function replace<Entry>(list: Entry[], by: readonly Entry[]): void {
  list.splice(0, list.length, ...by);
}
