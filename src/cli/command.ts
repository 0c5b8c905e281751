// What all commands share: how one is made, how its errors become a sentence and an exit code.
import { Command, CommanderError, Option } from "commander";
import { SqlmError, UsageError } from "../errors.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

export const exitCodes = { ok: 0, failure: 1, usage: 2, stopped: 3, interrupted: 130 } as const;

/** A command whose help ends with examples. Every command also knows `--json`. */
export function makeCommand(name: string, description: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(description)
    .option("--json", "Print one JSON object on standard output and nothing else; progress goes to standard error.")
    .addHelpText("after", `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`);
}

/** Adds `--workspace`, for commands that read or write recorded runs. */
export function withWorkspace(command: Command): Command {
  return command.addOption(
    new Option("--workspace <folder>", "Folder of recorded runs.").default(".sqlm").env("SQLM_WORKSPACE"),
  );
}

/** The terminal that a command's options ask for. With `--events -` standard output carries events and nothing else. */
export function terminalOf(options: { readonly json?: boolean; readonly events?: unknown }): Terminal {
  const { stdout, stderr } = process;
  return openTerminal(options.json === true, { output: options.events === "-" ? stderr : stdout, error: stderr });
}

/** A non-negative whole number given to an option or argument; throws UsageError. */
export function readCount(name: string, text: string, least = 0): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`${name} must be a whole number of at least ${least}, not "${text}".`, "For example: 16.");
  }
  return value;
}

/** What the system refused, in words; the codes are those of `errno`. */
const systemProblems: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of this path is a file, not a folder",
  EISDIR: "this is a folder, not a file",
  EEXIST: "there is a file of this name already",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many links",
};

const systemHint = "Check that the path is right and yours to use, and that the disk has room; then try again.";

/** An error of the file system: not one of ours, but not a defect either. */
function isSystemError(
  error: unknown,
): error is Error & { code: string; syscall: string; path?: string; dest?: string } {
  return (
    error instanceof Error &&
    "syscall" in error &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code in systemProblems
  );
}

/**
 * One sentence and a hint for any error, and the exit code for it. A stack is shown for defects (errors that are not
 * ours) only when SQLM_DEBUG is set.
 */
export function describeError(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return { text: "", exitCode: exitCodes.ok };
    const [sentence, suggestion] = error.message.replace(/^error: /, "").split("\n");
    const hint = suggestion === undefined ? "" : ` ${suggestion.replace(/^\(|\)$/g, "")}`;
    const known =
      hint === "" ? "\n  `sqlm --help` lists commands; `sqlm COMMAND --help` lists a command's options." : "";
    return { text: `sqlm: ${sentence}${/[.?!]$/.test(sentence) ? "" : "."}${hint}${known}`, exitCode: exitCodes.usage };
  }
  const debug = process.env["SQLM_DEBUG"] !== undefined && error instanceof Error ? `\n${error.stack}` : "";
  if (error instanceof SqlmError) {
    return { text: `sqlm: ${error.message}\n  ${error.hint}${debug}`, exitCode: error.exitCode };
  }
  if (isSystemError(error)) {
    const sentence = `sqlm: ${error.dest ?? error.path ?? "A file"}: ${systemProblems[error.code] ?? error.message} (${error.code}, ${error.syscall}).`;
    return { text: `${sentence}\n  ${systemHint}${debug}`, exitCode: exitCodes.failure };
  }
  const message = error instanceof Error ? error.message : String(error);
  const advice = debug === "" ? "\n  This is a defect or a broken installation. Set SQLM_DEBUG=1 to see where." : debug;
  return { text: `sqlm: ${message}${advice}`, exitCode: exitCodes.failure };
}
