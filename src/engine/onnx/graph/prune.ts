// Leaves out of a graph what none of its outputs needs. A backward pass is recorded behind a whole forward pass, of which it reads
// a part, and rules record gradients that nobody asks for.
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

function replace<Entry>(list: Entry[], by: readonly Entry[]): void {
  list.splice(0, list.length, ...by);
}
