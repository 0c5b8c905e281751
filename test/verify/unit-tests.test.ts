// Verification by tests against a scripted sandbox: the matrix, doubtful tests, and independence from order.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PlainValue } from "../../src/sandbox/plain-values.ts";
import type { CallResult, Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Question, UnitTest } from "../../src/types.ts";
import { contradictoryTests, runTests, verifyByTests } from "../../src/verify/unit-tests.ts";

/** "Programs" are JSON: the value that each call gives, in order; `!` in place of a value is an error. */
const scripted: Sandbox & { runs: number } = {
  runs: 0,
  languages: ["python"],
  run: async ({ program, calls }) => {
    scripted.runs++;
    if (program === "broken")
      return { status: "error", reason: "SyntaxError", results: [], output: "", milliseconds: 0 };
    const values = JSON.parse(program) as PlainValue[];
    const results = calls.map((_, i): CallResult => (values[i] === "!" ? { error: "raised" } : { value: values[i] }));
    return { status: "ok", results, output: "", milliseconds: 0 };
  },
  [Symbol.asyncDispose]: async () => {},
};

function question(expected: readonly unknown[]): Question {
  const tests = expected.map((value, i): UnitTest => ({ function: "f", args: [i], expected: value }));
  return { text: "f", key: "f", difficulty: 1, tests };
}

test("matrix, fractions, unagreed tests and agreement", async () => {
  const programs = ["[1,2,9]", "[1,5,9]", '[1,"!",9]', null];
  const { verdict, votedOutputs, results, outcomes } = await verifyByTests(
    scripted,
    "python",
    question([1, 2, 3]),
    programs,
  );
  expect(verdict).toEqual({
    kind: "tests",
    passed: [
      [true, true, false],
      [true, false, false],
      [true, false, false],
      [false, false, false],
    ],
    passFractions: [2 / 3, 1 / 3, 1 / 3, 0],
    meanPassFraction: (2 / 3 + 1 / 3 + 1 / 3) / 4,
    groupSize: 4,
    unreadable: 1,
    unagreedTests: [2],
    contradictoryTests: [],
    // Nobody confirms the third; in the second two outputs tie.
    trustedTests: [0],
    outputAgreement: (3 / 4 + 1 / 4 + 3 / 4) / 3,
    winner: null,
    agreement: (3 / 4 + 1 / 4 + 3 / 4) / 3,
    successRate: (2 / 3 + 1 / 3 + 1 / 3) / 4,
    scores: [2 / 3, 1 / 3, 1 / 3, 0],
    problem: null,
    consistent: false,
    confirmed: true,
    disputed: true,
  });
  expect(votedOutputs).toEqual([1, null, 9]);
  expect(results[1][1].reason).toBe("returned 5 instead of 2");
  expect(outcomes[3]).toBeNull();
});

/** The trusted tests of a quorum, and the scores of the programs. */
async function quorum(asked: Question, programs: readonly (string | null)[]) {
  const options = { trustedOnly: true, labelRule: "quorum" } as const;
  const { verdict } = await verifyByTests(scripted, "python", asked, programs, options);
  return [verdict.trustedTests, verdict.scores];
}

test("a quorum trusts the tests that a program passes together, however few write it", async () => {
  const many = ["[1,7,7]", "[1,7,7]", "[1,8,8]"];
  const { verdict } = await verifyByTests(scripted, "python", question([1, 2, 3]), ["[1,2,3]", ...many], {
    trustedOnly: true,
  });
  expect(verdict.trustedTests).toEqual([0]);
  expect(await quorum(question([1, 2, 3]), ["[1,2,3]", ...many])).toEqual([
    [0, 1, 2],
    [1, 1 / 3, 1 / 3, 1 / 3],
  ]);
  // One test proves nothing, whoever passes it, unless there is no other.
  expect(await quorum(question([1, 2, 3]), many)).toEqual([[], [0, 0, 0]]);
  expect(await quorum(question([1]), ["[1]", "[2]", null])).toEqual([[0], [1, 0, 0]]);
  // Two sets alike elect none; more programs behind one decide.
  expect(await quorum(question([1, 2, 3, 4]), ['[1,2,"!","!"]', '["!","!",3,4]'])).toEqual([[], [0, 0]]);
  expect(await quorum(question([1, 2, 3, 4]), ['[1,2,"!","!"]', '["!","!",3,4]', '[1,2,"!","!"]'])).toEqual([
    [0, 1],
    [1, 0, 1],
  ]);
});

