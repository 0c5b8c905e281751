// Logits of whole sequences by the graphs of this engine, for scripts that compare them with others': as training computes them, and with
// int8 weights through the kernels that sample.
import { mkdirSync } from "node:fs";
import { findInputDirections } from "../../src/engine/onnx/generate/stepped/input-directions.ts";
import { stepLinear } from "../../src/engine/onnx/generate/stepped/step-linear.ts";
import { Graph } from "../../src/engine/onnx/graph/graph.ts";
import { createSession, float32Data, int64Tensor } from "../../src/engine/onnx/runtime/runtime.ts";
import { loadFrozenWeights } from "../../src/engine/onnx/transformer/frozen-weights.ts";
import { declareParameters } from "../../src/engine/onnx/transformer/linear.ts";
import { transformerLogits } from "../../src/engine/onnx/transformer/whole-sequences.ts";
import { parameterSpecs } from "../../src/model/model-config.ts";
import { openModelFolder, openWeights, writeModelFolder } from "../../src/model/model-folder.ts";

/**
 * Logits [time · vocabulary] of each sequence. int8: as a step of the sampler computes them, linear layers by its integer products
 * and the embedding from blocks of 32.
 */
export async function wholeLogits(
  model: string,
  sequences: readonly (readonly number[])[],
  weights: "f32" | "int8",
  threads: number,
): Promise<Float32Array[]> {
  const folder = openModelFolder(model);
  const { vocabSize } = folder.config;
  const layout = { config: folder.config, lora: null, blocks: weights === "int8", sliced: false };
  using source = openWeights(folder);
  const frozen = loadFrozenWeights(layout, source);
  const [batch, time] = [sequences.length, Math.max(...sequences.map(({ length }) => length))];
  const graph = Graph.create();
  const parameters = declareParameters(graph, layout);
  const tokens = graph.input("tokens", [batch * time], "int64");
  const directions = layout.blocks ? await findInputDirections(layout, frozen, threads) : null;
  const options = { layout, frozen, directions, adapted: false, threads };
  const linear = layout.blocks ? stepLinear(graph, parameters, options) : undefined;
  graph.output("logits", transformerLogits(layout, parameters, tokens, batch, time, linear));
  const session = await createSession(graph, { threads });
  try {
    // Behind a sequence stands padding, which causal attention keeps from reaching it.
    const padded = sequences.flatMap((sequence) => [...sequence, ...Array(time - sequence.length).fill(0)]);
    const feeds = { ...Object.fromEntries(frozen), tokens: int64Tensor([batch * time], padded) };
    const logits = float32Data((await session.run(feeds))["logits"]);
    return sequences.map(({ length }, row) => {
      const start = row * time * vocabSize;
      return logits.slice(start, start + length * vocabSize);
    });
  } finally {
    await session.dispose();
  }
}

/** Writes any model as a Hugging Face folder of float32 weights, which others read too. One tensor is in memory at a time. */
export function asFolder(model: string, folder: string): string {
  const opened = openModelFolder(model);
  using source = openWeights(opened);
  const weights = parameterSpecs(opened.config).map(({ name, shape }) => {
    const tensor = {
      shape,
      /** Read when it is written. */
      get data(): Float32Array {
        return source.readTensor(name);
      },
    };
    return [name, tensor] as const;
  });
  mkdirSync(folder, { recursive: true });
  writeModelFolder(folder, opened.companions, new Map(weights));
  return folder;
}
