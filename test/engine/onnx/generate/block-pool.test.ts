// Claims of the memory of keys and values: every block keeps its numbers however blocks come, go, move and are copied, also beyond the
// room that was set aside, and what no block has reached takes no memory.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type BlockList, BlockPool, bytesOfBlock } from "../../../../src/engine/onnx/generate/stepped/block-pool.ts";
import { blockSize } from "../../../../src/engine/onnx/generate/stepped/step-attention.ts";
import { float32Data } from "../../../../src/engine/onnx/runtime/runtime.ts";
import { modelVariants } from "../random-model.ts";

const config = { ...modelVariants.llama, layers: 2 };
const width = config.keyValueHeads * config.headSize;
const parts = 2 * config.layers;

/** Writes `value` + part to every place of a list's last block. */
function fillLast(pool: BlockPool, list: BlockList, value: number): void {
  const block = list.blocks.at(-1)!;
  const states = Float32Array.from({ length: parts * width }, (_, i) => value + Math.floor(i / width));
  pool.write(
    states,
    Array.from({ length: blockSize }, (_, place) => ({ from: 0, block, place })),
  );
}

/** What a block holds in each part, where all of its places hold the same. */
function valuesOf(pool: BlockPool, block: number): number[] {
  return Object.values(pool.feeds("own")).map((tensor) => {
    const length = float32Data(tensor).length / pool.size;
    const values = new Set(float32Data(tensor).subarray(block * length, (block + 1) * length));
    expect(values.size).toBe(1);
    return [...values][0];
  });
}

test("blocks keep their numbers while others come, go and are copied", () => {
  const actions = fc.array(
    fc.record({ kind: fc.constantFrom("extend", "extend", "release", "copy"), list: fc.nat(4), other: fc.nat(4) }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(actions, fc.integer({ min: 0, max: 6 }), (actions, capacity) => {
      const pool = new BlockPool(config, capacity);
      const lists = Array.from({ length: 5 }, (): { list: BlockList; values: number[] } => ({
        list: { blocks: [] },
        values: [],
      }));
      let next = 10;
      for (const { kind, list: i, other: j } of actions) {
        const { list, values } = lists[i];
        if (kind === "extend") {
          pool.extend(list);
          next += parts;
          fillLast(pool, list, next);
          values.push(next);
        } else if (kind === "release") {
          pool.release(list);
          values.length = 0;
        } else if (i !== j) {
          pool.copyFrom(pool, lists[j].list.blocks, list);
          values.push(...lists[j].values);
        }
      }
      expect(pool.size).toBe(1 + lists.reduce((sum, { values }) => sum + values.length, 0));
      for (const { list, values } of lists) {
        for (const [i, block] of list.blocks.entries()) {
          expect(valuesOf(pool, block)).toEqual(Array.from({ length: parts }, (_, part) => values[i] + part));
        }
      }
      expect(valuesOf(pool, 0)).toEqual(Array(parts).fill(0));
      pool.dispose();
    }),
    { numRuns: 60 },
  );
});

test.skipIf(process.platform === "win32")(
  "room that no block has reached takes no memory, and what was taken comes back",
  () => {
    const large = { ...config, layers: 8, keyValueHeads: 4, headSize: 64 };
    const blocks = Math.ceil(2 ** 30 / bytesOfBlock(large));
    const resident = (): number => process.memoryUsage().rss;
    const before = resident();
    const pool = new BlockPool(large, blocks);
    const list: BlockList = { blocks: [] };
    const used = Math.ceil(2 ** 27 / bytesOfBlock(large));
    const states = new Float32Array(2 * 8 * 4 * 64).fill(1);
    for (let i = 0; i < used; i++) {
      pool.extend(list);
      for (let place = 0; place < blockSize; place++) pool.write(states, [{ from: 0, block: list.blocks[i], place }]);
    }
    const taken = resident() - before;
    expect(taken).toBeGreaterThan(0.9 * 2 ** 27);
    expect(taken).toBeLessThan(2 * 2 ** 27);
    pool.dispose();
    expect(resident() - before).toBeLessThan(2 ** 26);
  },
);
