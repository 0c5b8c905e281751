// Finds the final answer in a longer text: the last of "final answer is …" and \boxed{…}, else what is marked as the
// answer, else the whole text where it is nothing but mathematics, else the conclusion, else the last formula or number.
// A date or a time of day counts as one number.
// It finds candidates; whether one can be read is for the caller to say. Every scan is linear in the text.

import { unitTextAfter } from "./find-units.ts";
import { lastMoment } from "./moment.ts";

export interface Candidate {
  readonly text: string;
  /** How it was found; `whole` and `number` candidates must be mathematics, the others may be words. */
  readonly source: "marked" | "boxed" | "whole" | "formula" | "number" | "sentence";
}

/** Only the end of a long text is searched: final answers come last. */
const searched = 20_000;

/** Signs and statements that say: this is the answer. */
interface Mark {
  readonly end: number;
  /** Empty where the mark has nothing behind it. */
  readonly found: readonly Candidate[];
  /** The reply ends in the middle of this mark, or the mark is empty: it takes nothing else back. */
  readonly cut: boolean;
}

/**
 * Candidates, best first; none for a blank text. Of several marked answers the last one counts, and where that one is empty
 * or cut off there is no answer: an earlier one was withdrawn. With `markedOnly`, nothing that is not marked is looked at.
 */
export function* candidates(text: string, markedOnly = false): Generator<Candidate> {
  const tail = withoutEmphasis(
    text
      .slice(-searched)
      .replace(/<\|[a-z_]{1,20}\|>\w{0,12}\s*$/g, "")
      .replace(/\s{40,}/g, (gap) => (gap.includes("\n") ? "\n\n" : " ")),
  );
  const boxes = boxedAt(tail);
  const marks = [boxMark(tail, boxes), hashMark(tail), lineMark(tail), finalMark(tail), saidMark(tail, boxes)]
    .filter((mark) => mark !== null)
    .sort((a, b) => b.end - a.end);
  if (marks[0]?.cut) return;
  for (const mark of marks) yield* mark.found;
  if (!markedOnly) yield* unmarked(tail);
}