test("a quorum counts a call once, and no test that contradicts another or cannot be run", async () => {
  const call = (expected: unknown, args: unknown = [1]): UnitTest =>
    ({ function: "f", args, expected }) as unknown as UnitTest;
  const ask = (tests: readonly UnitTest[]): Question => ({ text: "f", key: "f", difficulty: 1, tests });
  expect(await quorum(ask([call(1), call(1), call(5, [2])]), ["[1,1,4]", "[1,1,3]"])).toEqual([[], [0, 0]]);
  expect(await quorum(ask([call(1), call(2), call(5, [2]), call(6, [3])]), ["[1,1,5,6]", "[2,2,5,6]"])).toEqual([
    [2, 3],
    [1, 1],
  ]);
  expect(await quorum(ask([call(1), call(2, null), call(5, [2])]), ["[1,5]"])).toEqual([[0, 2], [1]]);
});

test("equal programs run once", async () => {
  scripted.runs = 0;
  await verifyByTests(scripted, "python", question([1]), ["[1]", "[1]", "[2]", "[1]"]);
  expect(scripted.runs).toBe(2);
});

test("a program that does not load fails every test with the reason", async () => {
  const { results } = await runTests(scripted, "python", "broken", question([1, 2]).tests ?? []);
  expect(results).toEqual([
    { passed: false, reason: "error: SyntaxError" },
    { passed: false, reason: "error: SyntaxError" },
  ]);
});

test("tests with a problem are not run and shift no result", async () => {
  const tests = [
    { function: "f", args: [] },
    { function: "f", args: [], expected: 7 },
  ] as unknown as UnitTest[];
  const { results } = await runTests(scripted, "python", "[7]", tests);
  expect(results).toEqual([{ passed: false, reason: "the test has no expected value" }, { passed: true }]);
});

test("contradictions are found by the letter of the call", () => {
  const tests: UnitTest[] = [
    { function: "f", args: [{ a: 1, b: 2 }], expected: 1 },
    { function: "f", args: [{ b: 2, a: 1 }], expected: 2 },
    { function: "f", args: [1], expected: 1 },
    { function: "f", args: [true], expected: 2 },
    { function: "g", args: [1], expected: 5 },
    { function: "f", args: [1], expected: true },
  ];
  expect(contradictoryTests(tests)).toEqual([0, 1]);
});

test("a question without tests is a mistake of the topic", async () => {
  await expect(verifyByTests(scripted, "python", { text: "f", key: "f", difficulty: 1 }, [])).rejects.toThrow(
    "no tests",
  );
});

test("the verdict does not depend on the order of answers", async () => {
  const program = fc
    .array(fc.constantFrom(1, 2, true, "!", null), { minLength: 3, maxLength: 3 })
    .map((values) => JSON.stringify(values));
  const group = fc.array(fc.option(program), { minLength: 1, maxLength: 6 });
  const shuffled = group.chain((programs) =>
    fc.tuple(fc.constant(programs), fc.shuffledSubarray([...programs.keys()], { minLength: programs.length })),
  );
  const rule = fc.constantFrom("consistent", "quorum");
  await fc.assert(
    fc.asyncProperty(shuffled, rule, async ([programs, order], labelRule) => {
      const options = { trustedOnly: true, labelRule };
      const straight = await verifyByTests(scripted, "python", question([1, 2, null]), programs, options);
      const mixed = await verifyByTests(
        scripted,
        "python",
        question([1, 2, null]),
        order.map((i) => programs[i]),
        options,
      );
      expect(mixed.verdict.passed).toEqual(order.map((i) => straight.verdict.passed[i]));
      expect(mixed.verdict.unagreedTests).toEqual(straight.verdict.unagreedTests);
      expect(mixed.verdict.outputAgreement).toBe(straight.verdict.outputAgreement);
      expect(mixed.verdict.trustedTests).toEqual(straight.verdict.trustedTests);
      expect(mixed.verdict.meanPassFraction).toBeCloseTo(straight.verdict.meanPassFraction, 12);
    }),
  );
});
