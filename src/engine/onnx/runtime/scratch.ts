// Memory that is used again: large tensors that a call fills and nobody keeps. Garbage collection would give their memory back
// late, and a step makes hundreds of them.
import { elementCount, float32Tensor, type Tensor } from "./runtime.ts";

/** Owns one float32 array for each name, as large as the largest tensor that was asked of it. */
export class Scratch {
  readonly #arrays = new Map<string, Float32Array>();

  /** A tensor whose numbers are whatever was left there. It is good until the next one of this name is asked for. */
  tensor(name: string, shape: readonly number[]): Tensor {
    const count = elementCount(shape);
    let array = this.#arrays.get(name);
    if (array === undefined || array.length < count) {
      array = new Float32Array(count);
      this.#arrays.set(name, array);
    }
    return float32Tensor(shape, array.subarray(0, count));
  }
}
