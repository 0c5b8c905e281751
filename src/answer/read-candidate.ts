// Reads one piece of text as an answer: as mathematics in each of its spellings, as a date or a time, as an option of a
// multiple choice, as a phrase that stands for mathematics, or as words.
import { refuse } from "../reading.ts";
import type { Reading } from "../types.ts";
import type { Candidate } from "./extract.ts";
import { canonicalMoment, hourOnly, isBareClock, type Moment, readMoment } from "./moment.ts";
import { normaliseText, type UnitMode } from "./normalise.ts";
import { parse } from "./parse.ts";
import { readingsOf } from "./readings.ts";
import { type CommaMode, functionNames, tokenise } from "./syntax.ts";
import { hasWord } from "./tree.ts";
import type { Readings, Value } from "./value.ts";

/** Longest text that may be one of the phrases in `inSymbols`. */
const maxPhraseCharacters = 60;
/** Longest piece that is parsed as one answer. */
const maxAnswerCharacters = 4_000;
/** Longest text, not marked as an answer, that may be an option with what it says. */
const maxOptionCharacters = 200;

export interface ParsedAnswer {
  /** The extracted text, for answers that are the same letter by letter. */
  readonly source: string;
  /** What it can mean, the preferred reading first; never empty. */
  readonly readings: Readings;
}

/** Reasons: `not-mathematics`, `too-long`, `too-deep`. */
export function readCandidate(candidate: Candidate): Reading<ParsedAnswer> {
  const source = inSymbols(candidate.text.trim());
  if (source === "") return refuse("not-mathematics");
  if (source.length > maxAnswerCharacters) return refuse("too-long");
  return readOption(source, candidate) ?? readLabelled(source) ?? readMomentIn(source) ?? readMathematics(source);
}

function readMathematics(source: string): Reading<ParsedAnswer> {
  const text = europeanNumber(source);
  const plain = normaliseText(text, "none");
  const readings: Value[] = [];
  let reason = "not-mathematics";
  for (const normal of spellings(text, plain)) {
    for (const commas of commaModes(source, plain)) {
      const tokens = tokenise(normal, commas);
      const tree = "reason" in tokens ? tokens : parse(tokens.tokens);
      if ("reason" in tree) {
        if (tree.reason !== "empty") reason = tree.reason;
        continue;
      }
      readings.push(...(readingsOf(tree.node) ?? []));
      // Mathematics without a value, such as 9^9^9^9, is equal to what is written the same way.
      if (readings.length === 0 && !hasWord(tree.node)) return asWritten(source, plain);
    }
  }
  return readings.length > 0 ? { ok: true, value: { source, readings } } : refuse(reason);
}

/** The normalised text, and as a second spelling the one in which `5 m` is five metres. */
function spellings(text: string, plain: string): readonly string[] {
  if (!/[a-zA-ZµμΩ€£¥₹¢$°]/.test(text)) return [plain];
  const modes: readonly UnitMode[] = ["certain", "letters"];
  return [...new Set(modes.map((units) => normaliseText(text, units)))];
}

/** Phrases that stand for mathematics: "no solution" is the empty set, "option C" is C. */
function inSymbols(source: string): string {
  if (source.length > maxPhraseCharacters) return source;
  const phrase = source.replace(/\\(?:text|mbox|textbf|mathrm)\s*|[${}.*]/g, "").trim();
  if (/^(?:there (?:is|are) )?no (?:real |such )?(?:solutions?|roots?)$|^(?:the )?empty set$/i.test(phrase))
    return "\\emptyset";
  if (/^(?:all|every) reals?(?: numbers?)?$/i.test(phrase)) return "\\mathbb{R}";
  return /^(?:(?:option|choice)\s+\(?([A-Z])\)?|[([]?([A-J])[)\]:])$/i.exec(phrase)?.slice(1).find(Boolean) ?? source;
}

const withoutWrappers = (text: string): string =>
  text
    .replace(/\\(?:text|mbox|textbf|textit|textrm|mathrm|mathbf|bf|rm)\s*\{([^{}]*)\}/g, "$1")
    .replace(/\*\*|\\[,;:! ]|\\q?quad(?![a-zA-Z])|~/g, " ")
    .replace(/^[\s$]+|[\s$]+$/g, "");

