// Reads final answers and compares them as mathematics. `canonicalAnswer` and `markedAnswer` give the text by which votes
// are counted, `answersEqual` is the lenient comparison against a known answer. All are pure, deterministic and never
// throw; equality is symmetric.
//
// Left out: proving identities (expressions are compared by values at seeded points), systems of equations.
import { refuse } from "../reading.ts";
import type { Reading } from "../types.ts";
import { type Candidate, candidates } from "./extract.ts";
import { asWords, type ParsedAnswer, readCandidate } from "./read-candidate.ts";
import { sameReadings } from "./value.ts";

/** Longest text that is looked at. Reasoning is long, but what is longer than this is a flood. */
const maxCharacters = 200_000;

/**
 * The canonical text of the final answer in `text`: equal answers give equal texts wherever a normal form exists
 * (fractions, decimals, polynomials, equations, intervals, sets, tuples, matrices, quantities, dates, words). It says less
 * than `answersEqual` sees in three ways: names (x = 1 and y = 1) and nouns (3 boys and 3 girls) are not in it, and of
 * irrational numbers it has nine digits.
 * Reasons: `empty`, `no-answer` (also for a reply that is cut off in its last box), `too-long`, `too-deep`, `not-unicode`.
 *
 * @example
 * import { canonicalAnswer } from "self-questioning";
 *
 * console.log(canonicalAnswer("So the answer is \\boxed{\\frac{2}{4}}.")); // { ok: true, value: "1/2" }
 * console.log(canonicalAnswer("")); // { ok: false, reason: "empty" }
 */
export function canonicalAnswer(text: string): Reading<string> {
  const parsed = parseAnswer(text, false);
  return parsed.ok ? { ok: true, value: parsed.value.readings[0].canonical } : parsed;
}

/**
 * As `canonicalAnswer`, for votes on one question whose replies were asked to mark their answer: looks at boxes, lines that
 * begin with "Answer:" or ####, and "the final answer is …" only, the last of them. Units are not in the text, as the question
 * says them and replies leave them away.
 */
export function markedAnswer(text: string): Reading<string> {
  const parsed = parseAnswer(text, true);
  if (!parsed.ok) return parsed;
  const [{ canonical, bare }] = parsed.value.readings;
  return { ok: true, value: bare ?? canonical };
}

/**
 * As `markedAnswer`, and where nothing is marked what is concluded, else the last formula or number: for replies that answer in a
 * form of their own.
 */
export function concludedAnswer(text: string): Reading<string> {
  const parsed = parseAnswer(text, false);
  return parsed.ok ? { ok: true, value: parsed.value.readings[0].bare ?? parsed.value.readings[0].canonical } : parsed;
}

export interface AnswerComparison {
  readonly equal: boolean;
  /** Canonical texts; null where no answer could be read. */
  readonly expectedParsed: string | null;
  readonly givenParsed: string | null;
}

/**
 * Compares the final answers of two texts. What cannot be read is equal to nothing.
 *
 * @example
 * import { answersEqual } from "self-questioning";
 *
 * console.log(answersEqual("1/2", "0.5").equal); // true
 */
export function answersEqual(expected: string, given: string): AnswerComparison {
  const [left, right] = [parseAnswer(expected, false), parseAnswer(given, false)];
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

function parseAnswer(text: string, markedOnly: boolean): Reading<ParsedAnswer> {
  if (text.length > maxCharacters) return refuse("too-long");
  if (!text.isWellFormed() || text.includes("\ufffd")) return refuse("not-unicode");
  if (text.trim() === "") return refuse("empty");
  let firstReason: string | null = null;
  let words: Candidate | null = null;
  for (const candidate of candidates(text, markedOnly)) {
    const read = readCandidate(candidate);
    if (read.ok) return read;
    if (read.reason !== "not-mathematics") firstReason ??= read.reason;
    if (read.reason === "not-mathematics" && candidate.source === "boxed") return asWords(candidate.text);
    if (candidate.source === "sentence" || candidate.source === "whole") words ??= candidate;
  }
  if (firstReason !== null) return refuse(firstReason);
  return words === null ? refuse("no-answer") : asWords(words.text);
}
