import fc from "fast-check";
import { expect, test } from "vitest";
import { float32Data } from "../../../../src/engine/onnx/runtime/runtime.ts";
import { Workspace } from "../../../../src/engine/onnx/runtime/workspace.ts";

const shapes = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 8 });

test("tensors of one round share no number, and the next round may be of any other sizes", () => {
  const workspace = new Workspace();
  fc.assert(
    fc.property(shapes, (round) => {
      workspace.reset(round);
      const taken = round.map((shape) => workspace.take(shape));
      for (const [i, tensor] of taken.entries()) float32Data(tensor).fill(i);
      for (const [i, tensor] of taken.entries()) {
        expect(tensor.dims).toEqual(round[i]);
        expect(float32Data(tensor).every((value) => value === i)).toBe(true);
      }
    }),
  );
});

test("takes no more than room was made for, and nothing once it is released", () => {
  const workspace = new Workspace();
  workspace.reset([[3], [40]]);
  const tensor = workspace.take([40]);
  workspace.take([3]);
  expect(() => workspace.take([1])).toThrow(RangeError);
  workspace.release();
  expect(float32Data(tensor).length).toBe(0);
  expect(() => workspace.take([1])).toThrow(RangeError);
});
