// The commands for scripts that speak JSON lines: compare-answers, run-program, judge.
// Leaves comparing to verify/ and programs to sandbox/.
import { once } from "node:events";
import type { Command } from "commander";
import { makeCommand } from "../command.ts";
import { type AnswerRequest, answerLines, type JsonLinesOptions } from "../json-lines.ts";
import type { Parts, ProgramScripts } from "../parts.ts";

const note = "\nOne request a line on standard input, one answer a line on standard output, in order.";

export function compareAnswersCommand(parts: Parts): Command {
  return makeCommand("compare-answers", "Say whether answers are equal as mathematics.", [
    `echo '{"expected": "1/2", "given": "0.5"}' | sqlm compare-answers --json`,
  ])
    .addHelpText("after", note)
    .action(async () =>
      answerStandardInput(await parts.compareAnswers(), {
        refuse: (error) => ({ equal: false, expectedParsed: null, givenParsed: null, error }),
      }),
    );
}

export function runProgramCommand(parts: Parts): Command {
  return makeCommand("run-program", "Run untrusted programs in the sandbox.", [
    `echo '{"language": "python", "program": "def f(x): return x + 1", "calls": [{"function": "f", "args": [1]}]}' | sqlm run-program --json`,
  ])
    .addHelpText("after", note)
    .action(async () => {
      await using scripts = await parts.openProgramScripts();
      await answerStandardInput(scripts.runProgram, {
        ...readsPrograms(scripts),
        refuse: (reason) => ({ status: "error", reason, results: [], output: "", milliseconds: 0 }),
      });
    });
}

export function judgeCommand(parts: Parts): Command {
  return makeCommand("judge", "Run untrusted programs on tests and count those passed.", [
    `echo '{"language": "python", "program": "def f(x): return x + 1", "tests": [{"function": "f", "args": [1], "expected": 2}]}' | sqlm judge --json`,
  ])
    .addHelpText("after", note)
    .action(async () => {
      await using scripts = await parts.openProgramScripts();
      await answerStandardInput(scripts.judge, {
        ...readsPrograms(scripts),
        refuse: (reason) => ({ passed: 0, total: 0, tests: [], reason }),
      });
    });
}

function readsPrograms({ parse, concurrency }: ProgramScripts): JsonLinesOptions {
  return { parse, concurrency };
}

async function answerStandardInput(answer: AnswerRequest, options?: JsonLinesOptions): Promise<void> {
  const write = async (line: string): Promise<void> => {
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
  };
  await answerLines(process.stdin, write, answer, options);
}
