import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNumbers, readRange } from "../../src/cli/read-range.ts";
import { UsageError } from "../../src/errors.ts";

describe("a range", () => {
  test.each([
    ["1..6", { low: 1, high: 6 }],
    ["0.5..0.9", { low: 0.5, high: 0.9 }],
    [".5...9", { low: 0.5, high: 0.9 }],
    ["1...5", null],
    ["60..", { low: 60 }],
    ["..0.5", { high: 0.5 }],
    ["..6", { high: 6 }],
    ["-3..+2", { low: -3, high: 2 }],
    [" 4 ", { low: 4, high: 4 }],
    ["0", { low: 0, high: 0 }],
  ])("%s", (text, range) => {
    if (range === null) expect(() => readRange("--steps", text)).toThrow(UsageError);
    else expect(readRange("--steps", text)).toEqual(range);
  });

  test.each(["", "..", "x", "1..x", "1.", "1..2..3", "6..1", "1e3", "0x10", "1,5"])("is not %s", (text) => {
    expect(() => readRange("--steps", text)).toThrow(UsageError);
  });

  test("is what its ends are, whole numbers and others", () => {
    const value = fc.oneof(
      fc.integer({ min: -1000, max: 1000 }),
      fc.integer({ min: -1000, max: 1000 }).map((n) => n / 8),
    );
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(readRange("--agreement", `${low}..${high}`)).toEqual({ low, high });
        expect(readRange("--agreement", `${low}..`)).toEqual({ low });
        expect(readRange("--agreement", `..${high}`)).toEqual({ high });
        expect(readRange("--agreement", String(a))).toEqual({ low: a, high: a });
      }),
    );
  });
});

describe("a list of numbers", () => {
  test.each([
    ["2,3", [2, 3]],
    ["1..5", [1, 2, 3, 4, 5]],
    [" 7 , 1..3 ", [7, 1, 2, 3]],
    ["0", [0]],
    ["4..4", [4]],
  ])("%s", (text, numbers) => {
    expect(readNumbers("--seeds", text)).toEqual(numbers);
  });

  test.each(["", "x", "1,", "1..", "..3", "3..1", "1.5", "-1", "1..2..3", "0..1000", "99999999999999999"])(
    "is not %s",
    (text) => {
      expect(() => readNumbers("--seeds", text)).toThrow("is no whole number and no range of them");
    },
  );

  test("names nothing twice", () => {
    expect(() => readNumbers("--seeds", "1,2,1")).toThrow("--seeds names 1 twice");
    expect(() => readNumbers("--seeds", "1..3,2")).toThrow("--seeds names 2 twice");
  });
});
