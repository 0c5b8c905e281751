// Reads a file of JSON lines that a user names: benchmarks, questions for evaluation, examples. What the lines must hold is
// their reader's business; every complaint names file and line.
import { readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { UsageError } from "../errors.ts";

export interface JsonLine {
  /** `file:line`, counted from 1, for messages. */
  readonly place: string;
  readonly value: Readonly<Record<string, unknown>>;
}

const hint = "Each line holds one JSON object, as in a file that ends with .jsonl.";

/**
 * The objects of a file, one a line; blank lines are skipped, a file that gzip packed is unpacked. Throws UsageError where the file
 * is missing or empty, or a line is not a JSON object.
 * @param what what the file is to the user, for example `benchmark file`
 */
export function readJsonLines(path: string, what: string): JsonLine[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new UsageError(`There is no ${what} ${path}.`, "Check the path; it is relative to the working folder.");
  }
  const lines = textOf(path).split("\n");
  const found = lines.flatMap((line, index) =>
    line.trim() === "" ? [] : [{ place: `${path}:${index + 1}`, value: parseLine(line, `${path}:${index + 1}`) }],
  );
  if (found.length === 0) throw new UsageError(`The ${what} ${path} holds no line.`, hint);
  return found;
}

function textOf(path: string): string {
  const bytes = readFileSync(path);
  try {
    const unpacked = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(unpacked);
  } catch (cause) {
    throw new UsageError(`${path} is not text in UTF-8.`, hint, { cause });
  }
}

function parseLine(line: string, place: string): JsonLine["value"] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${place} is not JSON: ${problem}.`, hint, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonLine["value"];
  throw new UsageError(`${place} is not a JSON object.`, hint);
}
