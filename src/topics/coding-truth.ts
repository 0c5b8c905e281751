// What knows the truth about coding tasks: what each step does, right programs for the seed model, and held-out tasks with
// right tests. Its checker runs programs on hidden inputs that the task does not show. It feeds evaluation and the
// seed-model script only; no reward may depend on it.
import { isDeepStrictEqual } from "node:util";
import { UnsupportedError, UsageError } from "../errors.ts";
import { type Random, randomStream } from "../random.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { UnitTest } from "../types.ts";
import {
  codingMarks,
  functionName,
  type Kind,
  kindsOf,
  longestItems,
  maxSteps,
  programHead,
  readTask,
  stepKinds,
  type Task,
  taskQuestion,
  testCount,
  writeTask,
} from "./coding-notation.ts";
import type { HiddenTruth } from "./define-topic.ts";
import { drawDistinct, type SeedLines } from "./draw.ts";

type Value = number | readonly number[];

/** What inputs and outputs of tests may be. */
interface Bounds {
  readonly largestOutput: number;
  /** Most items of a list, unless the steps need more. */
  readonly longestList: number;
  readonly numbers: readonly [least: number, most: number];
}

/** Small values in the tests that a task shows: what a proposer cannot work out it cannot test. */
const shown: Bounds = { largestOutput: 99, longestList: 3, numbers: [-5, 9] };
const hidden: Bounds = { largestOutput: Number.POSITIVE_INFINITY, longestList: 5, numbers: [-9, 20] };

const numberSteps: Readonly<Record<string, (value: number, by: number) => number>> = {
  "+": (value, by) => value + by,
  "-": (value, by) => value - by,
  "*": (value, by) => value * by,
  neg: (value) => 0 - value,
  abs: (value) => Math.abs(value),
  sq: (value) => value * value,
};

const listSteps: Readonly<Record<string, (list: readonly number[]) => Value>> = {
  sort: (list) => list.toSorted((a, b) => a - b),
  rev: (list) => list.toReversed(),
  tail: (list) => list.slice(1),
  max: (list) => Math.max(...list),
  min: (list) => Math.min(...list),
  sum: (list) => list.reduce((sum, item) => sum + item, 0),
  len: (list) => list.length,
  first: (list) => list[0],
  last: (list) => list[list.length - 1],
};

/** The right output of a pipeline. */
export function run(steps: readonly string[], input: Value): Value {
  return steps.reduce<Value>((value, step) => {
    const apply = numberSteps[step] ?? numberSteps[step[0]];
    if (typeof value === "number") return apply(value, Number(step.slice(1)));
    return listSteps[step](value);
  }, input);
}

/** Steps that are a call of a Python function, and steps that are an index. */
const calls: Readonly<Record<string, string>> = {
  sort: "sorted",
  max: "max",
  min: "min",
  sum: "sum",
  len: "len",
  abs: "abs",
};
const indexes: Readonly<Record<string, string>> = { rev: "[::-1]", tail: "[1:]", first: "[0]", last: "[-1]" };

/** A right Python expression for a pipeline, with no more parentheses than it needs. */
export function expressionOf(steps: readonly string[]): string {
  let text = "x";
  /** How tightly the outermost operator binds: 3 a call or name, 2 a product, 1 a sum or sign. */
  let binding = 3;
  const wrapped = (least: number): string => (binding >= least ? text : `(${text})`);
  for (const step of steps) {
    if (Object.hasOwn(calls, step)) [text, binding] = [`${calls[step]}(${text})`, 3];
    else if (Object.hasOwn(indexes, step)) [text, binding] = [`${wrapped(3)}${indexes[step]}`, 3];
    else if (step === "neg") [text, binding] = [`-${wrapped(2)}`, 1];
    else if (step === "sq") [text, binding] = [`${wrapped(3)}**2`, 2];
    else if (step.startsWith("*")) [text, binding] = [`${wrapped(2)}${step}`, 2];
    else [text, binding] = [`${text}${step}`, 1];
  }
  return text;
}

/** A task of exactly `difficulty` steps (1 to 4) whose tests are right. */
export function drawTask(difficulty: number, random: Random): Task {
  for (;;) {
    const steps = drawSteps(difficulty, random);
    const inputs = drawInputs(steps, testCount, random, shown);
    if (inputs === null) continue;
    const tests = inputs.map((input) => testOf(steps, input));
    // A pipeline that changes nothing, such as +1 -1, teaches nothing.
    if (tests.some((test) => !isDeepStrictEqual(test.expected, test.args[0]))) return { steps, tests };
  }
}

const testOf = (steps: readonly string[], input: Value): UnitTest => ({
  function: functionName,
  args: [input],
  expected: run(steps, input),
});

