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

const names: Readonly<Record<number, string>> = {
  0: "null character",
  7: "bell",
  8: "backspace",
  9: "tab",
  13: "carriage return",
  27: "escape, which commands a terminal",
  127: "delete",
  155: "control sequence, which commands a terminal",
  8203: "zero-width space",
  8204: "zero-width non-joiner",
  8205: "zero-width joiner",
  8206: "left-to-right mark",
  8207: "right-to-left mark",
  8232: "line separator",
  8233: "paragraph separator",
  8234: "left-to-right embedding",
  8235: "right-to-left embedding",
  8236: "end of a change of direction",
  8237: "left-to-right override",
  8238: "right-to-left override",
  8294: "left-to-right isolate",
  8295: "right-to-left isolate",
  8296: "isolate",
  8297: "end of an isolate",
  65279: "byte order mark",
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
  // Unicode has pictures of the first controls: ␛ for escape.
  if (code < 32) return { text: String.fromCodePoint(0x2400 + code), name };
  if (code === 127) return { text: "\u2421", name };
  return { text: `⟨${point}⟩`, name };
}

/** One line of at most `width` characters. */
export function visibleLine(text: string, width = 200): string {
  // Cut first: what is cut away need not be read.
  const line = visible(text.slice(0, 4 * width).replaceAll("\n", "⏎"));
  const characters = [...line];
  return characters.length <= width && text.length <= 4 * width ? line : `${characters.slice(0, width - 1).join("")}…`;
}
