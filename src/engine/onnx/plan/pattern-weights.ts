// Weights of a model that is only timed: cheap numbers in the shapes of the real ones.
import { type ModelConfig, parameterSpecs } from "../../../model/model-config.ts";
import { elementCount, rowLength, type WeightSource } from "../../../model/weight-source.ts";
import { randomStream } from "../../../random.ts";

/** Numbers that are written again and again. A prime, so that rows differ. */
const patternLength = 4099;

/** A source for every weight of the model: as large as random weights would be, ones for norms. */
export function patternWeights(config: ModelConfig): WeightSource {
  const random = randomStream("pattern");
  const pattern = Float32Array.from({ length: patternLength }, () => random.normal());
  const shapes = new Map(parameterSpecs(config).map(({ name, shape }) => [name, shape]));
  const shapeOf = (name: string): readonly number[] => shapes.get(name) ?? [];
  const readRows = (name: string, _: number, into: Float32Array): void => fillPattern(pattern, shapeOf(name), into);
  return {
    path: "a pattern",
    shapeOf,
    readTensor(name, into = new Float32Array(elementCount(shapeOf(name)))) {
      readRows(name, 0, into);
      return into;
    },
    readRows,
    [Symbol.dispose]: () => undefined,
  };
}

function fillPattern(pattern: Float32Array, shape: readonly number[], into: Float32Array): void {
  if (shape.length === 1) {
    into.fill(1);
    return;
  }
  const scale = 1 / Math.sqrt(rowLength(shape));
  const scaled = pattern.map((value) => value * scale);
  for (let start = 0; start < into.length; start += scaled.length) {
    into.set(scaled.subarray(0, Math.min(scaled.length, into.length - start)), start);
  }
}
