// The coding topic's tasks in words: what is given, steps as phrases, and tests as calls of a Python function. `say` writes them one
// way; `hear` reads what a model wrote by the phrases below: a step that it does not know it refuses.
import { refuse } from "../reading.ts";
import type { Reading } from "../types.ts";
import { functionName, type Kind, kindsOf, readTask, type Task, writeTask } from "./coding-notation.ts";
import type { Wording } from "./words.ts";

export const taskOpening = "Given a";

/** Tests of a task in words: fewer than in the notation, which a small model writes wrongly the more often. */
export const testsInWords = 3;

const given: Readonly<Record<Kind, string>> = { list: "list of numbers", number: "number" };

/** For each step how it is said, and all that is heard as it. Numbers stand for `n`. */
const phrases: Readonly<Record<string, readonly [said: string, heard: RegExp]>> = {
  sort: ["sort it", /^sort(?: (?:it|the list|them|the (?:items|numbers)))?(?: in ascending order)?$/],
  rev: ["reverse it", /^reverse(?: (?:it|the list|them|the (?:items|numbers)))?$/],
  tail: ["drop the first item", /^(?:drop|remove) the first (?:item|element|number)$/],
  max: [
    "take the largest item",
    /^(?:take|find|get|return) the (?:largest|maximum|biggest)(?: (?:item|element|number))?$/,
  ],
  min: ["take the smallest item", /^(?:take|find|get|return) the (?:smallest|minimum)(?: (?:item|element|number))?$/],
  sum: ["add up the items", /^(?:add up|sum(?: up)?) (?:the|all|all the) (?:items|elements|numbers)$/],
  len: ["count the items", /^count (?:the|all|all the|the number of) (?:items|elements|numbers)$/],
  first: ["take the first item", /^(?:take|get|return) the first (?:item|element|number)$/],
  last: ["take the last item", /^(?:take|get|return) the last (?:item|element|number)$/],
  neg: ["negate it", /^negate(?: (?:it|the (?:number|result|sum)))?$/],
  abs: ["take its absolute value", /^(?:(?:take|find|get|return) )?(?:its |the )?absolute value(?: of it)?$/],
  sq: ["square it", /^square(?: (?:it|the (?:number|result|sum)))?$/],
  "+": ["add n", /^add ([1-9])(?: to (?:it|the (?:number|result|sum)))?$/],
  "-": ["subtract n", /^subtract ([1-9])(?: from (?:it|the (?:number|result|sum)))?$/],
  "*": ["multiply by n", /^(?:multiply (?:(?:it|the (?:number|result|sum)) )?by ([1-9]))$/],
};

const sayStep = (step: string): string => {
  const known = phrases[step] ?? phrases[step[0]];
  return known === undefined ? step : known[0].replace(/ n$/, ` ${step.slice(1)}`);
};

function hearStep(phrase: string): string | null {
  for (const [step, [, heard]] of Object.entries(phrases)) {
    const match = heard.exec(phrase);
    if (match !== null) return `${step}${match[1] ?? ""}`;
  }
  return null;
}

/** `Given a list of numbers x: sort it, take the last item.`, what solvers are asked. */
export function sayTask({ steps }: Pick<Task, "steps">): string {
  const kind = kindsOf(steps[0])?.[0] ?? "list";
  return `${taskOpening} ${given[kind]} x: ${steps.map(sayStep).join(", ")}.`;
}

function say(notation: string): string {
  const task = readTask(notation, testsInWords);
  if (!task.ok) return notation;
  const shown = task.value.tests.map(
    ({ args, expected }) => `${functionName}(${pythonOf(args[0])}) == ${pythonOf(expected)}`,
  );
  return [sayTask(task.value), ...shown].join("\n");
}

const pythonOf = (value: unknown): string => JSON.stringify(value).replaceAll(",", ", ");

/** Steps of `sort it, take the last item and add 2`; null where one of them is not known. */
function hearSteps(said: string): string[] | null {
  const phrases = said.toLowerCase().split(/, (?:and then |and |then )?| and then | and | then /);
  const steps = phrases.map((phrase) => phrase.trim()).filter((phrase) => phrase !== "");
  const heard = steps.map(hearStep);
  return heard.every((step) => step !== null) ? heard : null;
}

interface SpokenTest {
  readonly input: string;
  readonly expected: string;
  /** The steps that its working names; null for a test without one. */
  readonly steps: readonly string[] | null;
}

/**
 * `f(6) == 4`, or with a working, `f(6): subtract 4: 2, square it: 4`: what its last step comes to is expected. What the others come to is
 * not looked at. Null for any other line.
 */
function hearTest(line: string): SpokenTest | null {
  const [, input, stated, working] = /^(?:assert )?f\((.+?)\)(?: ?== ?(.+)|: (.+))$/.exec(line) ?? [];
  if (stated !== undefined) return { input, expected: stated, steps: null };
  if (working === undefined) return null;
  const named = [...working.matchAll(/([a-z][^:[\]]*): (\[[^\]]*\]|[^\s,]+?)\.?(?:, |$)/gi)];
  const expected = named.at(-1)?.[2];
  if (expected === undefined || named.map(([whole]) => whole).join("") !== working) return null;
  const steps = hearSteps(named.map(([, step]) => step).join(", "));
  return steps === null ? null : { input, expected, steps };
}

/**
 * The task in a reply. A prompt may have begun the sentence, up to its first step; then the tests say what x is, and their working says
 * that step. All tests must be worked by the task's steps.
 */
function hear(words: string): Reading<string> {
  const said = words
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  // A reply that goes on with a begun sentence may end it at once, and begin with its tests.
  const [first = "", ...lines] = hearTest(said[0] ?? "") === null ? said : ["", ...said];
  const match = /^(?:(?:given a )?(list of numbers|list|number) x: )?([^:]*?)\.?$/i.exec(first);
  if (match === null) return refuse("not a task about a list of numbers or a number x");
  const [, what, asked] = match;
  const sentence = hearSteps(asked);
  if (sentence === null) return refuse("a step that nobody knows");
  // More tests than are asked for do no harm: the first count.
  const tests = lines.slice(0, testsInWords).map(hearTest);
  if (tests.some((test) => test === null)) return refuse(`a line that is no test of ${functionName}`);
  const worked = tests[0]?.steps ?? null;
  const steps = worked !== null && worked.slice(1).join() === sentence.join() ? worked : sentence;
  if (tests.some((test) => test?.steps != null && test.steps.join() !== steps.join())) {
    return refuse("tests that are worked by other steps than the task's");
  }
  if (what !== undefined && kindsOf(steps[0])?.[0] !== (what.toLowerCase() === "number" ? "number" : "list")) {
    return refuse(`a first step that takes no ${what.toLowerCase()}`);
  }
  const written = tests.map((test) => `${test?.input}>${test?.expected}`.replace(/\s+/g, ""));
  const task = readTask(`${steps.join(" ")}|${written.join(";")}`, testsInWords);
  return task.ok ? { ok: true, value: writeTask(task.value) } : task;
}

export const codingWording: Wording = { say, hear };
