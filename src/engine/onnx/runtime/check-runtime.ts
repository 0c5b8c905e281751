// A tiny graph with a known result: proves that ONNX Runtime loads and computes on this machine. For `sqlm doctor`; runs
// on the calling thread, which is fine for four multiplications.
import { Graph } from "../graph/graph.ts";
import { matMul } from "../graph/operators.ts";
import { createSession, float32Data, float32Tensor } from "./runtime.ts";

/** Says what ran. Throws when the runtime does not load or computes something else. */
export async function checkRuntime(): Promise<string> {
  const graph = Graph.create();
  graph.output("product", matMul(graph.input("left", [1, 2]), graph.input("right", [2, 2])));
  const session = await createSession(graph, { threads: 1 });
  try {
    const feeds = {
      left: float32Tensor([1, 2], Float32Array.of(1, 2)),
      right: float32Tensor([2, 2], Float32Array.of(3, 4, 5, 6)),
    };
    const product = [...float32Data((await session.run(feeds))["product"])];
    if (product.join() !== "13,16") throw new Error(`it computed ${product.join()} instead of 13,16`);
  } finally {
    await session.dispose();
  }
  return `computes on the CPU (${process.platform} ${process.arch})`;
}
