// What a model wrote, made fit to be looked at: characters that move a cursor, turn the direction of writing or cannot be
// seen at all are put in words or signs. Escaping for HTML is left to whoever writes HTML.

/** A stretch of text; `name` says what an invisible character was, null for text as it is. */
export interface VisiblePart {
  readonly text: string;
  readonly name: string | null;
}

/** Characters that do something else than show: controls, formatting (directions, joiners, tags), separators, halves of pairs. */
const invisible =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\u115f\u1160\u3164\uffa0]|[\u{fe00}-\u{fe0f}]|[\ud800-\udfff]/gu;

/** Abbreviations of the first 32 controls, ECMA-48. */
const controls =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(
    " ",
  );

const names: Readonly<Record<number, string>> = {
  9: "tab",
  27: "escape, which commands a terminal",
  155: "control sequence, which commands a terminal",
  8203: "zero-width space",
  8204: "zero-width non-joiner",
  8205: "zero-width joiner",
  8206: "left-to-right mark",
  8207: "right-to-left mark",
  8234: "left-to-right embedding",
  8235: "right-to-left embedding",
  8236: "end of a change of direction",
  8237: "left-to-right override",
  8238: "right-to-left override",
  8294: "left-to-right isolate",
  8295: "right-to-left isolate",
  8296: "isolate",
  8297: "end of an isolate",
};

/** The text in parts. Line feeds stay; every other character that shows nothing is a part with a name. */
export function visibleParts(text: string): VisiblePart[] {
  const parts: VisiblePart[] = [];
  let from = 0;
  for (const match of text.matchAll(invisible)) {
    if (match[0] === "\n") continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index), name: null });
    parts.push(sign(match[0].codePointAt(0) ?? 0));
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), name: null });
  return parts;
}

/** The text with a sign for every character that shows nothing. */
export function visible(text: string): string {
  return visibleParts(text)
    .map((part) => part.text)
    .join("");
}

function sign(code: number): VisiblePart {
  const point = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const name = names[code] === undefined ? point : `${names[code]}, ${point}`;
  // In letters, which every font has.
  return { text: `⟨${controls[code] ?? (code === 127 ? "DEL" : point)}⟩`, name };
}

/** One line of at most `width` characters. */
export function visibleLine(text: string, width = 200): string {
  // Cut first: what is cut away need not be read.
  const line = visible(text.slice(0, 4 * width).replaceAll("\n", "↵"));
  const characters = [...line];
  return characters.length <= width && text.length <= 4 * width ? line : `${characters.slice(0, width - 1).join("")}…`;
}
