// Dates and times of day: `10:30 p.m.`, `June 1, 2024`, `Monday at noon`, `2024-06-01`. What stands beside a number tells
// these apart, so they are read as a whole and compared part by part (docs/decisions/0021).
//
// Left out: time zones, durations, eras, and whether a date exists.

export interface Moment {
  readonly year?: number;
  readonly month?: number;
  readonly day?: number;
  readonly weekday?: number;
  readonly hour?: number;
  readonly minute?: number;
  readonly second?: number;
  /** Where it is said; without it the hour is as written. */
  readonly half?: "am" | "pm";
}

const monthNames = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const weekdayNames = "mon tue wed thu fri sat sun".split(" ");

const month = String.raw`(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?`;
const weekday = String.raw`(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)\b\.?`;
const half = String.raw`(?:[ap]\.?\s?m\b\.?|in the (?:morning|afternoon|evening)|at night)`;
const clock = String.raw`\d{1,2}\s?:\s?\d{2}(?:\s?:\s?\d{2})?(?![\d:])`;
const ordinal = String.raw`\d{1,2}(?:st|nd|rd|th)?\b`;

/** One piece of a moment; the names of groups say what it is. */
const piece = new RegExp(
  [
    String.raw`(?<iso>\b\d{4}-\d{2}-\d{2}\b)`,
    String.raw`(?<numeric>\b\d{1,2}\/\d{1,2}\/\d{4}\b)`,
    String.raw`(?<time>(?<!\d)${clock}(?:\s*${half})?|(?<![\d.:])\d{1,2}\s*(?:${half}|o'?\s?clock\b(?:\s*${half})?))`,
    String.raw`(?<named>\b(?:12\s+)?(?:noon|midnight)\b)`,
    String.raw`(?<weekday>\b${weekday})`,
    String.raw`(?<monthDay>\b${month}\s+(?:the\s+)?${ordinal}(?!\s?:)(?:,?\s+\d{4}\b)?)`,
    String.raw`(?<dayMonth>\b${ordinal}\s+(?:of\s+)?${month}(?:,?\s+\d{4}\b)?)`,
    String.raw`(?<monthYear>\b${month}(?:,?\s+(?:of\s+)?\d{4}\b)?)`,
    String.raw`(?<nth>\b(?:the\s+)?\d{1,2}(?:st|nd|rd|th)\b)`,
  ].join("|"),
  "gi",
);

const filler = /^(?:[\s,;()]|\b(?:at|on|the|of)\b)*$/i;
const maxCharacters = 120;