/** `E`, `E: what it says`, `(E) what it says`, `E. what it says`: the letter decides, and what it says may stand for it. */
function readOption(source: string, candidate: Candidate): Reading<ParsedAnswer> | null {
  if (candidate.source === "number" || candidate.source === "formula") return null;
  if (candidate.source === "whole" && (source.length > maxOptionCharacters || source.includes("\n"))) return null;
  const bare = /^[A-J]$/.test(source) ? readMathematics(source) : null;
  if (bare?.ok) return { ok: true, value: { source, readings: asOption(bare.value.readings) } };
  const found =
    /^(?:(?:option|choice|answer)\s+)?[([]?([A-J])(?:[)\]]\s*[:.]?\s+|[:.]\s+)(?![-+*/=^,&|<>∪∩:]|\\(?:cup|cap|times|cdot|to|in|leq?|geq?)(?![a-zA-Z]))(\S[\s\S]*)$/i.exec(
      withoutWrappers(source),
    );
  if (found === null || found[1] !== found[1].toUpperCase()) return null;
  const letter = readMathematics(found[1]);
  if (!letter.ok) return null;
  const content = readCandidate({ text: found[2], source: "number" });
  const said = content.ok ? content : asWords(found[2]);
  const readings = asOption(letter.value.readings);
  return { ok: true, value: { source, readings: [...readings, ...(said.ok ? said.value.readings : [])] } };
}

const asOption = (readings: Readings): Readings => readings.map((value) => ({ ...value, option: true }));

/** Words before a number that only announce it. */
const announcing = new Set(
  "answer answers result results solution total sum about approximately roughly exactly only nearly almost around over under is are equals the there get gets have has value number final just maybe perhaps infinity minus plus negative positive sqrt sin cos tan cot sec csc log exp ln max min and not".split(
    " ",
  ),
);

/** `Day 3`, `Room 12`: the word is the name of the number. */
function readLabelled(source: string): Reading<ParsedAnswer> | null {
  const found = /^([A-Za-z]{3,20})\s+(?:#|no\.\s*)?(-?\d+(?:\.\d+)?)$/.exec(withoutWrappers(source));
  const name = found?.[1].toLowerCase();
  if (found === null || name === undefined || announcing.has(name) || readMoment(source) !== null) return null;
  const number = readMathematics(found[2]);
  if (!number.ok) return null;
  return { ok: true, value: { source, readings: number.value.readings.map((value) => ({ ...value, name })) } };
}

/** Dates and times; `9:30` is a ratio too, and `10 a.m.` may be meant by 10. */
function readMomentIn(source: string): Reading<ParsedAnswer> | null {
  const moment = readMoment(source);
  if (moment === null) return null;
  const also = readAlso(source, moment);
  const value: Value = { kind: "moment", moment, canonical: canonicalMoment(moment) };
  return { ok: true, value: { source, readings: [value, ...(also?.ok ? also.value.readings : [])] } };
}

function readAlso(source: string, moment: Moment): Reading<ParsedAnswer> | null {
  const hour = hourOnly(moment);
  if (hour !== null) return readMathematics(`${hour}`);
  return isBareClock(moment) ? readMathematics(source) : null;
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

/**
 * Words are compared by their letters and digits alone: `(C)` is C, "Even" is `\text{even}.` A function without anything that it is of is
 * its name.
 */
export function asWords(text: string): Reading<ParsedAnswer> {
  const source = text.trim();
  if (source.length > maxAnswerCharacters) return refuse("too-long");
  const canonical = normaliseText(source, "none")
    .replace(/\\([a-zA-Z]+)/g, (_, name: string) => (functionNames.has(name) ? name : " "))
    .toLowerCase()
    .replace(/[^\p{L}\p{N}+\-=<>^/]+/gu, " ")
    .trim();
  if (canonical === "") return refuse("no-answer");
  return { ok: true, value: { source, readings: [{ kind: "text", canonical }] } };
}
