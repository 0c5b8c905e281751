// Finds units in the text of an answer and marks them, before anything else could take their letters for unknowns:
// `20\text{ cm}^2`, `5 m/s`, `60 miles per hour`, `$5`, `3 square feet`, `20^\circ\text{C}`. Scans are linear in the text.
import { unitNamed, unitOf } from "./units.ts";

/** A marked unit stands between these, two characters for private use. */
export const unitMarks = { open: "\ue000", close: "\ue001" } as const;

const markedUnit = (text: string): string => ` ${unitMarks.open}${text}${unitMarks.close} `;

/** Removes what only this file may write. */
export const withoutMarks = (text: string): string => text.replace(/[\ue000\ue001]/g, "");

const wrapper = /\\(?:text|mbox|textrm|textnormal|textbf|textit|mathrm|mathbf|mathsf|rm|operatorname)\s*\{/y;
/** The dollars of LaTeX may stand between a number and its unit. */
const gap = /(?:\s|~|\$|\\[,;:! ])*/y;
const word = /[a-zA-ZµμΩ]+|[€£¥₹¢]|\\\$/y;
const circle = /\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))/y;
const power = /\^\s*(?:\{\s*(-?\d)\s*\}|(-?\d))/y;
const separator = /\/|\*|\\cdot(?![a-zA-Z])/y;

/** Longest stretch of text that may be one unit. */
const maxUnitCharacters = 160;

/** Names that are functions or plain words as well: units only where nothing follows that they could belong to. */
const ambiguous = new Set(["in", "min", "sec", "day", "bit", "cup", "second"]);
/** Single letters that may be units outside of \text{…}, if the caller says so. */
const letters = new Set([..."msghLJNWVK"]);

interface Found {
  /** The unit's text for `unitOf`. */
  readonly text: string;
  readonly end: number;
  /** False for letters that may as well be unknowns, as in `5 m`. */
  readonly certain: boolean;
  /** Wrappers that are still open at `end`. */
  readonly open: number;
}

/** One place in the text, with the wrappers around it. */
interface Scan {
  readonly text: string;
  readonly limit: number;
  at: number;
  open: number;
}

function match(scan: Scan, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = scan.at;
  const found = scan.at <= scan.limit ? pattern.exec(scan.text) : null;
  if (found !== null) scan.at += found[0].length;
  return found;
}

/** Steps over spaces and into or out of wrappers. */
function skip(scan: Scan): void {
  for (;;) {
    match(scan, gap);
    if (match(scan, wrapper) !== null) scan.open++;
    else if (scan.open > 0 && scan.text[scan.at] === "}") {
      scan.at++;
      scan.open--;
    } else return;
  }
}

/** The unit that begins at `start`, after spaces; null where there is none. */
function unitAt(text: string, start: number): Found | null {
  const scan: Scan = { text, limit: Math.min(text.length, start + maxUnitCharacters), at: start, open: 0 };
  const parts: string[] = [];
  let found: Found | null = null;
  let sign = 1;
  let certain = true;
  for (;;) {
    const before = scan.at;
    skip(scan);
    const part = readPart(scan, parts.length === 0, scan.at > before);
    if (part === null) return found;
    certain &&= part.certain || parts.length > 0;
    // "5 m/s" with its space is no product of unknowns.
    if (parts.length === 1 && sign === -1 && text[start] === " ") certain = true;
    parts.push(part.power * sign === 1 ? part.name : `${part.name}^${part.power * sign}`);
    const end = closeWrappers(scan);
    if (!/[a-zA-Z(_]/.test(text[end.at] ?? "") || part.certain)
      found = { text: parts.join("*"), end: end.at, certain, open: end.open };
    const next = nextSign(scan);
    if (next === null) return found;
    sign = next;
  }
}

/** Where wrappers close right behind a unit, the unit takes their braces with it. */
function closeWrappers(scan: Scan): { readonly at: number; readonly open: number } {
  let { at, open } = scan;
  while (open > 0 && /^\s*\}/.test(scan.text.slice(at, at + 4))) {
    at = scan.text.indexOf("}", at) + 1;
    open--;
  }
  return { at, open };
}

