// Plain values and their marshalled form: laws of equality, what is refused, and that nothing is lost on the way.
import fc from "fast-check";
import { expect, test } from "vitest";
import { marshalArguments, NotPlain, unmarshalValue } from "../../src/sandbox/marshal.ts";
import {
  equalityKey,
  equalValues,
  maxDepth,
  type PlainValue,
  parseExactJson,
  plainInteger,
  plainValueProblem,
} from "../../src/sandbox/plain-values.ts";

const leaf: fc.Arbitrary<PlainValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt().map(plainInteger),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Number.isInteger(x)),
  fc.constantFrom<PlainValue>(
    { $: "float", value: "nan" },
    { $: "float", value: "-inf" },
    { $: "float", value: "inf" },
  ),
  fc.string({ unit: "grapheme" }),
);
const { value: plain } = fc.letrec<{ value: PlainValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => ({ $: "tuple", items })),
    fc.dictionary(
      fc.string().filter((key) => key !== "$"),
      tie("value"),
      { maxKeys: 4 },
    ),
    fc
      .array(fc.tuple(fc.integer(), tie("value")), { minLength: 1, maxLength: 3 })
      .map((entries) => ({ $: "dict", entries })),
  ),
}));

test.each<[string, PlainValue, PlainValue, boolean]>([
  ["2 == 2.0", 2, { $: "float", value: "2.0" }, true],
  ["True == 1", true, 1, true],
  ["False == 0.0", false, { $: "float", value: "0.0" }, true],
  ["0 == -0.0", 0, { $: "float", value: "-0.0" }, true],
  ["10**22 == 1e22", plainInteger(10n ** 22n), 1e22, true],
  ["2**53 + 1 != 2.0**53", plainInteger(2n ** 53n + 1n), { $: "float", value: "9007199254740992.0" }, false],
  ["0.1 + 0.2 != 0.3", 0.1 + 0.2, 0.3, false],
  ["'1' != 1", "1", 1, false],
  ["None != 0", null, 0, false],
  ["[] != None", [], null, false],
  ["a tuple equals a list here", { $: "tuple", items: [1, [2]] }, [1, { $: "tuple", items: [2] }], true],
  ["a set is no list", { $: "set", items: [1] }, [1], false],
  ["sets have no order", { $: "set", items: [1, 2] }, { $: "set", items: [2, 1] }, true],
  ["dictionaries have no order", { a: 1, b: 2 }, { b: 2, a: 1 }, true],
  ["{1: 2} != {'1': 2}", { $: "dict", entries: [[1, 2]] }, { "1": 2 }, false],
  ["{1: 2} == {True: 2.0}", { $: "dict", entries: [[1, 2]] }, { $: "dict", entries: [[true, 2]] }, true],
  ["a dictionary that is written in either way", { $: "dict", entries: [["a", 1]] }, { a: 1 }, true],
  ["nan equals nan here", { $: "float", value: "nan" }, { $: "float", value: "NaN" }, true],
  ["a string that looks like a list", "[1,2]", [1, 2], false],
  ["order of items", [1, 2], [2, 1], false],
])("%s", (_, a, b, equal) => {
  expect(equalValues(a, b)).toBe(equal);
  expect(equalValues(b, a)).toBe(equal);
});

test("equal keys survive the trip through marshal, which loses nothing", () => {
  fc.assert(
    fc.property(fc.array(plain, { maxLength: 5 }), (args) => {
      fc.pre(plainValueProblem(args) === null);
      const back = unmarshalValue(marshalArguments(args));
      expect(plainValueProblem(back)).toBeNull();
      expect(equalityKey(back)).toBe(equalityKey(args));
      // And a second trip changes not even the form.
      const items = (back as { items: PlainValue[] }).items;
      expect(unmarshalValue(marshalArguments(items))).toEqual(back);
    }),
  );
});

test("damaged bytes are refused, never read as something", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        expect(plainValueProblem(unmarshalValue(bytes))).toBeNull();
      } catch (error) {
        expect(error).toBeInstanceOf(NotPlain);
      }
    }),
  );
});

test.each([
  undefined,
  Number.NaN,
  () => 1,
  1n,
  { $: "int", value: "1.5" },
  { $: "int", value: 5 },
  { $: "float", value: "abc" },
  { $: "set" },
  { $: "dict", entries: [[1]] },
  { $: "function" },
  { $: 1 },
  [[undefined]],
])("%o is not plain", (value) => {
  expect(plainValueProblem(value)).toEqual(expect.any(String));
});

test("depth is limited without recursing into it", () => {
  let deep: unknown[] = [];
  for (let i = 0; i < 1_000_000; i++) deep = [deep];
  expect(plainValueProblem(deep)).toContain(String(maxDepth));
});

test("exact JSON keeps what JavaScript numbers lose", () => {
  expect(parseExactJson('[12345678901234567890, 2.0, 2, 1e3, 1.5, -0, 1e999, "2.0"]')).toEqual([
    { $: "int", value: "12345678901234567890" },
    { $: "float", value: "2.0" },
    2,
    { $: "float", value: "1e3" },
    1.5,
    -0,
    { $: "float", value: "inf" },
    "2.0",
  ]);
  expect(() => parseExactJson("{")).toThrow(SyntaxError);
  const levels = 200_000;
  expect(() => parseExactJson("[".repeat(levels) + "]".repeat(levels))).toThrow(SyntaxError);
});
