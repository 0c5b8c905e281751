// Where the command line writes. With `--json` standard output carries one object and nothing else, so everything for
// people moves to standard error. Leaves what is written, and its layout, to the commands.
import type { Writable } from "node:stream";
import { visible } from "../dashboard/visible.ts";

export interface Terminal {
  readonly json: boolean;
  /** True when a person watches: progress may be redrawn in place. */
  readonly interactive: boolean;
  readonly columns: number;
  /** Columns that a table may take: those of the terminal that it is shown in, without end where none is. */
  readonly tableColumns: number;
  /** A line of the command's result. */
  say(line: string): void;
  /** A line beside the result: progress, advice, warnings. */
  note(line: string): void;
  /** Part of a text that is shown as it comes; what is said next begins a line of its own. Nothing with `--json`. */
  stream(text: string): void;
  /** Whether such a text has begun a line. It says by itself that work goes on. */
  readonly streaming: boolean;
  /** Replaces the line in progress; null takes it away. Does nothing where nobody watches. */
  status(line: string | null): void;
  /** With `--json`, the one object; otherwise nothing. */
  result(value: object): void;
}

export interface TerminalStreams {
  readonly output: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly error: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

/** A table in a file or for another program is whole, unless COLUMNS says how wide what shows it is. */
function tableColumnsOf(stream: TerminalStreams["output"]): number {
  const asked = Number(process.env["COLUMNS"]);
  return stream.isTTY === true && stream.columns ? stream.columns : asked > 0 ? asked : Number.POSITIVE_INFINITY;
}

/** Makes a terminal; a process that no longer reads our output ends us quietly, as it does `cat`. */
export function openTerminal(
  json: boolean,
  streams: TerminalStreams = { output: process.stdout, error: process.stderr },
): Terminal {
  const { output, error } = streams;
  const interactive = error.isTTY === true && process.env["CI"] === undefined && process.env["TERM"] !== "dumb";
  const columns = error.columns ?? output.columns ?? 100;
  let drawn = false;
  /** A text that comes has begun a line. */
  let open = false;
  const erase = (): void => {
    if (drawn) error.write("\r\u001b[2K");
    drawn = false;
  };
  const write = (stream: Writable, line: string): void => {
    erase();
    if (open) output.write("\n");
    open = false;
    stream.write(`${line}\n`);
  };
  // Lines may hold what a model or a file says: nothing in them may command the terminal or turn the text around.
  const harmless = (line: string): string => line.split("\t").map(visible).join("\t");
  return {
    json,
    interactive,
    columns,
    tableColumns: tableColumnsOf(json ? error : output),
    say: (line) => write(json ? error : output, harmless(line)),
    note: (line) => write(error, harmless(line)),
    get streaming() {
      return open;
    },
    stream: (text) => {
      if (json || text === "") return;
      erase();
      output.write(harmless(text));
      open = !text.endsWith("\n");
    },
    status: (line) => {
      // It would erase what stands before it in the same line.
      if (!interactive || open) return;
      erase();
      if (line === null) return;
      error.write(harmless(line).slice(0, columns - 1));
      drawn = true;
    },
    result: (value) => {
      if (json) write(output, JSON.stringify(value));
    },
  };
}
