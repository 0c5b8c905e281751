// How the coding topic writes its tasks: a pipeline of named steps with five tests, `sort rev first +3|[3,1]>6;…`. Values
// are Python literals: whole numbers and lists of them. Nothing here runs a step or a program; see coding-truth.ts.
import { refuse } from "../reading.ts";
import type { Question, Reading, UnitTest } from "../types.ts";

/** What each role's prompt begins with; no other topic uses these. */
export const codingMarks = { propose: "K", solve: "k" } as const;

/** Name of the function that every program defines. */
export const functionName = "f";

/** What a program begins with; the solver writes the expression after it. */
export const programHead = `def ${functionName}(x):return `;

export const testCount = 5;
export const maxSteps = 4;
/** Most items of a list in a test. */
export const longestItems = 5;

export type Kind = "list" | "number";

/** Steps without a number, with what they take and give. `+n`, `-n` and `*n` map numbers to numbers. */
export const stepKinds: Readonly<Record<string, readonly [from: Kind, to: Kind]>> = {
  sort: ["list", "list"],
  rev: ["list", "list"],
  tail: ["list", "list"],
  max: ["list", "number"],
  min: ["list", "number"],
  sum: ["list", "number"],
  len: ["list", "number"],
  first: ["list", "number"],
  last: ["list", "number"],
  neg: ["number", "number"],
  abs: ["number", "number"],
  sq: ["number", "number"],
};

export interface Task {
  readonly steps: readonly string[];
  readonly tests: readonly UnitTest[];
}

/** What a step takes and gives; null for a word that is no step. */
export function kindsOf(step: string): readonly [from: Kind, to: Kind] | null {
  if (/^[+*-][1-9]$/.test(step)) return ["number", "number"];
  return Object.hasOwn(stepKinds, step) ? stepKinds[step] : null;
}

/** The task for people and for the model alike. */
export function writeTask({ steps, tests }: Task): string {
  const shown = tests.map(({ args, expected }) => `${JSON.stringify(args[0])}>${JSON.stringify(expected)}`);
  return `${steps.join(" ")}|${shown.join(";")}`;
}

/** The loop's question; two tasks with the same steps ask for the same function. */
export const taskQuestion = (task: Task): Question => ({
  text: writeTask(task),
  key: task.steps.join(" "),
  difficulty: task.steps.length,
  tests: task.tests,
});

/** Reads a task with this many tests strictly. Whether its expectations are right is not looked at: the solver's programs will tell. */
export function readTask(text: string, count = testCount): Reading<Task> {
  const parts = text.split("|");
  if (parts.length !== 2) return refuse("not of the form steps|tests");
  const steps = parts[0].split(" ");
  if (steps.length > maxSteps) return refuse(`more than ${maxSteps} steps`);
  let kind: Kind | null = null;
  let input: Kind | null = null;
  for (const step of steps) {
    const kinds = kindsOf(step);
    if (kinds === null) return refuse("a step that nobody knows");
    if (kind !== null && kinds[0] !== kind) return refuse(`a step that takes no ${kind}`);
    input ??= kinds[0];
    kind = kinds[1];
  }
  const written = parts[1].split(";");
  if (written.length !== count) return refuse(`not ${count} tests`);
  const tests: UnitTest[] = [];
  for (const [i, each] of written.entries()) {
    const sides = each.split(">");
    if (sides.length > 2) return refuse(`test ${i + 1} is not of the form input>output`);
    if (sides.length < 2 || sides[1] === "") return refuse(`test ${i + 1} has no expected value`);
    const [value, expected] = sides.map(readValue);
    if (value === null) return refuse(`the input of test ${i + 1} is no value`);
    if (expected === null) return refuse(`the expected value of test ${i + 1} is no value`);
    if (kindOf(value) !== input) return refuse(`the input of test ${i + 1} is no ${input}`);
    tests.push({ function: functionName, args: [value], expected });
  }
  return { ok: true, value: { steps, tests } };
}

const kindOf = (value: number | readonly number[]): Kind => (typeof value === "number" ? "number" : "list");

/** `12`, `-3`, `[1,2]`; null for anything else. Numbers have four digits at most, lists `longestItems`. */
function readValue(text: string): number | readonly number[] | null {
  const number = /^(?:0|-?[1-9][0-9]{0,3})$/;
  if (number.test(text)) return Number(text);
  if (text === "[]") return [];
  const items = /^\[(.*)\]$/.exec(text)?.[1].split(",");
  if (items === undefined || items.length > longestItems || !items.every((item) => number.test(item))) return null;
  return items.map(Number);
}

/** Reads the solver's reply, the expression after `programHead`, into the whole program. It is not judged, only bounded. */
export function readProgram(reply: string): Reading<string> {
  if (reply.trim() === "") return refuse("empty");
  if (reply.length > 200) return refuse("longer than 200 characters");
  if (!/^[\x20-\x7e]+$/.test(reply)) return refuse("not one line of plain characters");
  return { ok: true, value: `${programHead}${reply.trim()}` };
}
