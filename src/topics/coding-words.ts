// The topic `coding` for models with a chat template: the steps of coding.ts as tasks in words, with tests that the proposer writes
// as Python calls. Solvers are not shown the tests; they write the body of a function that the prompt has opened.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import { refuse } from "../reading.ts";
import type { ChatMessage, Question, Reading } from "../types.ts";
import { coding } from "./coding.ts";
import { functionName, maxSteps, readTask, type Task, taskQuestion } from "./coding-notation.ts";
import { sayTask, taskOpening, testsInWords, codingWording as wording } from "./coding-sentences.ts";
import { drawTask, passesHiddenTests } from "./coding-truth.ts";
import { defineTopic } from "./define-topic.ts";
import { drawDistinct } from "./draw.ts";
import { assistant, inNotation, inWords, user, withoutThoughts } from "./words.ts";

const hint = "Use a held-out task, or write one like: Given a number x: add 3. And three tests below, as f(4) == 7.";

/** What opens a program; the model writes its body. */
const opening = `\`\`\`python\ndef ${functionName}(x):\n`;

const maxProgramCharacters = 600;

function taskOf(question: Question): Task {
  const task = readTask(inNotation(wording, "coding", question, hint).text, testsInWords);
  if (!task.ok) throw new Error(`A task that was heard cannot be read: ${task.reason}`);
  return task.value;
}

const numberSteps = "add 3, take its absolute value, subtract 4, square it, multiply by 2, negate it";

/**
 * For each family of tasks what is asked for and earlier ones. Steps are named once, before the first: without their names a 0.5B model made
 * up its own in 9 of 10 tasks about lists and in 2 of 3 about numbers, with them in half and in a quarter (docs/decisions/0093).
 */
const proposed = {
  list: {
    request:
      "Write a small task about a list of numbers, with three tests. Steps for the list: sort it, reverse it, drop the first item, take the first item, " +
      "take the last item, take the largest item, take the smallest item, add up the items, count the items. " +
      `Steps for the number that comes of it: ${numberSteps}.`,
    opening: `${taskOpening} list of numbers x:`,
    tasks: [
      "sort it, take the last item.\nf([3, 8]) == 8\nf([5, 1, 4]) == 5\nf([2, 0]) == 2",
      "add up the items, multiply by 3.\nf([3, 8]) == 33\nf([5, 1, 4]) == 30\nf([2, 0]) == 6",
      "drop the first item, count the items.\nf([3, 8]) == 1\nf([5, 1, 4]) == 2\nf([2, 0]) == 1",
      "reverse it, take the first item, add 2.\nf([3, 8]) == 10\nf([5, 1, 4]) == 6\nf([2, 0]) == 2",
    ],
  },
  number: {
    request: `Write a small task about a number, with three tests. Steps to choose from: ${numberSteps}.`,
    opening: `${taskOpening} number x:`,
    tasks: [
      "subtract 4, square it.\nf(6) == 4\nf(1) == 9\nf(4) == 0",
      "multiply by 2, add 5.\nf(6) == 17\nf(1) == 7\nf(4) == 13",
      "negate it, subtract 1.\nf(6) == -7\nf(1) == -2\nf(4) == -5",
    ],
  },
} as const;

/** Left to choose, a proposer in training soon writes only the family that is rewarded more (0015). */
function proposePrompt(random: Random): readonly ChatMessage[] {
  const { request, opening, tasks } = proposed[random.pick(["list", "number"] as const)];
  const turns = tasks.flatMap((task, i) => [user(i === 0 ? request : another), assistant(`${opening} ${task}`)]);
  return [...turns, user(another), assistant(opening)];
}

const another = "Another one.";

const solvedTurns = [
  user(`${taskOpening} list of numbers x: sort it, take the last item, add 2.`),
  assistant(`${opening}    return sorted(x)[-1] + 2\n\`\`\``),
];

/** The whole program, up to the end of its code block. It is not judged, only bounded. */
function readBody(reply: string): Reading<string> {
  const said = withoutThoughts(reply);
  const fenced = /```(?:python)?\n([\s\S]*?)```/.exec(said)?.[1];
  const body = (fenced ?? said.split("```")[0]).replace(/\s+$/, "");
  const program = /^(?:import|from|def) /m.test(body) && !/^\s/.test(body) ? body : `def ${functionName}(x):\n${body}`;
  if (body.trim() === "") return refuse("empty");
  if (body.length > maxProgramCharacters) return refuse(`longer than ${maxProgramCharacters} characters`);
  return { ok: true, value: program };
}

const levels = [1, 2, 3, 4] as const;

export const codingInWords = defineTopic({
  name: coding.topic.name,
  description: coding.topic.description,
  verification: "tests",
  language: "python",
  maxTokens: { propose: 128, solve: 96 },
  stopText: { solve: "```" },
  proposePrompt: ({ random }) => proposePrompt(random),
  readQuestion: (reply) => {
    const heard = wording.hear(reply);
    if (!heard.ok) return heard;
    const task = readTask(heard.value, testsInWords);
    return task.ok ? { ok: true, value: inWords(wording, taskQuestion(task.value)) } : task;
  },
  solvePrompt: (question) => [...solvedTurns, user(sayTask(taskOf(question))), assistant(opening)],
  readAnswer: (reply) => readBody(reply),
  // Tests say which programs are right, however much their outputs differ.
  settings: { minAgreement: 0 },
  hidden: {
    check: (question, answer, sandbox) => passesHiddenTests(taskOf(question).steps, answer, sandbox),
    levels,
    frontier: 3,
    heldOut(difficulty, count, random) {
      if (!levels.some((level) => level === difficulty)) {
        throw new UsageError(
          `Coding has no tasks of difficulty ${difficulty}.`,
          `Difficulty is the number of steps, 1 to ${maxSteps}.`,
        );
      }
      // There are 38 pipelines of one step: half of them are left to self-play.
      return drawDistinct(Math.min(count, difficulty === 1 ? 18 : count), () => {
        const { steps, tests } = drawTask(difficulty, random);
        return inWords(wording, taskQuestion({ steps, tests: tests.slice(0, testsInWords) }));
      });
    },
  },
});
