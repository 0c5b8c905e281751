// Finds the final answer in a longer text: the last of "final answer is …" and \boxed{…}, else what is marked as the
// answer, else the whole text where it is nothing but mathematics, else the conclusion, else the last formula or number.
// It finds candidates; whether one can be read is for the caller to say. Every scan is linear in the text.

export interface Candidate {
  readonly text: string;
  /** How it was found; `whole` and `number` candidates must be mathematics, the others may be words. */
  readonly source: "marked" | "boxed" | "whole" | "formula" | "number" | "sentence";
}

/** Only the end of a long text is searched: final answers come last. */
const searched = 20_000;

/** Candidates, best first. Empty for a blank text. */
export function candidates(text: string): readonly Candidate[] {
  const tail = withoutEmphasis(text.slice(-searched).replace(/<\|[a-z_]{1,20}\|>\w{0,12}\s*$/g, ""));
  const found: Candidate[] = [];
  const boxes = boxedAt(tail);
  const final = lastMatch(tail, /final\s+answer\b(?:\s*\([^()]{0,20}\))?[\s:*_"']*(?:is|are|:|=)?[\s:*"']*/gi);
  const boxEnd = boxes.at(-1)?.end ?? -1;
  if (final !== null && final.end >= boxEnd) found.push(...inSentence(tail.slice(final.end), "marked"));
  if (boxes.length > 0) found.push({ text: joined(tail, boxes, boxGap), source: "boxed" });
  if (tail.length <= 400) found.push({ text: tail, source: "whole" });
  const marked = lastMatch(
    tail,
    /\b(?:answers?|solutions?|results?)\b(?:\s+(?:to|of|for)\s[^.:\n]{0,60})?\s*(?:\*\*)?\s*(?:is|are|:|=|(?=\\\[|\\\(|\$))[\s:*"']*/gi,
  );
  if (marked !== null && marked.end < tail.trimEnd().length)
    found.push(...inSentence(tail.slice(marked.end), "marked"));
  // "The point is (3, 4)."
  const said = tail.length <= 400 ? lastMatch(tail, /\b(?:is|are|equals)\s+/gi) : null;
  if (said !== null) found.push({ text: tail.slice(said.end).replace(/[.\s]+$/, ""), source: "whole" });
  const conclusion = lastMatch(tail, /(?:^|[.!?]\s|\n)\s*(?:therefore|thus|hence|so|consequently)\b,?\s*/gi);
  if (conclusion !== null) found.push(...inSentence(tail.slice(conclusion.end), "formula"));
  found.push(...inSentence(tail, "formula", false));
  return found;
}

/** A text that is emphasised from end to end in Markdown, as in `**42**`, without its marks. */
const withoutEmphasis = (text: string): string => /^\s*(\*\*|__|\*|_|`)(?=\S)([^*_`]+)\1\s*$/.exec(text)?.[2] ?? text;

interface Span {
  readonly start: number;
  readonly end: number;
  readonly inner: string;
}

/** What a stretch of text offers: its formulas (the last group of them), itself, its last number. */
function inSentence(text: string, source: Candidate["source"], oneSentence = true): readonly Candidate[] {
  const found: Candidate[] = [];
  const sentence = oneSentence ? firstSentence(text) : text;
  const boxes = boxedAt(oneSentence ? text.slice(0, 40 + sentence.length) : sentence);
  if (oneSentence && boxes.length > 0) found.push({ text: joined(text, boxes, boxGap), source });
  if (oneSentence && sentence.length <= 200)
    found.push({ text: sentence, source: source === "marked" ? "whole" : source });
  const formulas = formulasAt(sentence);
  if (formulas.length > 0) {
    const after = /^\s*(?:%|\\%|percent\b|pct\b)/.exec(sentence.slice(formulas[formulas.length - 1].end));
    found.push({ text: joined(sentence, formulas, formulaGap) + (after === null ? "" : "%"), source });
  }
  const number = lastMatch(
    sentence,
    /(?<![\w.,\\^({[+*/!])-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d+)(?:[.,]\d+)?(?:\s*\/\s*\d+(?![\d.]))?(?:\s*(?:\\?%|percent\b|pct\b))?(?![\d)\]}^!])/g,
  );
  const leadingPoint = number === null ? lastMatch(sentence, /(?<![\w.])-?\.\d+/g) : null;
  const last = number ?? leadingPoint;
  if (last !== null) found.push({ text: sentence.slice(last.start, last.end), source: "number" });
  if (source === "marked" && sentence.length <= 200) found.push({ text: sentence, source: "sentence" });
  return found;
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

/** Spans of \boxed{…} and \fbox{…}; an unclosed box runs to the end of its line. */
function boxedAt(text: string): readonly Span[] {
  const spans: Span[] = [];
  for (const match of text.matchAll(/\\(?:boxed|fbox)\s*\{/g)) {
    const from = match.index + match[0].length;
    if (spans.length > 0 && match.index < spans[spans.length - 1].end) continue;
    let depth = 1;
    let at = from;
    for (; at < text.length && depth > 0; at++) {
      if (text[at] === "\\") at++;
      else if (text[at] === "{") depth++;
      else if (text[at] === "}") depth--;
    }
    if (depth > 0) {
      const line = text.indexOf("\n", from);
      at = line < 0 ? text.length : line;
    }
    let inner = text.slice(from, depth > 0 ? at : at - 1);
    // A percent sign belongs to the number even outside the box.
    const percent = /^\s*\$?\s*(?:\\?%|percent\b|pct\b)/.exec(text.slice(at, at + 16));
    if (percent !== null && !/%|percent/.test(inner)) inner += "%";
    spans.push({ start: match.index, end: at, inner });
  }
  return spans;
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

const boxGap = (gap: string): boolean => gap.length <= 30 && !/[.!?]\s|\n\s*\n|=|\\(?:approx|ne|le|ge)/.test(gap);
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
