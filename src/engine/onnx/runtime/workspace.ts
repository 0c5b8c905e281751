// Memory that is used again and again: large tensors that a call fills and nobody keeps. Left to garbage collection their memory would
// come back late, and a step makes hundreds of them.
import { elementCount, float32Tensor, type Tensor } from "./runtime.ts";

/** Tensors begin at multiples of this many values, as wide vector instructions like it. */
const alignment = 16;

/** Owns one array until it is released. Pages that no tensor has reached take no memory. */
export class Workspace {
  #array = new Float32Array(0);
  #used = 0;

  /** Makes room for tensors of `shapes` together; those taken before are no longer good. */
  reset(shapes: readonly (readonly number[])[]): void {
    const count = shapes.reduce((sum, shape) => sum + aligned(shape), 0);
    this.#used = 0;
    if (count <= this.#array.length) return;
    this.release();
    this.#array = new Float32Array(count);
  }

  get bytes(): number {
    return this.#array.byteLength;
  }

  /** Gives the memory back, at once; tensors that were taken are empty from here on. */
  release(): void {
    this.#array.buffer.transfer(0);
    this.#array = new Float32Array(0);
  }

  /** A tensor whose numbers are whatever was left there. */
  take(shape: readonly number[]): Tensor {
    const start = this.#used;
    this.#used += aligned(shape);
    if (this.#used > this.#array.length) throw new RangeError("No room was made for this tensor.");
    return float32Tensor(shape, this.#array.subarray(start, start + elementCount(shape)));
  }
}

function aligned(shape: readonly number[]): number {
  return Math.ceil(elementCount(shape) / alignment) * alignment;
}
