// The weights of a model inside a graph, and the linear layers made of them: the one place that knows how a matrix is
// stored and applied. What is not a plain float32 matrix (an adapter, quantised weights) belongs here.

import { type ModelConfig, parameterSpecs } from "../../../model/model-config.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { add, gemm, matMul, transpose } from "../graph/operators.ts";

/** The weights as inputs of a graph, under their Hugging Face names and in Hugging Face layout. */
export type Parameters = ReadonlyMap<string, Value>;

export function declareParameters(graph: Graph, config: ModelConfig): Parameters {
  return new Map(parameterSpecs(config).map(({ name, shape }) => [name, graph.input(name, shape)]));
}

export function parameter(parameters: Parameters, name: string): Value {
  const value = parameters.get(name);
  if (value === undefined) throw new Error(`The model has no parameter ${name}.`);
  return value;
}

/** x·Wᵀ + b along the last axis of x, with `name.weight` [out, in] and, where the model has it, `name.bias` [out]. */
export type Linear = (x: Value, name: string) => Value;

/** Linear layers of matrices [rows, in], which can be differentiated. */
export function matrixLinear(parameters: Parameters): Linear {
  return (x, name) => {
    const bias = parameters.get(`${name}.bias`) ?? null;
    return gemm(x, parameter(parameters, `${name}.weight`), { bias, transposeB: true });
  };
}

/** Linear layers of any number of axes and any sizes. A matrix is turned once for each run of the graph, outside its loops. */
export function turnedLinear(parameters: Parameters): Linear {
  const turned = new Map<string, Value>();
  return (x, name) => {
    const matrix = turned.get(name) ?? transpose(parameter(parameters, `${name}.weight`), [1, 0]);
    turned.set(name, matrix);
    const product = matMul(x, matrix);
    const bias = parameters.get(`${name}.bias`);
    return bias === undefined ? product : add(product, bias);
  };
}
