// Reads final answers and compares them as mathematics. Two entry points: `canonicalAnswer` gives the text by which
// votes are counted, `answersEqual` is the lenient comparison against a known answer. Both are pure, deterministic and
// never throw; equality is symmetric.
//
// Left out: proving identities (expressions are compared by values at seeded points), systems of equations,
// conversions between units (a unit after a number is dropped).
import { refuse } from "../reading.ts";
import type { Reading } from "../types.ts";
import { type Candidate, candidates } from "./extract.ts";
import { parse } from "./parse.ts";
import { type CommaMode, normaliseText, tokenise } from "./syntax.ts";
import { hasWord } from "./tree.ts";
import { readingsOf, sameReadings, type Value } from "./value.ts";

/** Longest text that is looked at. Reasoning is long, but what is longer than this is a flood. */
const maxCharacters = 200_000;
/** Longest text that may be one of the phrases in `inSymbols`. */
const maxPhraseCharacters = 60;
/** Longest piece that is parsed as one answer. */
const maxAnswerCharacters = 4_000;

/**
 * The canonical text of the final answer in `text`: equal answers give equal texts wherever a normal form exists
 * (fractions, decimals, polynomials, equations, intervals, sets, tuples, matrices, words).
 * Reasons: `empty`, `no-answer`, `too-long`, `too-deep`, `not-unicode`.
 */
export function canonicalAnswer(text: string): Reading<string> {
  const parsed = parseAnswer(text);
  return parsed.ok ? { ok: true, value: parsed.value.readings[0].canonical } : parsed;
}

export interface AnswerComparison {
  readonly equal: boolean;
  /** Canonical texts; null where no answer could be read. */
  readonly expectedParsed: string | null;
  readonly givenParsed: string | null;
}

/** Compares the final answers of two texts. What cannot be read is equal to nothing. */
export function answersEqual(expected: string, given: string): AnswerComparison {
  const [left, right] = [parseAnswer(expected), parseAnswer(given)];
  const equal =
    left.ok &&
    right.ok &&
    (left.value.source === right.value.source || sameReadings(left.value.readings, right.value.readings));
  return {
    equal,
    expectedParsed: left.ok ? left.value.readings[0].canonical : null,
    givenParsed: right.ok ? right.value.readings[0].canonical : null,
  };
}

interface ParsedAnswer {
  /** The extracted text, for answers that are the same letter by letter. */
  readonly source: string;
  /** What it can mean, the preferred reading first; never empty. */
  readonly readings: readonly Value[];
}

function parseAnswer(text: string): Reading<ParsedAnswer> {
  if (text.length > maxCharacters) return refuse("too-long");
  if (!text.isWellFormed() || text.includes("\ufffd")) return refuse("not-unicode");
  if (text.trim() === "") return refuse("empty");
  let firstReason: string | null = null;
  let words: Candidate | null = null;
  for (const candidate of candidates(text)) {
    const read = readCandidate(candidate);
    if (read.ok) return read;
    if (read.reason !== "not-mathematics") firstReason ??= read.reason;
    if (read.reason === "not-mathematics" && candidate.source === "boxed") return asWords(candidate);
    if (candidate.source === "sentence" || candidate.source === "whole") words ??= candidate;
  }
  if (firstReason !== null) return refuse(firstReason);
  return words === null ? refuse("no-answer") : asWords(words);
}

function readCandidate(candidate: Candidate): Reading<ParsedAnswer> {
  const source = inSymbols(candidate.text.trim());
  if (source === "") return refuse("not-mathematics");
  if (source.length > maxAnswerCharacters) return refuse("too-long");
  const normal = normaliseText(europeanNumber(source));
  const readings: Value[] = [];
  let reason = "not-mathematics";
  for (const commas of commaModes(source, normal)) {
    const tokens = tokenise(normal, commas);
    if ("reason" in tokens) {
      reason = tokens.reason;
      continue;
    }
    const tree = parse(tokens.tokens);
    if ("reason" in tree) {
      if (tree.reason !== "empty") reason = tree.reason;
      continue;
    }
    readings.push(...(readingsOf(tree.node) ?? []));
    // Mathematics without a value, such as 9^9^9^9, is equal to what is written the same way.
    if (readings.length === 0 && !hasWord(tree.node)) return asWritten(source, normal);
  }
  return readings.length > 0 ? { ok: true, value: { source, readings } } : refuse(reason);
}

/** Phrases that stand for mathematics: "no solution" is the empty set, "option C" is C. */
function inSymbols(source: string): string {
  if (source.length > maxPhraseCharacters) return source;
  const phrase = source.replace(/\\(?:text|mbox|textbf|mathrm)\s*|[${}.*]/g, "").trim();
  if (/^(?:there (?:is|are) )?no (?:real |such )?(?:solutions?|roots?)$|^(?:the )?empty set$/i.test(phrase))
    return "\\emptyset";
  if (/^(?:all|every) reals?(?: numbers?)?$/i.test(phrase)) return "\\mathbb{R}";
  return /^(?:option|choice)\s+\(?([A-Z])\)?$/i.exec(phrase)?.[1] ?? source;
}

/** 1.234,56 and 12.345.678 in the usual spelling; everything else as it is. */
function europeanNumber(source: string): string {
  const match = /^([^\d.,]*)(\d{1,3}(?:\.\d{3})+)(,\d+)?([^\d.,]*)$/.exec(source);
  if (match === null || (match[3] === undefined && match[2].split(".").length < 3)) return source;
  return `${match[1]}${match[2].replaceAll(".", "")}${(match[3] ?? "").replace(",", ".")}${match[4]}`;
}

/**
 * Ways to read commas between digits, preferred first. `1,22` in plain text is a decimal, in LaTeX a list; `1,234` groups
 * thousands; both keep the other reading for comparison.
 */
function commaModes(source: string, normal: string): readonly CommaMode[] {
  if (!/\d,\d/.test(normal)) return ["thousands"];
  // Within brackets commas separate, and the tokeniser knows it.
  const single = /^[^,\d()[\]{}]*\d+,\d+[^,\d()[\]{}]*$/.test(normal);
  const grouped = /^\D*\d{1,3}(?:,\d{3})+(?!\d)/.test(normal) && !/^\D*0,/.test(normal);
  if (!single) return ["thousands", "list"];
  if (grouped) return ["thousands", "list"];
  return source === normal.trim() ? ["decimal", "list"] : ["list", "decimal"];
}

/** Canonical text of what can be read but has no value: the same signs in the same order. */
function asWritten(source: string, normal: string): Reading<ParsedAnswer> {
  const canonical = `written ${normal.replace(/\s+/g, "").replaceAll("{", "(").replaceAll("}", ")")}`;
  return { ok: true, value: { source, readings: [{ kind: "text", canonical }] } };
}

/** Words are compared by their letters and digits alone: `(C)` is C, "Even" is `\text{even}.` */
function asWords(candidate: Candidate): Reading<ParsedAnswer> {
  const source = candidate.text.trim();
  if (source.length > maxAnswerCharacters) return refuse("too-long");
  const canonical = normaliseText(source)
    .replace(/\\[a-zA-Z]+/g, " ")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}+\-=<>^/]+/gu, " ")
    .trim();
  if (canonical === "") return refuse("no-answer");
  return { ok: true, value: { source, readings: [{ kind: "text", canonical }] } };
}
