// Functions to write: how they are put to a model, how a program is found in its reply, and how it is tested.
//
// Tests of benchmarks are Python statements, so they run in the sandbox beside the program that they test. A program that fools `assert`
// (an object that equals everything) passes here as it does in the benchmark's own harness. That is why such tests serve for evaluation
// only: what a run learns from compares values outside (src/verify/unit-tests.ts).
import type { Exam } from "../evaluate/exam.ts";
import { refuse } from "../reading.ts";
import type { ProgramLimits, Sandbox } from "../sandbox/sandbox.ts";
import type { ChatMessage, Prompt, Reading } from "../types.ts";
import type { ProgramItem } from "./benchmark.ts";
import { type ReplyOptions, replyText } from "./replies.ts";

const fence = "```";

/** A conversation whose reply begins within a block of Python. */
function conversation({ form, question, tests }: ProgramItem): readonly ChatMessage[] {
  const request =
    form === "function"
      ? `Complete this Python function. Write the whole function, in one block of code.\n\n${fence}python\n${question.text.trimEnd()}\n${fence}`
      : `${question.text.trim()}\nWrite a Python function, in one block of code. It must pass these tests:\n\n${fence}python\n${tests.join("\n")}\n${fence}`;
  return [
    { role: "user", content: request },
    { role: "assistant", content: `${fence}python\n` },
  ];
}

/** A text to be continued: the beginning of the function, or the task as the description of a file. */
function continuation({ form, question, tests }: ProgramItem): string {
  return form === "function" ? question.text : `"""\n${question.text.trim()}\n${tests.join("\n")}\n"""\n`;
}

/** Where a base model has written the function and begins something else (Chen et al. 2021, arXiv 2107.03374, section 3.1). */
const functionEnds = ["\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(", "\n@", `\n${fence}`];
/** The same behind a task: the function itself begins with `def`. */
const taskEnds = ["\nclass ", "\nassert ", '\n"""', "\nif ", "\nprint(", `\n${fence}`];

/** A function that says that no test before it has raised. */
const passed = "sqlm_tests_passed";
/** Some tests count far, and the interpreter is some times slower than the one that they were written for (3 seconds of CPython). */
const usualLimits: ProgramLimits = { seconds: 10, memoryMiB: 256 };

/** The exam of these items. `sandbox` runs the programs. */
export function programExam(
  items: readonly ProgramItem[],
  options: ReplyOptions,
  sandbox: Sandbox,
  limits = usualLimits,
): Exam {
  const byKey = new Map(items.map((item) => [item.question.key, item]));
  const itemOf = ({ key }: { readonly key: string }): ProgramItem => byKey.get(key)!;
  return {
    questions: items.map(({ question }) => question),
    maxTokens: options.maxTokens,
    // What is said behind the block is not read.
    ...(options.chat ? { stopText: fence } : {}),
    // Programs that do the same are written differently.
    votes: false,
    prompt: (question): Prompt => (options.chat ? conversation(itemOf(question)) : continuation(itemOf(question))),
    read: (reply, question) => {
      const item = itemOf(question);
      const ends = options.chat ? [] : item.form === "function" ? functionEnds : taskEnds;
      const { text } = replyText(reply, options, ends);
      const program = options.chat ? programInReply(item, text) : programContinued(item, text);
      return program.ok ? { text, value: program.value } : { text, value: null, reason: program.reason };
    },
    check: (question, { value }) => passes(itemOf(question), value, sandbox, limits),
  };
}

/** The program in a reply that began within a block of code; one that is cut off is tested as it is. */
function programInReply({ form, question, entryPoint }: ProgramItem, reply: string): Reading<string> {
  // Some begin the block once more.
  const code = reply.replace(/^\s*```\w+\n/, "").split(fence)[0];
  if (code.trim() === "") return refuse("no program");
  if (form === "task" || entryPoint === null) return { ok: true, value: code };
  const isWhole = new RegExp(`^(?:async\\s+)?def\\s+${entryPoint}\\b`, "m").test(code);
  // What stands before the function, imports and helpers, counts also where the reply leaves it out.
  return { ok: true, value: isWhole ? `${beforeFunction(question.text, entryPoint)}\n${code}` : question.text + code };
}

function programContinued({ form, question }: ProgramItem, text: string): Reading<string> {
  if (text.trim() === "") return refuse("no program");
  return { ok: true, value: form === "function" ? question.text + text : text };
}

function beforeFunction(prompt: string, entryPoint: string): string {
  const at = prompt.search(new RegExp(`^(?:async\\s+)?def\\s+${entryPoint}\\b`, "m"));
  return at < 0 ? "" : prompt.slice(0, at);
}

async function passes(
  { setup, tests }: ProgramItem,
  program: string,
  sandbox: Sandbox,
  limits: ProgramLimits,
): Promise<boolean> {
  const whole = [program, setup, ...tests, `def ${passed}():\n    return True`].join("\n\n");
  const calls = [{ function: passed, args: [] }];
  const { status, results } = await sandbox.run({ language: "python", program: whole, calls, limits });
  const [result] = results;
  return status === "ok" && result !== undefined && "value" in result && result.value === true;
}
