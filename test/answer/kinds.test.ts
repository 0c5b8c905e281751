import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answersEqual, canonicalAnswer, markedAnswer } from "../../src/answer/answer.ts";
import { compareAnswers } from "../../src/answer/compare-answers.ts";
import { unitNamed, unitOf } from "../../src/answer/units.ts";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), "utf8"));

interface FieldCase {
  readonly id: string;
  readonly kind: string;
  readonly input: { readonly do: "compare"; readonly expected: string; readonly given: string };
  readonly expected: { readonly equal: boolean };
  readonly why: string;
}
const fieldCases = read("field-cases") as readonly FieldCase[];
const kinds = read("kinds") as Readonly<
  Record<
    string,
    { readonly equal: readonly (readonly [string, string])[]; readonly unequal: readonly (readonly [string, string])[] }
  >
>;

const bothWays = (a: string, b: string): readonly boolean[] => [answersEqual(a, b).equal, answersEqual(b, a).equal];

describe("cases from the field", () => {
  it("are all there", () => expect(fieldCases.length).toBe(86));
  it.each(fieldCases)(
    "$id: $input.expected and $input.given. $why",
    ({ input: { expected, given }, expected: wanted }) => {
      expect(compareAnswers({ expected, given }).equal).toBe(wanted.equal);
      expect(bothWays(expected, given)).toEqual([wanted.equal, wanted.equal]);
    },
  );
});

describe.each(Object.entries(kinds))("kind %s", (_, { equal, unequal }) => {
  it.each(equal)("%j equals %j", (a, b) => expect(bothWays(a, b)).toEqual([true, true]));
  it.each(unequal)("%j differs from %j", (a, b) => expect(bothWays(a, b)).toEqual([false, false]));
});

describe("small numbers", () => {
  const small = fc.integer({ min: 1, max: 5000 });
  const factor = fc.constantFrom("", "\\pi", "\\sqrt{2}", "e", "\\frac{3}{7}", "\\ln 2");
  it("never become zero, nor one another", () => {
    fc.assert(
      fc.property(small, small, factor, (a, b, of) => {
        const [left, right] = [`${of} \\cdot 10^{-${a}}`, `${of} \\cdot 10^{-${b}}`].map((text) =>
          of === "" ? text.replace(" \\cdot ", "") : text,
        );
        expect(bothWays(left, "0")).toEqual([false, false]);
        expect(bothWays(left, right)).toEqual([a === b, a === b]);
      }),
      { seed: 11, numRuns: 60 },
    );
  });
  it("stay equal however they are written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8000 }), (n) => {
        expect(bothWays(`e^{-${n}}`, `\\frac{1}{e^{${n}}}`)).toEqual([true, true]);
        expect(bothWays(`2^{-${n}}`, `\\frac{2}{2^{${n + 1}}}`)).toEqual([true, true]);
        expect(bothWays(`\\frac{1}{${n}!}`, `\\frac{${n + 1}}{${n + 1}!}`)).toEqual([true, true]);
        expect(bothWays(`\\frac{1}{${n + 1}!}`, `\\frac{1}{${n + 2}!}`)).toEqual([false, false]);
      }),
      { seed: 12, numRuns: 30 },
    );
  });
  it("count as terms and factors of polynomials and roots", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 300 }),
        fc.constantFrom("x", "x^2+1", "\\sqrt{x}", "\\sin x"),
        (n, rest) => {
          expect(bothWays(`${rest} + 10^{-${n}}`, rest)).toEqual([false, false]);
          expect(bothWays(`${rest} + e^{-${n}}`, rest)).toEqual([false, false]);
        },
      ),
      { seed: 13, numRuns: 60 },
    );
  });
  it("are still zero where they are rounding", () => {
    const angle = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(angle, angle, (n, m) => {
        expect(bothWays(`\\sin(${n}\\pi)`, "0")).toEqual([true, true]);
        expect(bothWays(`\\sqrt{${n}}\\sqrt{${m}} - \\sqrt{${n * m}}`, "0")).toEqual([true, true]);
        expect(bothWays(`\\ln ${n} + \\ln ${m} - \\ln ${n * m}`, "0")).toEqual([true, true]);
        expect(bothWays(`e^{\\ln ${n}}`, `${n}`)).toEqual([true, true]);
      }),
      { seed: 14, numRuns: 60 },
    );
  });
});

