// Checks the gradients of a graph against central differences of the same graph.
import { gradients } from "../engine/onnx/graph/gradients.ts";
import { Graph, type Value } from "../engine/onnx/graph/graph.ts";
import {
  createSession,
  elementCount,
  float32Data,
  float32Tensor,
  type Tensor,
} from "../engine/onnx/runtime/runtime.ts";

export interface GradientCheck {
  /** Shapes of the differentiable inputs, by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Builds a scalar from the inputs. */
  readonly build: (inputs: Readonly<Record<string, Value>>, graph: Graph) => Value;
  /** Value of one element; the default is spread over about −1 … 1 without repeating. */
  readonly initial?: (name: string, index: number) => number;
  /** Half of the distance between the two points of a difference. Default 1e-2, right for float32 and curved functions. */
  readonly step?: number;
}

/**
 * Largest |analytic − numeric| / (1 + |numeric|) over all elements of all inputs. float32 leaves about 1e-3 at best for
 * sums of many terms.
 */
export async function gradientError({ inputs, build, initial = spread, step = 1e-2 }: GradientCheck): Promise<number> {
  const names = Object.keys(inputs);
  const makeGraph = (withGradients: boolean): Graph => {
    const graph = Graph.create();
    const values = Object.fromEntries(names.map((name) => [name, graph.input(name, inputs[name])]));
    const loss = build(values, graph);
    graph.output("loss", loss);
    if (!withGradients) return graph;
    for (const [index, gradient] of gradients(graph, loss, Object.values(values)).entries()) {
      if (gradient === null) throw new Error(`The result does not depend on ${names[index]}.`);
      graph.output(`gradient:${names[index]}`, gradient);
    }
    return graph;
  };
  const feeds: Record<string, Tensor> = {};
  for (const name of names) {
    const data = Float32Array.from({ length: elementCount(inputs[name]) }, (_, index) => initial(name, index));
    feeds[name] = float32Tensor(inputs[name], data);
  }
  const analytic = await (await createSession(makeGraph(true), { threads: 1 })).run(feeds);
  const forward = await createSession(makeGraph(false), { threads: 1 });
  const loss = async (): Promise<number> => float32Data((await forward.run(feeds))["loss"])[0];
  let worst = 0;
  for (const name of names) {
    const data = float32Data(feeds[name]);
    const gradient = float32Data(analytic[`gradient:${name}`]);
    for (let index = 0; index < data.length; index++) {
      const value = data[index];
      data[index] = value + step;
      const above = await loss();
      data[index] = value - step;
      const below = await loss();
      data[index] = value;
      const numeric = (above - below) / (2 * step);
      worst = Math.max(worst, Math.abs(gradient[index] - numeric) / (1 + Math.abs(numeric)));
    }
  }
  await forward.dispose();
  return worst;
}

/** Values in about −1 … 1 that do not repeat and do not sit on kinks. */
function spread(name: string, index: number): number {
  return Math.sin(1.7 * index + name.length + (name.codePointAt(0) ?? 0) * 0.37) * 0.9 + 0.05;
}
