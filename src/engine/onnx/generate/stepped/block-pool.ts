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

const growth = 1.5;

export class BlockPool {
  readonly #heads: number;
  readonly #headSize: number;
  /** Keys of layer 0, values of layer 0, keys of layer 1, … */
  readonly #parts: number;
  /** Block 0 belongs to nobody and holds zeros: it stands where a row has fewer blocks than others. */
  readonly #owners: (BlockList | null)[] = [null];
  #capacity: number;
  /**
   * One array for all parts, each with room for `#capacity` blocks: large enough for pages of its own, of which those that no block has
   * reached take no memory, and which all go back to the system in the end. In an array for each part, that grew, they stayed with the
   * process in pieces.
   */
  #array: Float32Array;

  /** `capacity`: blocks that it will hold, at most; more take a copy of everything. */
  constructor({ layers, keyValueHeads, headSize }: ModelConfig, capacity: number) {
    this.#heads = keyValueHeads;
    this.#headSize = headSize;
    this.#parts = 2 * layers;
    this.#capacity = capacity + 1;
    this.#array = this.#makeArray();
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
    // A prompt's blocks are needed until its rows have copies: what held them goes back.
    if (this.size === 1) this.#renew();
  }

  #renew(): void {
    giveBack(this.#array);
    this.#array = this.#makeArray();
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
    for (let part = 0; part < this.#parts; part++) {
      const start = from.#startOf(part) + source * length;
      this.#array.set(from.#array.subarray(start, start + length), this.#startOf(part) + target * length);
    }
  }

  /** Where a part's blocks begin. */
  #startOf(part: number): number {
    return part * this.#capacity * this.#blockLength;
  }

  #makeArray(): Float32Array {
    return new Float32Array(this.#parts * this.#capacity * this.#blockLength);
  }

  /** Writes new positions: `states` [2 · layers, count, keyValueHeads · headSize]. */
  write(states: Float32Array, targets: readonly Target[]): void {
    const [heads, size] = [this.#heads, this.#headSize];
    const width = heads * size;
    const count = states.length / (this.#parts * width);
    const array = this.#array;
    for (let part = 0; part < this.#parts; part++) {
      const start = this.#startOf(part);
      for (const { from, block, place } of targets) {
        for (let head = 0; head < heads; head++) {
          let source = (part * count + from) * width + head * size;
          let target = start + ((block * heads + head) * blockSize + place) * size;
          for (const end = source + size; source < end; ) array[target++] = states[source++];
        }
      }
    }
  }

  /** The blocks in use as the inputs `name_keys_n` and `name_values_n` of a step; they share the pool's memory. */
  feeds(name: "shared" | "own"): Record<string, Tensor> {
    const shape = [this.size, this.#heads, blockSize, this.#headSize];
    const length = this.size * this.#blockLength;
    return Object.fromEntries(
      Array.from({ length: this.#parts }, (_, part) => [
        `${name}_${part % 2 === 0 ? "keys" : "values"}_${part >> 1}`,
        float32Tensor(shape, this.#array.subarray(this.#startOf(part), this.#startOf(part) + length)),
      ]),
    );
  }

  #grow(): void {
    const [old, length] = [this.#array, this.size * this.#blockLength];
    const starts = Array.from({ length: this.#parts }, (_, part) => this.#startOf(part));
    this.#capacity = Math.ceil(this.#capacity * growth);
    this.#array = this.#makeArray();
    for (const [part, start] of starts.entries()) {
      this.#array.set(old.subarray(start, start + length), this.#startOf(part));
    }
    giveBack(old);
  }

  dispose(): void {
    this.#owners.length = 0;
    giveBack(this.#array);
    this.#array = new Float32Array(0);
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
