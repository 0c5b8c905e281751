// What the other side says in words, fit for a line on a terminal: whoever sent it may have meant to move the cursor.

/** The first line that says something, without control characters and a traceback that may follow; at most so many characters. */
export function firstLine(said: string, most = 300): string {
  const line = said.slice(0, 10_000).trim().split("\n")[0].replace(/\s+/g, " ").replace(/\p{C}/gu, "·").trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
