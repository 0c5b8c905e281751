// Memory for keys and values: blocks of `blockSize` places, each for all layers, that lists of blocks own. Blocks in use stand
// side by side from the first on, so that a step can be handed all of them as one tensor a layer; where one is given back,
// the last one moves into its place.

import type { ModelConfig } from "../../../../model/model-config.ts";
import { float32Tensor, type Tensor } from "../../runtime/runtime.ts";
import { blockSize } from "./step-attention.ts";

/** Blocks of one owner, by number, in the order of their positions. The pool changes the numbers when blocks move. */
export interface BlockList {
  readonly blocks: number[];
}

/** Where the keys and values of one new position go. */
export interface Target {
  /** Its row in the states that a step gives. */
  readonly from: number;
  readonly block: number;
  readonly place: number;
}

const firstCapacity = 16;
const growth = 1.5;

export class BlockPool {
  readonly #heads: number;
  readonly #headSize: number;
  /** Keys of layer 0, values of layer 0, keys of layer 1, … */
  readonly #tensors: Float32Array[];
  /** Block 0 belongs to nobody and holds zeros: it stands where a row has fewer blocks than others. */
  readonly #owners: (BlockList | null)[] = [null];
  #capacity = firstCapacity;

  constructor({ layers, keyValueHeads, headSize }: ModelConfig) {
    this.#heads = keyValueHeads;
    this.#headSize = headSize;
    this.#tensors = Array.from({ length: 2 * layers }, () => new Float32Array(firstCapacity * this.#blockLength));
  }

  get #blockLength(): number {
    return this.#heads * blockSize * this.#headSize;
  }

  /** Blocks in use, with block 0. */
  get size(): number {
    return this.#owners.length;
  }

  /** Puts a block behind the others of a list. */
  extend(list: BlockList): void {
    if (this.size === this.#capacity) this.#grow();
    list.blocks.push(this.size);
    this.#owners.push(list);
  }

  /** Takes all blocks of a list back. */
  release(list: BlockList): void {
    // From the last one on, so that few have to move.
    for (const block of [...list.blocks].sort((a, b) => b - a)) this.#remove(block);
    list.blocks.length = 0;
  }

  #remove(block: number): void {
    const last = this.size - 1;
    const owner = this.#owners.pop() ?? null;
    if (block === last || owner === null) return;
    this.#copy(this, last, block);
    this.#owners[block] = owner;
    owner.blocks[owner.blocks.lastIndexOf(last)] = block;
  }

  /** Appends copies of blocks of another pool to a list of this one. */
  copyFrom(pool: BlockPool, blocks: readonly number[], list: BlockList): void {
    for (const block of blocks) {
      this.extend(list);
      this.#copy(pool, block, this.size - 1);
    }
  }

  #copy(from: BlockPool, source: number, target: number): void {
    const length = this.#blockLength;
    for (const [i, tensor] of this.#tensors.entries()) {
      tensor.set(from.#tensors[i].subarray(source * length, (source + 1) * length), target * length);
    }
  }

  /** Writes new positions: `states` [2 · layers, count, keyValueHeads · headSize]. */
  write(states: Float32Array, targets: readonly Target[]): void {
    const [heads, size] = [this.#heads, this.#headSize];
    const width = heads * size;
    const count = states.length / (this.#tensors.length * width);
    for (const [i, tensor] of this.#tensors.entries()) {
      for (const { from, block, place } of targets) {
        for (let head = 0; head < heads; head++) {
          let source = (i * count + from) * width + head * size;
          let target = ((block * heads + head) * blockSize + place) * size;
          for (const end = source + size; source < end; ) tensor[target++] = states[source++];
        }
      }
    }
  }

  /** The blocks in use as the inputs `name_keys_n` and `name_values_n` of a step; they share the pool's memory. */
  feeds(name: "shared" | "own"): Record<string, Tensor> {
    const shape = [this.size, this.#heads, blockSize, this.#headSize];
    const length = this.size * this.#blockLength;
    return Object.fromEntries(
      this.#tensors.map((tensor, i) => [
        `${name}_${i % 2 === 0 ? "keys" : "values"}_${i >> 1}`,
        float32Tensor(shape, tensor.subarray(0, length)),
      ]),
    );
  }

  #grow(): void {
    this.#capacity = Math.ceil(this.#capacity * growth);
    for (const [i, tensor] of this.#tensors.entries()) {
      const larger = new Float32Array(this.#capacity * this.#blockLength);
      larger.set(tensor);
      this.#tensors[i] = larger;
      giveBack(tensor);
    }
  }

  dispose(): void {
    this.#owners.length = 0;
    for (const tensor of this.#tensors.splice(0)) giveBack(tensor);
  }
}

/** Frees memory now rather than when garbage is collected, which does not see how much there is of it. */
function giveBack(array: Float32Array): void {
  (array.buffer as ArrayBuffer).transfer(0);
}

/** Bytes of one block over all layers. */
export function bytesOfBlock({ layers, keyValueHeads, headSize }: ModelConfig): number {
  return layers * 2 * keyValueHeads * headSize * blockSize * 4;
}
