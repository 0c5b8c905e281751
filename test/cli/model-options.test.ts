import { expect, test } from "vitest";
import { weightsOption } from "../../src/cli/model-options.ts";
import { weightForms } from "../../src/config/engine.ts";
import { UsageError } from "../../src/errors.ts";

const read = (text: string): unknown => weightsOption().parseArg?.(text, undefined as never);

test("another form of weights is refused with what becomes of a file's own blocks", () => {
  expect(weightForms.map(read)).toEqual([...weightForms]);
  let refused: unknown;
  try {
    read("as-stored");
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(UsageError);
  expect((refused as UsageError).message).toContain("auto, f32, int8");
  expect((refused as UsageError).hint).toContain("Q8_0 blocks as they are stored");
});