interface Part {
  readonly name: string;
  readonly power: number;
  readonly certain: boolean;
}

function readPart(scan: Scan, first: boolean, gapBefore: boolean): Part | null {
  if (match(scan, circle) !== null) return temperature(scan);
  let read = match(scan, word)?.[0].replace("\\$", "$");
  if (read === undefined) return null;
  let prefix = 1;
  if (/^(?:square|sq|cubic|cu)$/i.test(read)) {
    prefix = /^s/i.test(read) ? 2 : 3;
    if (scan.text[scan.at] === ".") scan.at++;
    match(scan, gap);
    read = match(scan, word)?.[0] ?? "";
  }
  if (/^deg(?:ree)?s?$/i.test(read)) {
    const place = scan.at;
    match(scan, gap);
    const scale = match(scan, word)?.[0].toLowerCase() ?? "";
    if (/^(?:c|celsius|centigrade)$/.test(scale)) return { name: "°C", power: 1, certain: true };
    if (/^(?:f|fahrenheit)$/.test(scale)) return { name: "°F", power: 1, certain: true };
    scan.at = place;
  }
  const name = unitNamed(read);
  if (name === null) return null;
  const inText = scan.open > 0;
  if (read.length === 1 && /[a-zA-Z]/.test(read) && !inText && first && !letters.has(read)) return null;
  if (ambiguous.has(read) && prefix === 1 && !isAlone(scan)) return null;
  if (!inText && first && !gapBefore && /^(?:ms|pt|ha|mA|mV|cal|day|rad|cup|gal|bit|mol|mi)$/.test(read)) return null;
  return { name, power: prefix * readPower(scan), certain: inText || read.length > 1 || !/[a-zA-Z]/.test(read) };
}

/** What follows a word that may be no unit: nothing that it could belong to. */
const isAlone = (scan: Scan): boolean =>
  /^(?:[\s~}]|\\[,;:! ])*(?:$|[.,;:)\]^/$]|\\\)|\\\]|and\b|or\b|per\b|squared\b|cubed\b|\d)/.test(
    scan.text.slice(scan.at, scan.at + 40),
  );

function temperature(scan: Scan): Part | null {
  const place = scan.at;
  skip(scan);
  const scale = match(scan, word)?.[0];
  if (scale === "C" || scale === "F") return { name: `°${scale}`, power: 1, certain: true };
  scan.at = place;
  return null;
}

function readPower(scan: Scan): number {
  const place = [scan.at, scan.open] as const;
  skip(scan);
  const raised = match(scan, power);
  if (raised !== null) return Number(raised[1] ?? raised[2]);
  const said = match(scan, /(?:squared|cubed)(?![a-zA-Z])/iy)?.[0].toLowerCase();
  if (said !== undefined) return said === "squared" ? 2 : 3;
  [scan.at, scan.open] = place;
  return 1;
}

/** 1 where another factor follows, -1 where a divisor does, null where the unit ends. */
function nextSign(scan: Scan): 1 | -1 | null {
  const before = scan.at;
  skip(scan);
  const mark = match(scan, separator)?.[0];
  if (mark !== undefined) return mark === "/" ? -1 : 1;
  if (match(scan, /per(?![a-zA-Z])/iy) !== null) return -1;
  return scan.at > before ? 1 : null;
}

const amount = String.raw`-?\s*(?:\d(?:(?:[\d.,]|\{,\}|,?\\!|\\,)*\d)?|\.\d+)`;
const scales = "(?:hundred|thousand|million|billion|trillion)";
const escapedCurrency = new RegExp(
  String.raw`(?:US\s?)?(\\\$|[€£¥₹]|\b(?:USD|EUR|GBP|JPY|INR)(?=\s*\d))\s*(${amount}(?:\s*${scales}\b)?)`,
  "g",
);
const bareDollar = new RegExp(String.raw`(?<!\\)\$\s?(${amount}(?:\s*${scales}\b)?)`);

