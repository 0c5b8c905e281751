// Verification by unit tests: every answer's program runs in the sandbox on the inputs of the proposer's tests, values
// come out, and the comparison with what the tests expect happens here, where no program can reach it. Also says which
// tests are doubtful: contradictory ones, ones that nobody passes, and all that the label rule does not trust.
import type { LabelRule } from "../config/play.ts";
import { UnsupportedError } from "../errors.ts";
import { countVotes, strictWinner } from "../plurality.ts";
import { equalityKey, type PlainValue, plainValueProblem } from "../sandbox/plain-values.ts";
import type { CallResult, ProgramLanguage, ProgramLimits, ProgramOutcome, Sandbox } from "../sandbox/sandbox.ts";
import type { Question, TestsVerdict, UnitTest } from "../types.ts";

/** How one test went for one program. */
export interface TestResult {
  readonly passed: boolean;
  /** Why it did not pass. */
  readonly reason?: string;
}

/** A verdict with what it was made of. */
export interface TestsVerification {
  readonly verdict: TestsVerdict;
  /** What each answer's program did; null where there was no program. */
  readonly outcomes: readonly (ProgramOutcome | null)[];
  /** Answers × tests; empty rows where there was no program. */
  readonly results: readonly (readonly TestResult[])[];
  /** For each test the output with strictly the most votes among the programs; null where there is none. */
  readonly votedOutputs: readonly (PlainValue | null)[];
}

/** Why a test cannot be run or compared, or null. */
function testProblem(test: {
  readonly function?: unknown;
  readonly args?: unknown;
  readonly expected?: unknown;
}): string | null {
  if (typeof test.function !== "string") return "the test names no function";
  if (!Array.isArray(test.args)) return "the test has no list of arguments";
  if (test.expected === undefined) return "the test has no expected value";
  const badArgument = plainValueProblem(test.args);
  if (badArgument !== null) return `the test's arguments: ${badArgument}`;
  const badExpectation = plainValueProblem(test.expected);
  return badExpectation === null ? null : `the test's expected value: ${badExpectation}`;
}

/**
 * Runs one program on the tests' inputs and compares. Tests with a problem (see `testProblem`) are not run and do not
 * pass; the others do not suffer from them.
 */
export async function runTests(
  sandbox: Sandbox,
  language: ProgramLanguage,
  program: string,
  tests: readonly UnitTest[],
  limits: Partial<ProgramLimits> = {},
): Promise<{ readonly outcome: ProgramOutcome; readonly results: readonly TestResult[] }> {
  const problems = tests.map(testProblem);
  const calls = tests
    .filter((_, index) => problems[index] === null)
    .map(({ function: name, args }) => ({ function: name, args }));
  const outcome = await sandbox.run({ language, program, calls, limits });
  let made = 0;
  const callResults = problems.map((problem): CallResult => {
    if (problem !== null) return { error: problem };
    return outcome.results[made++] ?? { error: `${outcome.status}: ${outcome.reason ?? "the program did not load"}` };
  });
  return {
    outcome: { ...outcome, results: callResults },
    results: tests.map((test, i) => compare(callResults[i], test)),
  };
}

function compare(result: CallResult, test: UnitTest): TestResult {
  if ("error" in result) return { passed: false, reason: result.error };
  const expected = test.expected as PlainValue;
  if (equalityKey(result.value) === equalityKey(expected)) return { passed: true };
  return { passed: false, reason: `returned ${shortJson(result.value)} instead of ${shortJson(expected)}` };
}

function shortJson(value: PlainValue): string {
  const text = JSON.stringify(value);
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}

export interface TestsOptions {
  /** Scores and success rate count only trusted tests. Default false. */
  readonly trustedOnly?: boolean;
  /** Trusted are the tests that the programs' own vote confirms, or with `quorum` those that programs pass together (`quorumOf`). */
  readonly labelRule?: LabelRule | undefined;
  readonly limits?: Partial<ProgramLimits>;
}

/**
 * Runs every answer's program on the question's own tests. `programs` holds one entry an answer, null where the answer
 * was unreadable; equal programs run once. Which answers agree never depends on their order. Throws UnsupportedError
 * for a question without tests.
 */
export async function verifyByTests(
  sandbox: Sandbox,
  language: ProgramLanguage,
  question: Question,
  programs: readonly (string | null)[],
  { trustedOnly = false, labelRule, limits = {} }: TestsOptions = {},
): Promise<TestsVerification> {
  const { tests } = question;
  if (tests === undefined || tests.length === 0) {
    throw new UnsupportedError(
      `The question ${JSON.stringify(question.text)} has no tests.`,
      "A topic that verifies by tests must read at least one test with every question.",
    );
  }
  const runs = new Map<string, ReturnType<typeof runTests>>();
  for (const program of programs) {
    if (program !== null && !runs.has(program)) runs.set(program, runTests(sandbox, language, program, tests, limits));
  }
  const ran = await Promise.all(programs.map((program) => (program === null ? null : (runs.get(program) ?? null))));
  const passed = ran.map((run) => tests.map((_, index) => run?.results[index].passed ?? false));
  const votes = tests.map((_, index) => voteOn(ran.map((run) => run?.outcome.results[index] ?? null)));
  const contradictory = contradictoryTests(tests);
  const confirmed = indicesWhere(tests, (test, index) => {
    const winner = votes[index].winner;
    if (winner === null || contradictory.includes(index) || testProblem(test) !== null) return false;
    return equalityKey(test.expected as PlainValue) === winner.key;
  });
  const trusted = labelRule === "quorum" ? quorumOf(tests, passed, contradictory) : confirmed;
  return {
    verdict: testsVerdict(
      { passed, contradictory, trusted, agreement: mean(votes.map(({ agreement }) => agreement)) },
      programs.filter((program) => program === null).length,
      trustedOnly,
    ),
    outcomes: ran.map((run) => run?.outcome ?? null),
    results: ran.map((run) => run?.results ?? []),
    votedOutputs: votes.map(({ winner }) => winner?.value ?? null),
  };
}

