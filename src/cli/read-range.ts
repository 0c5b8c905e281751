// Ranges and lists of numbers as people write them on the command line.
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

/** A range that was meant is not longer than this; a slip of the finger may be. */
const mostNumbers = 1000;

/** Whole numbers, in the order in which they are given: `2,3`, `1..5` or `1..3,7`. Throws UsageError for anything else, and for one given twice. */
export function readNumbers(name: string, text: string): number[] {
  const numbers = text.split(",").flatMap((part) => {
    const [first, last = first] =
      /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(part.trim())?.slice(1).filter(Boolean).map(Number) ?? [];
    if (first === undefined || last === undefined || last < first || last - first >= mostNumbers) {
      throw new UsageError(`${name}: "${part.trim()}" is no whole number and no range of them.`, "Write 2,3 or 1..5.");
    }
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  const repeated = numbers.find((number, index) => numbers.indexOf(number) !== index);
  if (repeated !== undefined) throw new UsageError(`${name} names ${repeated} twice.`, "Give each number once.");
  return numbers;
}
