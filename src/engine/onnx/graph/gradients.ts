// Reverse-mode differentiation of a recorded graph: one walk backwards over the nodes, one rule for each operator.
// The backward pass is recorded into the same graph, behind the forward pass.
import { gradientRules } from "./gradient-rules.ts";
import type { Graph, GraphNode, Value } from "./graph.ts";
import { add } from "./operators.ts";

/**
 * Extends `graph` with the gradients of `loss` (a scalar) with respect to `parameters`, in their order. Throws an Error
 * that names the operator when one on the way has no rule; a parameter that the loss does not depend on gives null.
 */
export function gradients(graph: Graph, loss: Value, parameters: readonly Value[]): (Value | null)[] {
  return gradientsFrom(graph, new Map([[loss, graph.scalar(1)]]), parameters);
}

/**
 * The same where the loss is a function of some values whose gradients are known already: `seeds` gives the gradient of each,
 * of its shape. What led from them to the loss is not looked at.
 */
export function gradientsFrom(
  graph: Graph,
  seeds: ReadonlyMap<Value, Value>,
  parameters: readonly Value[],
): (Value | null)[] {
  const forward = [...graph.nodes];
  const active = reachableFrom(forward, parameters);
  const gradientOf = new Map(seeds);
  for (const node of forward.toReversed()) {
    const outputGradient = gradientOf.get(node.outputs[0]);
    const inputs = node.gradient?.inputs ?? node.inputs;
    const needs = (index: number): boolean => {
      const input = inputs[index];
      return input !== undefined && input !== null && active.has(input);
    };
    if (outputGradient === undefined || !inputs.some((_, index) => needs(index))) continue;
    const found = node.gradient?.backwards(outputGradient) ?? byRule(node, outputGradient, needs);
    for (const [index, gradient] of found.entries()) {
      const input = inputs[index];
      if (gradient === null || input === null || !active.has(input)) continue;
      const known = gradientOf.get(input);
      gradientOf.set(input, known === undefined ? gradient : add(known, gradient));
    }
  }
  return parameters.map((parameter) => gradientOf.get(parameter) ?? null);
}

function byRule(node: GraphNode, dy: Value, needs: (index: number) => boolean): (Value | null)[] {
  const rule = gradientRules[node.op];
  if (rule === undefined)
    throw new Error(`No gradient rule for the operator ${node.op}; add one to gradient-rules.ts.`);
  return rule(node, dy, needs);
}

/** Values that depend on a parameter through differentiable paths. */
function reachableFrom(nodes: readonly GraphNode[], parameters: readonly Value[]): Set<Value> {
  const active = new Set(parameters);
  for (const node of nodes) {
    // `Identity` marks stopGradient; comparisons and indices carry no gradient.
    if (node.op === "Identity" || node.outputs[0].type !== "float32") continue;
    if (node.inputs.some((input) => input !== null && active.has(input))) {
      for (const output of node.outputs) active.add(output);
    }
  }
  return active;
}
