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

/** Opens and ends a block. */
const block = "```";

/** What opens a program; the model writes its body. */
const opening = `${block}python\ndef ${functionName}(x):\n`;

const maxProgramCharacters = 600;

function taskOf(question: Question): Task {
  const task = readTask(inNotation(wording, "coding", question, hint).text, testsInWords);
  if (!task.ok) throw new Error(`A task that was heard cannot be read: ${task.reason}`);
  return task.value;
}

const numberSteps = "add 3, take its absolute value, subtract 4, square it, multiply by 2, negate it";
const listSteps = [
  ...["sort it", "reverse it", "drop the first item", "take the first item", "take the last item"],
  ...["take the largest item", "take the smallest item", "add up the items", "count the items"],
];

/**
 * For each family of tasks what is asked for, how one may begin, and earlier ones. Steps are named once, before the first: without their
 * names a 0.5B model made up its own in 9 of 10 tasks about lists and in 2 of 3 about numbers, with them in half and in a quarter
 * (docs/decisions/0093). Tests are worked step by step: at once that model knows what two steps come to in one test of ten (0094).
 */
const proposed = {
  list: {
    request:
      `Write a small task about a list of numbers, with three tests. Steps for the list: ${listSteps.join(", ")}. ` +
      "Steps for the number that comes of it: add 3, subtract 4, square it, multiply by 2, negate it.",
    opening: `${taskOpening} list of numbers x:`,
    // Left to choose, the model begins most of its tasks with what is done to a number.
    begins: listSteps.map((step) => ` ${step}`),
    tasks: [
      `sort it, take the last item.
f([3, 8]): sort it: [3, 8], take the last item: 8
f([5, 1, 4]): sort it: [1, 4, 5], take the last item: 5
f([2, 0]): sort it: [0, 2], take the last item: 2`,
      `add up the items, multiply by 3.
f([3, 8]): add up the items: 11, multiply by 3: 33
f([5, 1, 4]): add up the items: 10, multiply by 3: 30
f([2, 0]): add up the items: 2, multiply by 3: 6`,
      `drop the first item, count the items.
f([3, 8]): drop the first item: [8], count the items: 1
f([5, 1, 4]): drop the first item: [1, 4], count the items: 2
f([2, 0]): drop the first item: [0], count the items: 1`,
      `take the smallest item, square it.
f([3, 8]): take the smallest item: 3, square it: 9
f([5, 1, 4]): take the smallest item: 1, square it: 1
f([2, 0]): take the smallest item: 0, square it: 0`,
      `reverse it, take the first item, add 2.
f([3, 8]): reverse it: [8, 3], take the first item: 8, add 2: 10
f([5, 1, 4]): reverse it: [4, 1, 5], take the first item: 4, add 2: 6
f([2, 0]): reverse it: [0, 2], take the first item: 0, add 2: 2`,
    ],
  },
  number: {
    request: `Write a small task about a number, with three tests. Steps to choose from: ${numberSteps}.`,
    opening: `${taskOpening} number x:`,
    begins: [""],
    tasks: [
      `subtract 4, square it.
f(6): subtract 4: 2, square it: 4
f(1): subtract 4: -3, square it: 9
f(4): subtract 4: 0, square it: 0`,
      `multiply by 2, add 5.
f(6): multiply by 2: 12, add 5: 17
f(1): multiply by 2: 2, add 5: 7
f(4): multiply by 2: 8, add 5: 13`,
      `negate it, subtract 1.
f(6): negate it: -6, subtract 1: -7
f(1): negate it: -1, subtract 1: -2
f(4): negate it: -4, subtract 1: -5`,
    ],
  },
} as const;

/**
 * Left to choose, a proposer in training soon writes only the family that is rewarded more (0015). Tasks stand in a block, whose end says
 * that no test follows: without it half of them went on to a fourth and further.
 */
function proposePrompt(random: Random): readonly ChatMessage[] {
  const { request, opening, begins, tasks } = proposed[random.pick(["list", "number"] as const)];
  const turns = tasks.flatMap((task, i) => [
    user(i === 0 ? request : another),
    assistant(`${block}\n${opening} ${task}\n${block}`),
  ]);
  return [...turns, user(another), assistant(`${block}\n${opening}${random.pick(begins)}`)];
}

const another = "Another one.";

const solvedTurns = [
  user(`${taskOpening} list of numbers x: sort it, take the last item, add 2.`),
  assistant(`${opening}    return sorted(x)[-1] + 2\n${block}`),
];

/** The whole program, up to the end of its code block. It is not judged, only bounded. */
function readBody(reply: string): Reading<string> {
  const said = withoutThoughts(reply);
  const fenced = /```(?:python)?\n([\s\S]*?)```/.exec(said)?.[1];
  const body = (fenced ?? said.split(block)[0]).replace(/\s+$/, "");
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
  stopText: { propose: block, solve: block },
  proposePrompt: ({ random }) => proposePrompt(random),
  readQuestion: (reply) => {
    const heard = wording.hear(withoutThoughts(reply).split(block)[0]);
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