function drawSteps(difficulty: number, random: Random): string[] {
  const steps: string[] = [];
  let kind: Kind = random.next() < 0.65 ? "list" : "number";
  while (steps.length < difficulty) {
    const names = Object.keys(stepKinds).filter((name) => stepKinds[name][0] === kind);
    const step: string =
      kind === "number" && random.next() < 0.7
        ? `${random.pick(["+", "-", "*"])}${random.integer(1, 9)}`
        : random.pick(names);
    if (step === "*1" || step === steps.at(-1)) continue;
    steps.push(step);
    kind = kindsOf(step)?.[1] ?? kind;
  }
  return steps;
}

/** Different inputs within bounds; null where a pipeline has too few of them. */
function drawInputs(
  steps: readonly string[],
  count: number,
  random: Random,
  { largestOutput, longestList, numbers }: Bounds,
): readonly Value[] | null {
  const takesList = kindsOf(steps[0])?.[0] === "list";
  // Every `tail` takes one away, and no step may meet an empty list.
  const shortest = 2 + steps.filter((step) => step === "tail").length;
  if (takesList && shortest > longestItems) return null;
  const inputs = new Map<string, Value>();
  for (let attempt = 0; attempt < 200 && inputs.size < count; attempt++) {
    const input: Value = takesList
      ? Array.from({ length: random.integer(shortest, Math.max(shortest, longestList)) }, () => random.integer(0, 9))
      : random.integer(...numbers);
    const output = run(steps, input);
    const outputs = typeof output === "number" ? [output] : output;
    if (outputs.every((each) => Math.abs(each) <= largestOutput)) inputs.set(JSON.stringify(input), input);
  }
  return inputs.size < count ? null : [...inputs.values()];
}

/** Tests that a task does not show: the same ten for the same steps. */
export function hiddenTests(steps: readonly string[]): readonly UnitTest[] {
  const random = randomStream("coding", "hidden", ...steps);
  return (drawInputs(steps, 10, random, hidden) ?? []).map((input) => testOf(steps, input));
}

/** Lines of training text for the seed model, one for each role. */
export const codingLines: SeedLines = {
  propose: (difficulty, random) => ({ prompt: codingMarks.propose, reply: writeTask(drawTask(difficulty, random)) }),
  solve: (difficulty, random) => {
    const task = drawTask(difficulty, random);
    return { prompt: `${codingMarks.solve}${writeTask(task)}=`, reply: expressionOf(task.steps) };
  },
};

/** All characters of the topic's notation, for the seed model's alphabet. */
export const codingCharacters = "Kk|;>=[](),:.*+- abcdefghijklmnopqrstuvwxyz0123456789";

/** Whether a program does what a pipeline does, on inputs that no task shows. Throws UnsupportedError without a sandbox. */
export async function passesHiddenTests(
  steps: readonly string[],
  program: string,
  sandbox: Sandbox | undefined,
): Promise<boolean> {
  if (sandbox === undefined) {
    throw new UnsupportedError("Programs cannot be checked without a sandbox.", "Give the evaluation a sandbox.");
  }
  const tests = [...hiddenTests(steps)];
  const requests = tests.map((test) => ({ function: test.function, args: test.args }));
  const outcome = await sandbox.run({ language: "python", program, calls: requests });
  return (
    tests.length > 0 &&
    outcome.status === "ok" &&
    tests.every((test, i) => {
      const result = outcome.results[i];
      return result !== undefined && "value" in result && isDeepStrictEqual(result.value, test.expected);
    })
  );
}

const levels = [1, 2, 3, 4] as const;

/** The hidden half of the topic. `frontier` follows the shipped seed model: change both together. */
export const codingTruth: HiddenTruth = {
  async check(question, answer, sandbox) {
    const task = readTask(question.text);
    if (!task.ok)
      throw new UsageError(`"${question.text}" is not a coding task: ${task.reason}`, "Use a held-out task.");
    return passesHiddenTests(task.value.steps, answer, sandbox);
  },
  levels,
  frontier: 3,
  heldOut(difficulty, count, random) {
    if (!Number.isInteger(difficulty) || difficulty < 1 || difficulty > maxSteps) {
      throw new UsageError(
        `Coding has no tasks of difficulty ${difficulty}.`,
        "Difficulty is the number of steps, 1 to 4.",
      );
    }
    // There are 38 pipelines of one step: half of them are left to self-play.
    return drawDistinct(Math.min(count, difficulty === 1 ? 18 : count), () =>
      taskQuestion(drawTask(difficulty, random)),
    );
  },
};

/** The whole program that the seed model is taught, for tests and tools. */
export const programOf = (steps: readonly string[]): string => `${programHead}${expressionOf(steps)}`;
