// Numbers, tables and small charts as plain text. Pure; knows nothing of runs.

/** `0.834` as `.834`, a share with three digits; `-` for what is not a number. */
export function formatShare(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "-";
  return value.toFixed(3).replace(/^(-?)0\./, "$1.");
}

/** A number in the fewest characters that still tell it: 4 significant digits, no trailing zeros. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(4)));
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `2,816`, `0.846 M`: a number of tokens, as prices count them. */
export function formatTokens(tokens: number): string {
  return tokens < 100_000 ? Math.round(tokens).toLocaleString("en") : `${(tokens / 1e6).toFixed(3)} M`;
}

/** `512 B`, `3.4 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  // Rounded first: 999,999 bytes are 1 MB, not 1000 kB.
  const rounded = Number(bytes.toPrecision(3));
  const power = Math.min(units.length - 1, rounded < 1 ? 0 : Math.floor(Math.log10(rounded) / 3));
  return `${formatNumber(rounded / 1000 ** power)} ${units[power]}`;
}

/** One line, at most `width` characters; control characters, which a model may write, become spaces. */
export function oneLine(text: string, width: number): string {
  // Also the C1 range and line separators: a reply must not be able to move the cursor or colour the terminal.
  const flat = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const characters = [...flat];
  return characters.length <= width ? flat : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}

/** Prose is not cut shorter than this to make a table fit. */
const leastProse = 16;

/**
 * Rows under a header, columns as wide as their widest cell. Columns whose cells are all numbers are set to the right.
 * The last column is not padded. No line is longer than `columns`, of at least 12: prose is cut for that, and where that is
 * not enough, each row becomes a block of lines, one a column, whole.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns = Number.POSITIVE_INFINITY,
): string {
  const whole = alignTable(header, rows);
  const over = widthOf(whole) - columns;
  if (over <= 0) return whole;
  const cells = (column: number): string[] => rows.map((row) => row[column] ?? "");
  // The widest prose gives way; names, paths and numbers are of no use cut.
  const prose = header
    .map((title, column) => ({
      column,
      title,
      width: Math.max(title.length, ...cells(column).map((one) => one.length)),
    }))
    .filter(({ column }) => column > 0 && cells(column).some((one) => /\S \S/.test(one)))
    .sort((a, b) => b.width - a.width)[0];
  const left = prose === undefined ? 0 : prose.width - over;
  if (prose !== undefined && left >= Math.max(leastProse, prose.title.length)) {
    const cut = rows.map((row) => row.map((cell, column) => (column === prose.column ? oneLine(cell, left) : cell)));
    const table = alignTable(header, cut);
    if (widthOf(table) <= columns) return table;
  }
  return stackTable(header, rows, columns);
}

function widthOf(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

/** A block a row: the column's title, then its cell, over as many lines as it takes. */
function stackTable(header: readonly string[], rows: readonly (readonly string[])[], columns: number): string {
  const label = Math.min(Math.max(...header.map((title) => title.length)), Math.floor(columns / 2) - 2);
  const blocks = rows.map((row) =>
    header.flatMap((title, column) => {
      const lines = wrap(row[column] ?? "", columns - label - 2);
      return lines.map((line, i) => `${(i === 0 ? oneLine(title, label) : "").padEnd(label)}  ${line}`.trimEnd());
    }),
  );
  return blocks.map((lines) => lines.join("\n")).join("\n\n");
}

/** Lines of at most `width`, broken at spaces where there are any; a cell without text is one line. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

function alignTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumber = (cell: string): boolean => /^[-+]?[\d.,]+( ?%)?$|^-?$/.test(cell);
  const columns = header.map((title, column) => {
    const cells = rows.map((row) => row[column] ?? "");
    return {
      width: Math.max(title.length, ...cells.map((cell) => cell.length)),
      right: cells.length > 0 && cells.every(isNumber),
    };
  });
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ width, right }, column) => {
        const cell = cells[column] ?? "";
        return right ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [line(header), columns.map(({ width }) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

const blocks = "▁▂▃▄▅▆▇█";

/**
 * A series as one line of block characters, at most `width` of them (neighbours are averaged), scaled from the least
 * to the greatest value. What is not a number leaves a gap.
 */
export function sparkline(values: readonly number[], width = 60): string {
  const size = Math.max(1, values.length / width);
  const averaged = Array.from({ length: Math.min(values.length, width) }, (_, i) => {
    const part = values.slice(Math.floor(i * size), Math.max(Math.floor(i * size) + 1, Math.floor((i + 1) * size)));
    const finite = part.filter(Number.isFinite);
    return finite.length === 0 ? Number.NaN : finite.reduce((sum, value) => sum + value, 0) / finite.length;
  });
  const finite = averaged.filter(Number.isFinite);
  // Halved, so that the range of the largest numbers is a number too.
  const low = Math.min(...finite) / 2;
  const range = Math.max(...finite) / 2 - low;
  return averaged
    .map((value) => {
      if (!Number.isFinite(value)) return " ";
      return blocks[range === 0 ? 3 : Math.min(7, Math.floor(((value / 2 - low) / range) * 8))];
    })
    .join("");
}

/** A bar of `width` characters filled to `share`, 0 to 1. */
export function bar(share: number, width = 20): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "█".repeat(filled) + "░".repeat(width - filled);
}

/** Stands for the topic of a run whose settings another version recorded. */
export const unreadableSettings = "(settings of another version)";
