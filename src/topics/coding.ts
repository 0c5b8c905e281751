// The topic `coding`: tasks with five unit tests by the proposer, Python programs by the solver, judged by running them.
// Tasks are pipelines of list and number steps (`sort rev first +3`), small enough for a model that continues characters;
// the reader of tests and programs is strict about form and says nothing about what is right.
import { UsageError } from "../errors.ts";
import { codingMarks, readProgram, readTask, taskQuestion, writeTask } from "./coding-notation.ts";
import { codingTruth } from "./coding-truth.ts";
import { defineTopic } from "./define-topic.ts";

export const coding = defineTopic({
  name: "coding",
  description: "Small Python functions for tasks with five unit tests.",
  verification: "tests",
  language: "python",
  maxTokens: { propose: 112, solve: 44 },
  proposePrompt: () => codingMarks.propose,
  readQuestion: (reply) => {
    const task = readTask(reply);
    return task.ok ? { ok: true, value: taskQuestion(task.value) } : task;
  },
  solvePrompt: (question) => {
    const task = readTask(question.text);
    if (task.ok) return `${codingMarks.solve}${writeTask(task.value)}=`;
    throw new UsageError(
      `"${question.text}" is not a coding task: ${task.reason}.`,
      "Write steps and five tests like +1|1>2;2>3;3>4;4>5;5>6.",
    );
  },
  readAnswer: (reply) => readProgram(reply),
  // Right tests of hard tasks are few, so the proposer learns at every step, also where hardly any program passes yet.
  settings: {
    steps: 40,
    groupsPerBatch: 64,
    proposerEvery: 1,
    proposerLossWeight: 0.1,
    bandLow: 0.1,
    bandHigh: 0.95,
    // Tests say which programs are right, however much their outputs differ.
    minAgreement: 0,
  },
  hidden: codingTruth,
});