/** What was counted of one group's tests, and what follows from it for the stages after. */
export function testsVerdict(
  {
    passed,
    contradictory,
    trusted,
    agreement,
  }: {
    readonly passed: readonly (readonly boolean[])[];
    readonly contradictory: readonly number[];
    readonly trusted: readonly number[];
    readonly agreement: number;
  },
  unreadable: number,
  trustedOnly: boolean,
): TestsVerdict {
  const tests = passed[0]?.length ?? 0;
  const passFractions = passed.map((row) => row.filter(Boolean).length / Math.max(1, tests));
  const scores = trustedOnly
    ? passed.map((row) => trusted.filter((test) => row[test]).length / Math.max(1, trusted.length))
    : passFractions;
  const successRate = mean(scores);
  return {
    kind: "tests",
    passed,
    passFractions,
    meanPassFraction: mean(passFractions),
    groupSize: passed.length,
    unreadable,
    unagreedTests: Array.from({ length: tests }, (_, test) => test).filter((test) => passed.every((row) => !row[test])),
    contradictoryTests: contradictory,
    trustedTests: trusted,
    outputAgreement: agreement,
    winner: null,
    agreement,
    successRate,
    scores,
    problem: tests === 0 ? "no-tests" : null,
    consistent: 2 * trusted.length > tests,
    confirmed: trusted.length > 0,
    disputed: successRate > 0 && successRate < 1,
  };
}

/**
 * The tests (by index, ascending) that programs and proposer agree on: of the sets of tests that some program passes, the one with most
 * √(programs that pass just it)·(calls in it), two calls at least, or one where there is no other; none on a tie between sets. A test
 * and a program that were written apart agree by chance on one value, hardly on two: so a program that few write counts against many
 * that fail. (CodeT, arXiv 2207.10397, for the score; that a lone test proves nothing is ours.)
 */
function quorumOf(
  tests: readonly UnitTest[],
  passed: readonly (readonly boolean[])[],
  contradictory: readonly number[],
): readonly number[] {
  const sound = indicesWhere(tests, (test, index) => testProblem(test) === null && !contradictory.includes(index));
  const callsIn = (set: readonly number[]): number => new Set(set.map((index) => callOf(tests[index]))).size;
  const sets = passed.map((row) => sound.filter((index) => row[index]));
  const least = Math.min(2, callsIn(sound));
  const scored = [...Map.groupBy(sets, (set) => set.join()).values()]
    .map((alike) => ({ set: alike[0], score: Math.sqrt(alike.length) * callsIn(alike[0]) }))
    .filter(({ set }) => set.length > 0 && callsIn(set) >= least)
    .sort((a, b) => b.score - a.score);
  const [first, second] = scored;
  return first === undefined || second?.score === first.score ? [] : first.set;
}

/**
 * Tests (by index, ascending) that ask for different values of the same call. Calls are the same when function and
 * arguments are, to the letter: f(1), f(1.0) and f(True) may differ.
 */
export function contradictoryTests(tests: readonly UnitTest[]): readonly number[] {
  const expectations = new Map<string, Set<string>>();
  const sound = tests.map((test) => testProblem(test) === null);
  for (const [index, test] of tests.entries()) {
    if (!sound[index]) continue;
    const expected = equalityKey(test.expected as PlainValue);
    const call = callOf(test);
    expectations.set(call, (expectations.get(call) ?? new Set()).add(expected));
  }
  return indicesWhere(tests, (test, index) => sound[index] && (expectations.get(callOf(test))?.size ?? 0) > 1);
}

const callOf = (test: UnitTest): string =>
  JSON.stringify([test.function, sortKeys(test.args as readonly PlainValue[])]);

/** The value with its object keys in order, so that equal JSON gives equal text. */
function sortKeys(value: PlainValue): PlainValue {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  const entries = Object.entries(value).map(([key, item]) => [key, sortKeys(item)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Vote {
  readonly winner: { readonly value: PlainValue; readonly key: string } | null;
  /** Votes of the leading output over all answers; errors and missing programs vote for nothing. */
  readonly agreement: number;
}

/** Strict plurality over outputs; a tie has no winner. */
function voteOn(results: readonly (CallResult | null)[]): Vote {
  const outputs = results.map((result) =>
    result === null || "error" in result ? null : { value: result.value, key: equalityKey(result.value) },
  );
  const counts = countVotes(outputs.map((output) => output?.key ?? null));
  const key = strictWinner(counts);
  const winner = outputs.find((output) => output !== null && output.key === key) ?? null;
  return { winner, agreement: counts.length === 0 ? 0 : counts[0][1] / results.length };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function indicesWhere<Item>(items: readonly Item[], holds: (item: Item, index: number) => boolean): number[] {
  return items.flatMap((item, index) => (holds(item, index) ? [index] : []));
}