/** What may be the answer of a text that marks none. Most short ones are nothing but their answer. */
function* unmarked(tail: string): Generator<Candidate> {
  if (tail.length <= 400) yield { text: tail, source: "whole" };
  const marked = lastMatch(
    tail,
    /\b(?:answers?|solutions?|results?)\b(?:\s+(?:to|of|for)\s[^.:\n]{0,60})?\s*(?:\*\*)?\s*(?:is|are|:|=|(?=\\\[|\\\(|\$))[\s:*"']*/gi,
  );
  if (marked !== null && marked.end < tail.trimEnd().length) yield* inSentence(tail.slice(marked.end), "marked");
  // "The point is (3, 4)."
  const said = tail.length <= 400 ? lastMatch(tail, /\b(?:is|are|equals)\s+/gi) : null;
  if (said !== null) yield { text: tail.slice(said.end).replace(/[.\s]+$/, ""), source: "whole" };
  const conclusion = lastMatch(tail, /(?:^|[.!?]\s|\n)\s*(?:therefore|thus|hence|so|consequently)\b,?\s*/gi);
  if (conclusion !== null) yield* inSentence(tail.slice(conclusion.end), "formula");
  yield* inSentence(tail, "formula", false);
}

function boxMark(tail: string, boxes: readonly Box[]): Mark | null {
  const last = boxes.at(-1);
  if (last === undefined) return null;
  const whole = boxes.filter(({ cut }) => !cut);
  if (last.cut) return { end: last.end, cut: true, found: [] };
  return { end: last.end, cut: false, found: [{ text: joined(tail, whole, boxGap), source: "boxed" }] };
}

/** `#### 42`, on a line of its own. Headings of Markdown look the same: only the last line may hold words. */
function hashMark(tail: string): Mark | null {
  let last: { readonly end: number; readonly content: string } | null = null;
  for (const match of tail.matchAll(/^[ \t]*####(?!#)[ \t]*([^\n]{0,400})$/gm)) {
    const end = match.index + match[0].length;
    const content = withoutEmphasis(match[1].trim());
    const isHeading =
      /^\d+[.):]\s*[A-Za-z*]/.test(content) ||
      (/[a-zA-Z]{2}/.test(content) && !/^[-+$\\€£]?\s*[\d.\\({]/.test(content));
    if ((content !== "" && !isHeading) || tail.slice(end).trim() === "") last = { end, content };
  }
  if (last === null) return null;
  const { end, content } = last;
  return { end, cut: content === "", found: content === "" ? [] : statement(content) };
}

/** `**Answer:** B`, from the beginning of a line. */
function lineMark(tail: string): Mark | null {
  const line = lastMatch(
    tail,
    /^[\s>*_#-]{0,20}(?:\\text(?:bf)?\{)?(?:the\s+|my\s+)?(?:final\s+|correct\s+)?answer(?:\s*\([^()\n]{0,30}\))?[*_ ]{0,6}(?:is\s*)?(?::|=|\n(?=\s*\S))[\s:*"'}]{0,20}/gim,
  );
  if (line === null) return null;
  const rest = tail.slice(line.end);
  return { end: line.end, cut: rest.trim() === "", found: rest.trim() === "" ? [] : statement(rest) };
}

/** What stands behind a mark: formulas and numbers, else words. */
const statement = (text: string): readonly Candidate[] => [
  ...inSentence(text, "marked"),
  { text: withoutClosingEmphasis(firstSentence(text)), source: "boxed" },
];

function finalMark(tail: string): Mark | null {
  const final = lastMatch(tail, /final\s+answer\b(?:\s*\([^()]{0,20}\))?[\s:*_"']*(?:is|are|:|=)?[\s:*"']*/gi);
  return final === null ? null : { end: final.end, cut: false, found: inSentence(tail.slice(final.end), "marked") };
}

/** "So the answer is 6" behind a box. A number within a longer sentence is not taken: it may be said about the answer. */
function saidMark(tail: string, boxes: readonly Box[]): Mark | null {
  const from = boxes.at(-1)?.end;
  if (from === undefined) return null;
  const said = lastMatch(tail.slice(from), /\banswers?\s*(?:is|are|:|=)[\s:*"']{0,20}/gi);
  if (said === null) return null;
  const found = inSentence(tail.slice(from + said.end), "marked");
  return { end: from + said.end, cut: false, found: found.filter(({ source }) => source !== "number") };
}

/** A text that is emphasised from end to end in Markdown, as in `**42**`, without its marks. */
const withoutEmphasis = (text: string): string => /^\s*(\*\*|__|\*|_|`)(?=\S)([^*_`]+)\1\s*$/.exec(text)?.[2] ?? text;

/** The mark may have stood within the emphasis: `**Answer: B**`. */
const withoutClosingEmphasis = (text: string): string => text.replace(/(?<![*_])(?:\*\*|__|\*)\s*$/, "");

interface Span {
  readonly start: number;
  readonly end: number;
  readonly inner: string;
}

/** What a stretch of text offers: its formulas (the last group of them), itself, its last number. */
function inSentence(text: string, source: Candidate["source"], oneSentence = true): readonly Candidate[] {
  const found: Candidate[] = [];
  const sentence = oneSentence ? withoutClosingEmphasis(firstSentence(text)) : text;
  const boxes = boxedAt(oneSentence ? text.slice(0, 40 + sentence.length) : sentence);
  if (oneSentence && boxes.length > 0 && boxes.at(-1)?.cut === false)
    found.push({ text: joined(text, boxes, boxGap), source });
  if (oneSentence && sentence.length <= 200)
    found.push({ text: sentence, source: source === "marked" ? "whole" : source });
  const formulas = formulasAt(sentence);
  if (formulas.length > 0) {
    const after = /^\s*(?:%|\\%|percent\b|pct\b)/.exec(sentence.slice(formulas[formulas.length - 1].end));
    const behind = after === null ? unitTextAfter(sentence, formulas[formulas.length - 1].end) : "%";
    found.push({ text: joined(sentence, formulas, formulaGap) + behind, source });
  }
  const number = lastMatch(
    sentence,
    /(?<![\w.,\\^({[+*/!])-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d+)(?:[.,]\d+)?(?:\s*\/\s*\d+(?![\d.]))?(?:\s*(?:\\?%|percent\b|pct\b))?(?![\d)\]}^!])/g,
  );
  const leadingPoint = number === null ? lastMatch(sentence, /(?<![\w.])-?\.\d+/g) : null;
  const last = number ?? leadingPoint;
  const moment = lastMoment(sentence);
  if (moment !== null && moment.end >= (last?.end ?? 0))
    found.push({ text: sentence.slice(moment.start, moment.end), source });
  if (last !== null) found.push({ text: quantityAt(sentence, last), source: "number" });
  if (source === "marked" && sentence.length <= 200) found.push({ text: sentence, source: "sentence" });
  return found;
}

/** A number with the sign of currency before it and the scale and unit behind it. */
function quantityAt(sentence: string, { start, end }: { readonly start: number; readonly end: number }): string {
  const before = /(?:\\\$|[€£¥₹]|\$)\s?$/.exec(sentence.slice(Math.max(0, start - 4), start))?.[0] ?? "";
  const lone = before.trim() !== "$" || sentence.split("$").length % 2 === 0;
  const scale =
    /^\s*(?:hundred|thousand|million|billion|trillion|dozen)\b/i.exec(sentence.slice(end, end + 20))?.[0] ?? "";
  const behind = end + scale.length;
  return (lone ? before : "") + sentence.slice(start, behind) + unitTextAfter(sentence, behind);
}

/** Up to a full stop, a blank line or "I hope", but not inside a formula. */
function firstSentence(text: string): string {
  const limited = text.slice(0, 600);
  let dollars = 0;
  let open = 0;
  for (let i = 0; i < limited.length; i++) {
    const character = limited[i];
    if (character === "\\") {
      if (limited[i + 1] === "[" || limited[i + 1] === "(") open++;
      if (limited[i + 1] === "]" || limited[i + 1] === ")") open--;
      i++;
    } else if (character === "$") dollars++;
    else if (dollars % 2 === 0 && open <= 0 && i > 0) {
      if (character === "." && /^(?:\s|$|\\")/.test(limited.slice(i + 1, i + 3))) return limited.slice(0, i);
      if (character === "\n" && /^\n\s*\S/.test(limited.slice(i, i + 4)) && limited.slice(0, i).trim() !== "") {
        return limited.slice(0, i);
      }
      if (character === "I" && limited.startsWith("I hope", i)) return limited.slice(0, i);
    }
  }
  return limited;
}

interface Box extends Span {
  /** Not closed, or closed around nothing. */
  readonly cut: boolean;
}

/** Spans of \boxed{…} and \fbox{…}, also without braces; one that is not closed runs to the end of its line. */
function boxedAt(text: string): readonly Box[] {
  const spans: Box[] = [];
  for (const match of text.matchAll(/\\(?:boxed|fbox)(?![a-zA-Z])\s*(\{?)/g)) {
    const from = match.index + match[0].length;
    if (spans.length > 0 && match.index < spans[spans.length - 1].end) continue;
    const end = match[1] === "" ? endOfToken(text, from) : endOfBraces(text, from);
    const line = text.indexOf("\n", from);
    const at = end ?? (line < 0 ? text.length : line);
    const inner = text.slice(from, end === null || match[1] === "" ? at : at - 1);
    const cut =
      end === null ||
      inner.replace(/\\(?:text|mathrm|mbox|boxed|quad|[ld]dots|dots|_|[,;:! ])|[\s{}$?._…~]/g, "") === "";
    spans.push({ start: match.index, end: at, inner: inner + behindBox(text, at, inner), cut });
  }
  const unfinished = /(?<!\\)\\(?:b|bo|box|boxe|f|fb|fbo)?$/.exec(text.trimEnd());
  if (unfinished !== null && (spans.length > 0 || /box/.test(unfinished[0])))
    spans.push({ start: unfinished.index, end: text.length, inner: "", cut: true });
  return spans;
}

/** Behind the brace that closes what opened before `from`; null where none does. */
function endOfBraces(text: string, from: number): number | null {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "{") depth++;
    else if (text[at] === "}") depth--;
    if (depth === 0) return at + 1;
  }
  return null;
}

/** Behind a number, command or character; null at the end of the text. */
function endOfToken(text: string, from: number): number | null {
  const token = /-?\d(?:[\d.,]*\d)?|\\[a-zA-Z]+|[^\s$]/y;
  token.lastIndex = from;
  return token.exec(text) === null ? null : token.lastIndex;
}

/** A percent sign or a unit behind a box belongs to the number in it. */
function behindBox(text: string, at: number, inner: string): string {
  if (/^\s*\$?\s*(?:\\?%|percent\b|pct\b)/.test(text.slice(at, at + 16))) return /%|percent/.test(inner) ? "" : "%";
  return /[\d})]\s*$/.test(inner) ? unitTextAfter(text, at) : "";
}

/** Spans of $…$, $$…$$, \(…\), \[…\] and environments outside them. */
function formulasAt(text: string): readonly Span[] {
  const spans: Span[] = [];
  const unclosed = new Set<string>();
  const opening = /\$\$?|\\\[|\\\(|\\begin\{([a-z]+\*?)\}/g;
  for (let match = opening.exec(text); match !== null; match = opening.exec(text)) {
    if (text[match.index - 1] === "\\") continue;
    const environment = match[1] !== undefined;
    const close =
      match[0] === "\\[" ? "\\]" : match[0] === "\\(" ? "\\)" : environment ? `\\end{${match[1]}}` : match[0];
    const from = match.index + match[0].length;
    // What did not close once will not close later: without this, a flood of openings costs the square of its length.
    const at = unclosed.has(close) ? -1 : text.indexOf(close, from);
    if (at < 0) {
      unclosed.add(close);
      continue;
    }
    const end = at + close.length;
    const inner = environment ? text.slice(match.index, end) : text.slice(from, at);
    if (inner.trim() !== "") spans.push({ start: match.index, end, inner });
    opening.lastIndex = end;
  }
  return spans;
}

/** Boxes belong together unless a sentence, a step or a change of mind lies between them. */
const boxGap = (gap: string): boolean =>
  gap.length <= 30 &&
  !/[.!?]\s|\n\s*\n|[=→⇒]|\\(?:approx|ne|le|ge|to|implies|Rightarrow|rightarrow)/.test(gap) &&
  !/\b(?:then|no|not|wait|actually|but|instead|so|thus|hence|therefore|gives?|becomes?|is|rather|oops|sorry|now|next|finally|which|means|yields|simplif\w+|correct\w*)\b/i.test(
    gap,
  );
const formulaGap = (gap: string): boolean =>
  /^[\s.]*(?:,|;)?\s*(?:and|or)?\s*(?:,|;)?\s*$/i.test(gap) && !gap.includes(".");

/** The last span, with those before it that belong to the same answer. */
function joined(text: string, spans: readonly Span[], belongs: (gap: string) => boolean): string {
  let first = spans.length - 1;
  while (first > 0 && belongs(text.slice(spans[first - 1].end, spans[first].start))) first--;
  return spans
    .slice(first)
    .map((span) => span.inner)
    .join(" , ");
}

function lastMatch(text: string, pattern: RegExp): { readonly start: number; readonly end: number } | null {
  let last: { readonly start: number; readonly end: number } | null = null;
  for (const match of text.matchAll(pattern)) last = { start: match.index, end: match.index + match[0].length };
  return last;
}
