// Ranges as people write them on the command line.
import { UsageError } from "../errors.ts";

export interface Range {
  readonly low?: number;
  readonly high?: number;
}

/** `0.5..0.9`, `60..`, `..0.5`, or one value for both ends. Throws UsageError for anything else, and for ends that are the wrong way round. */
export function readRange(name: string, text: string | undefined): Range {
  if (text === undefined) return {};
  const ends = text.trim().split("..");
  // The value before the dots, and the one behind them.
  const [low, high] = ends.length === 1 ? [ends[0], ends[0]] : ends;
  const isNumber = (end: string): boolean => /^[-+]?(?:\d+(?:\.\d+)?|\.\d+)$/.test(end);
  if (ends.length > 2 || (low === "" && high === "") || ![low, high].every((end) => end === "" || isNumber(end))) {
    throw new UsageError(`${name} is not a range: "${text}".`, "Write 0.5..0.9, 0.9.., ..0.5 or one value.");
  }
  if (low !== "" && high !== "" && Number(low) > Number(high)) {
    throw new UsageError(`${name}: nothing is between ${low} and ${high}.`, `Write ${high}..${low}.`);
  }
  return { ...(low === "" ? {} : { low: Number(low) }), ...(high === "" ? {} : { high: Number(high) }) };
}