/** `\$5` and `€5` as `5 dollars` and `5 euros`; a lone `$` is no formula's end. */
export function markCurrencies(text: string): string {
  const escaped = text.replace(escapedCurrency, (_, sign: string, number: string) => {
    const name = unitNamed(sign.replace("\\$", "$"));
    return name === null ? number : `${number}${markedUnit(name)}`;
  });
  const dollars = (escaped.match(/(?<!\\)\$/g) ?? []).length;
  return dollars % 2 === 0
    ? escaped
    : escaped.replace(bareDollar, (_, number: string) => `${number}${markedUnit("dollar")}`);
}

/** What a unit may follow: a number, a bracket, π, an unknown, a scale. */
const carrier = new RegExp(
  String.raw`[\d)}\]${unitMarks.close}](?=[^\d])|\\[a-zA-Z]+(?![a-zA-Z])|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])|\b${scales}\b`,
  "g",
);

/** `\frac{\text{m}}{\text{s}^2}` as a quotient in a line. */
const unitFraction = (() => {
  const part = String.raw`(\\(?:text|mathrm|mbox|rm)\s*\{[^{}]{1,30}\}(?:\^(?:\d|\{-?\d\}))?)`;
  return new RegExp(String.raw`\\[dt]?frac\s*\{\s*${part}\s*\}\s*\{\s*${part}\s*\}`, "g");
})();

/** `/hour` behind a currency that is marked already. */
function divisorAfter(text: string, from: number): Found | null {
  const slash = /\s*(?:\/|per(?![a-zA-Z]))/y;
  slash.lastIndex = from;
  const unit = slash.test(text) ? unitAt(text, slash.lastIndex) : null;
  return unit === null || !/^[^*^]+$/.test(unit.text) ? null : { ...unit, text: `${unit.text}^-1` };
}

/** Marks the units in a text. `letters` also takes `5 m` for metres. */
export function markUnits(original: string, withLetters: boolean): string {
  const text = original.replace(unitFraction, "$1/$2");
  let result = "";
  let done = 0;
  carrier.lastIndex = 0;
  for (let found = carrier.exec(text); found !== null; found = carrier.exec(text)) {
    const from = found.index + found[0].length;
    if (from < done || /^\\(?:text|mbox|math|rm|operatorname|left|frac|dfrac|sqrt)/.test(found[0])) continue;
    if (found[0] === unitMarks.close) {
      const divisor = divisorAfter(text, from);
      if (divisor === null) continue;
      result += `${text.slice(done, found.index)}*${divisor.text}${unitMarks.close} ${"\\text{".repeat(divisor.open)}`;
      done = divisor.end;
      carrier.lastIndex = done;
      continue;
    }
    const afterLetter = /[a-zA-Z]$/.test(found[0]);
    const follows = text[from] ?? "";
    if (afterLetter && !/[\s\\~]/.test(follows)) continue;
    const unit = unitAt(text, from);
    if (unit === null || unitOf(unit.text) === null) continue;
    if (!unit.certain && (afterLetter || !withLetters || !/^\s/.test(follows))) continue;
    result += text.slice(done, from) + markedUnit(unit.text) + "\\text{".repeat(unit.open);
    done = unit.end;
    carrier.lastIndex = Math.max(done - 1, from);
  }
  return result + text.slice(done);
}

/** The unit that follows a number or box which ends at `end`, as text; empty where there is none. */
export function unitTextAfter(text: string, end: number): string {
  const from = text[end] === "$" ? end + 1 : end;
  const unit = unitAt(text, from);
  return unit === null || !unit.certain || unit.open > 0 ? "" : text.slice(from, unit.end);
}
