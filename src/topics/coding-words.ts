// The topic `coding` for models with a chat template: the steps of coding.ts as tasks in words, with tests that the proposer writes
// as Python calls. Solvers are not shown the tests; they write the body of a function that the prompt has opened.
import { UsageError } from "../errors.ts";
import { refuse } from "../reading.ts";
import type { Question, Reading } from "../types.ts";
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

const request = "Write a small task with three tests.";
const proposedTurns = [
  user(request),
  assistant(`${taskOpening} number x: subtract 4, square it.\nf(6) == 4\nf(1) == 9\nf(4) == 0`),
  user(request),
  assistant(
    `${taskOpening} list of numbers x: reverse it, take the first item, add 2.\nf([3, 8]) == 10\nf([5, 1, 4]) == 6\nf([2, 0]) == 2`,
  ),
  user(request),
  assistant(taskOpening),
];

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
  proposePrompt: () => proposedTurns,
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
