// Options of the commands that play a run: how much they say, and who else hears of it.
import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import type { SessionOptions } from "./run-session.ts";

export interface SessionFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly events?: string;
  readonly tensorboard?: string;
}

export function addSessionFlags(command: Command): Command {
  return command
    .option("--quiet", "Say the result and what went wrong, and nothing else.")
    .option("--events <file>", "Add every event to a file as a JSON line; - is standard output.")
    .option("--tensorboard <folder>", "Write metrics for TensorBoard while the run goes.");
}

/** Throws UsageError where standard output would have to carry two things. */
export function sessionOptionsOf(flags: SessionFlags): Pick<SessionOptions, "quiet" | "events" | "tensorboard"> {
  const { json, quiet, events, tensorboard } = flags;
  if (json === true && events === "-") {
    throw new UsageError(
      "--json and --events - both want standard output.",
      "Leave out --json, or name a file with --events.",
    );
  }
  return {
    quiet,
    ...(events === undefined ? {} : { events }),
    ...(tensorboard === undefined ? {} : { tensorboard }),
  };
}