describe("signs", () => {
  const sign = fc.array(fc.constantFrom("+", "-", "- ", "+ "), { minLength: 1, maxLength: 4 });
  it("before any operand multiply", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 99 }),
        fc.array(fc.tuple(sign, fc.integer({ min: 0, max: 99 })), { maxLength: 5 }),
        (first, terms) => {
          const text = `${first} ${terms.map(([signs, number]) => signs.join("") + number).join(" ")}`;
          const value = terms.reduce(
            (sum, [signs, number]) =>
              sum + number * (signs.filter((each) => each.startsWith("-")).length % 2 === 0 ? 1 : -1),
            first,
          );
          expect(bothWays(text, `${value}`)).toEqual([true, true]);
          expect(bothWays(text, `${value + 1}`)).toEqual([false, false]);
        },
      ),
      { seed: 15 },
    );
  });
});

describe("units", () => {
  const rows = "m km cm mm in ft mi g kg mg lb oz s min h day week L mL dollar cent N J W Pa °C °F K".split(" ");
  const unit = fc.constantFrom(...rows);
  it("agree exactly where they measure the same and the quantities are equal", () => {
    fc.assert(
      fc.property(unit, unit, fc.integer({ min: 1, max: 500 }), (a, b, n) => {
        const [left, right] = [a, b].map((name) => unitOf(unitNamed(name) ?? ""));
        expect(left?.text).toBe(a);
        const [x, y] = [`${n}\\text{ ${a}}`, `${n}\\text{ ${b}}`];
        expect(bothWays(x, y)).toEqual([a === b, a === b]);
        expect(bothWays(x, `${n}`)).toEqual([true, true]);
        if (left?.dimension !== right?.dimension) expect(bothWays(x, `${2 * n}\\text{ ${b}}`)).toEqual([false, false]);
      }),
      { seed: 16 },
    );
  });
  it("convert", () => {
    const sizes: readonly (readonly [string, string, number])[] = [
      ["km", "m", 1000],
      ["hours", "minutes", 60],
      ["feet", "inches", 12],
      ["kilograms", "grams", 1000],
      ["dollars", "cents", 100],
      ["km/h", "m/h", 1000],
      ["m^2", "cm^2", 10_000],
      ["square feet", "square inches", 144],
      ["m/s", "km/h", 3.6],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...sizes), fc.integer({ min: 1, max: 999 }), ([large, small, factor], n) => {
        expect(bothWays(`${n}\\text{ ${large}}`, `${Number((n * factor).toFixed(1))}\\text{ ${small}}`)).toEqual([
          true,
          true,
        ]);
        expect(bothWays(`${n}\\text{ ${large}}`, `${n}\\text{ ${small}}`)).toEqual([false, false]);
      }),
      { seed: 17 },
    );
  });
  it("are in the canonical text, and not in that of votes on one question", () => {
    const text = (read: typeof canonicalAnswer, of: string): string | null => {
      const reading = read(of);
      return reading.ok ? reading.value : null;
    };
    expect(text(canonicalAnswer, "\\boxed{3\\text{ hours}}")).not.toBe(
      text(canonicalAnswer, "\\boxed{3\\text{ minutes}}"),
    );
    expect(text(canonicalAnswer, "\\boxed{3\\text{ hours}}")).toBe(
      text(canonicalAnswer, "\\boxed{180\\text{ minutes}}"),
    );
    for (const answer of ["5\\text{ cm}", "5", "\\$5", "5^\\circ"])
      expect(text(markedAnswer, `\\boxed{${answer}}`)).toBe("5");
    expect(text(markedAnswer, "\\boxed{(3\\text{ cm}, 4\\text{ cm})}")).toBe(text(markedAnswer, "\\boxed{(3, 4)}"));
    expect(text(markedAnswer, "The answer is 5")).toBeNull();
  });
});