/** A whole text that is a moment; null for anything else. */
export function readMoment(text: string): Moment | null {
  if (text.length > maxCharacters || !/[a-z:]|\d[-/]\d/i.test(text)) return null;
  const plain = text
    .replace(/\\(?:text|mbox|textbf|textrm|mathrm|rm)\s*\{|[{}$*]|\\[,;:! ]|~/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  let moment: Moment = {};
  let done = 0;
  for (const match of plain.matchAll(piece)) {
    if (!filler.test(plain.slice(done, match.index))) return null;
    done = match.index + match[0].length;
    const part = readPiece(match);
    if (part === null || Object.keys(part).some((key) => key in moment)) return null;
    moment = { ...moment, ...part };
  }
  // The 13th alone is a number.
  const says = Object.keys(moment).some((key) => key !== "day");
  return says && /^[\s.,;)]*$/.test(plain.slice(done)) ? moment : null;
}

function readPiece(match: RegExpExecArray): Moment | null {
  const groups = match.groups ?? {};
  const text = match[0].toLowerCase();
  const numbers = (text.match(/\d+/g) ?? []).map(Number);
  if (groups["iso"] !== undefined) return dated(numbers[0], numbers[1], numbers[2]);
  if (groups["numeric"] !== undefined) {
    // American order, unless only the other one is a date.
    const [first, second, year] = numbers;
    return first <= 12 ? dated(year, first, second) : dated(year, second, first);
  }
  if (groups["time"] !== undefined) return timed(numbers, text);
  if (groups["named"] !== undefined) return text.endsWith("noon") ? { hour: 12, half: "pm" } : { hour: 12, half: "am" };
  if (groups["nth"] !== undefined) return numbers[0] >= 1 && numbers[0] <= 31 ? { day: numbers[0] } : null;
  if (groups["weekday"] !== undefined) return { weekday: weekdayNames.indexOf(text.slice(0, 3)) };
  const name = monthNames.find((each) => new RegExp(`(?:^|[^a-z])${each}`).test(text)) ?? "";
  const of = monthNames.indexOf(name) + 1;
  const year = numbers.find((number) => number > 31);
  const day = numbers[0] !== undefined && numbers[0] <= 31 ? numbers[0] : undefined;
  return dated(year, of, day);
}

function dated(year: number | undefined, month: number, day: number | undefined): Moment | null {
  if (month < 1 || month > 12 || (day !== undefined && (day < 1 || day > 31))) return null;
  return { month, ...(day === undefined ? {} : { day }), ...(year === undefined ? {} : { year }) };
}

function timed([hour, minute = 0, second = 0]: readonly number[], text: string): Moment | null {
  if (hour > 24 || minute > 59 || second > 59) return null;
  const said = /a\.?\s?m\b|morning/.test(text) ? "am" : /p\.?\s?m\b|afternoon|evening|night/.test(text) ? "pm" : null;
  return { hour, minute, second, ...(said === null ? {} : { half: said }) };
}

/** True where the text says no more than hours and minutes, as a ratio does too. */
export const isBareClock = (moment: Moment): boolean =>
  moment.hour !== undefined && moment.half === undefined && moment.month === undefined && moment.weekday === undefined;

/** The hour alone, where nothing else is said but the half of the day: its number may stand for it. */
export const hourOnly = ({ hour, minute = 0, second = 0, half: said, ...date }: Moment): number | null =>
  hour !== undefined && said !== undefined && minute + second === 0 && Object.keys(date).length === 0 ? hour : null;

const onFullDay = (hour: number, said: "am" | "pm" | undefined): number =>
  said === undefined || hour > 12 ? hour % 24 : (hour % 12) + (said === "pm" ? 12 : 0);

/** Year and weekday may be left out on one side, and so may the half of the day; all else must agree. */
export function sameMoment(a: Moment, b: Moment): boolean {
  if (a.month !== b.month || a.day !== b.day) return false;
  const optional = (x: number | undefined, y: number | undefined): boolean =>
    x === undefined || y === undefined || x === y;
  if (!optional(a.year, b.year) || !optional(a.weekday, b.weekday)) return false;
  if (a.hour === undefined || b.hour === undefined) {
    const shared = a.month !== undefined || a.day !== undefined || (a.weekday !== undefined && b.weekday !== undefined);
    return a.hour === b.hour && shared;
  }
  if ((a.minute ?? 0) !== (b.minute ?? 0) || (a.second ?? 0) !== (b.second ?? 0)) return false;
  if (onFullDay(a.hour, a.half) === onFullDay(b.hour, b.half)) return true;
  const oneSays = (a.half === undefined) !== (b.half === undefined);
  const silent = a.half === undefined ? a.hour : b.hour;
  return oneSays && silent >= 1 && silent <= 12 && a.hour % 12 === b.hour % 12;
}

/** `date 2024-06-01`, `time 22:30`, with `?` for what is not said. */
export function canonicalMoment(moment: Moment): string {
  const two = (value: number | undefined): string => (value === undefined ? "?" : String(value).padStart(2, "0"));
  const parts: string[] = [];
  if (moment.weekday !== undefined) parts.push(weekdayNames[moment.weekday]);
  if (moment.month !== undefined) parts.push(`date ${moment.year ?? "?"}-${two(moment.month)}-${two(moment.day)}`);
  if (moment.hour !== undefined) {
    const seconds = (moment.second ?? 0) > 0 ? `:${two(moment.second)}` : "";
    parts.push(`time ${onFullDay(moment.hour, moment.half)}:${two(moment.minute ?? 0)}${seconds}`);
  }
  return parts.join(" ");
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The last stretch of a sentence that is a moment with a number in it. */
export function lastMoment(sentence: string): Span | null {
  const pieces = [...sentence.matchAll(piece)].filter((match) => match.groups?.["nth"] === undefined);
  const final = pieces.at(-1);
  if (final === undefined) return null;
  let start = final.index;
  for (const before of pieces.slice(0, -1).reverse()) {
    if (!filler.test(sentence.slice(before.index + before[0].length, start))) break;
    start = before.index;
  }
  const end = final.index + final[0].length;
  return /\d/.test(sentence.slice(start, end)) ? { start, end } : null;
}