describe("times of day", () => {
  it("are equal exactly when they are the same minute", () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    const two = (value: number): string => String(value).padStart(2, "0");
    const half = (at: number): string =>
      `${((Math.floor(at / 60) + 11) % 12) + 1}:${two(at % 60)} ${at < 720 ? "a.m." : "p.m."}`;
    const full = (at: number): string => `${two(Math.floor(at / 60))}:${two(at % 60)}`;
    fc.assert(
      fc.property(minute, minute, (a, b) => {
        expect(bothWays(half(a), half(b))).toEqual([a === b, a === b]);
        expect(bothWays(full(a), full(b))).toEqual([a === b, a === b]);
        expect(bothWays(half(a), full(a))).toEqual([true, true]);
      }),
      { seed: 18 },
    );
  });
});

describe("replies that are cut off", () => {
  const reply = "At first \\boxed{7}. But then the result is \\boxed{\\frac{17}{35}}";
  const from = reply.lastIndexOf("\\boxed");
  it("say nothing while their last box is open", () => {
    for (let end = from + 1; end < reply.length; end++) {
      for (const known of ["7", "1", "17", "\\frac{17}{3}", "17/35"])
        expect(bothWays(known, reply.slice(0, end)), reply.slice(0, end)).toEqual([false, false]);
    }
    expect(answersEqual("17/35", reply).equal).toBe(true);
  });
});

describe("work", () => {
  const many = (text: string, count: number): string => text.repeat(count);
  const hostile: Readonly<Record<string, string>> = {
    "nested sums of an unknown": `${many("(1+", 190)}\\sqrt{x}${many(")", 190)}`,
    "towers of powers": "10^{10^{10}} + 9^{9^{9^9}}",
    "huge factorials": `${many("99999!+", 500)}1`,
    "factorials of factorials": `3${many("!", 3900)}`,
    "huge powers of unknowns": `${many("x^{10^{1000}}+", 150)}1`,
    "huge binomials": `${many("\\binom{10^{900}}{300}+", 100)}1`,
    signs: `${many("-", 3900)}3`,
    "both signs": `${many("\\pm", 1300)}3`,
    logarithms: `${many("\\log x+", 500)}1`,
    "odd roots": `${many("(-8)^{1/3}+", 350)}1`,
    "nested brackets": many("[", 3900),
    rows: `[${many("[1,2],", 600)}[1,2]]`,
    units: many("5 cm ", 790),
    "a unit of a unit": `5 ${many("m/", 1900)}`,
    "open wrappers": `5${many("\\text{", 600)}`,
    currencies: many("\\$5,", 1300),
    dates: many("June 1, ", 400),
    times: many("10:30 ", 4000),
    options: many("(A) ", 900),
    hashes: many("#### 5\n", 14_000),
    "only hashes": many("#", 100_000),
    "answer lines": many("\nAnswer:", 12_000),
    "empty boxes": many("\\boxed{} ", 11_000),
    "boxes without braces": many("\\boxed ", 14_000),
    "blank lines": `${many("\n", 99_000)}5`,
    "transposed again and again": `(1,2)${many("^T", 1900)}`,
    exponentials: "e^{e^{e^{e^{e}}}}",
    "characters for private use": `${many("\ue000", 3000)}5 cm${many("\ue001", 3000)}`,
    "names of objects": "5\\text{ __proto__} + \\constructor{5} + toString",
  };
  it.each(Object.entries(hostile))("is bounded for %s", (_, text) => {
    const reading = canonicalAnswer(text);
    if (reading.ok) expect(reading.value.length).toBeLessThan(10_000);
    else expect(["no-answer", "too-long", "too-deep"]).toContain(reading.reason);
    expect(answersEqual(text, "-77").equal).toBe(false);
    expect(markedAnswer(text)).toEqual(markedAnswer(text));
  });
});
