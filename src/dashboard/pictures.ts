// What a picture is, before anyone draws it: numbers with names, and words that say what to see in it. The page draws it
// with uPlot, a report as SVG, and both show the same numbers as a table. Which pictures a run has is in run-pictures.ts.
import type { Column } from "./api.ts";
import type { MarkKind } from "./tones.ts";

/** How values are written. */
export type Format = "share" | "number" | "count" | "seconds" | "bytes";

export interface Line {
  readonly name: string;
  /** Entry i belongs to entry i of the picture's `x`; null is a gap. */
  readonly values: Column;
  /** An interval around each value; both or neither. */
  readonly low?: Column;
  readonly high?: Column;
  /** Index of its colour. */
  readonly tone: number;
  readonly dashed?: boolean;
}

interface Captioned {
  /** Names the picture in addresses and tests. */
  readonly id: string;
  readonly title: string;
  /** One or two sentences: what it shows and how to read it. */
  readonly about: string;
}

export interface LinePicture extends Captioned {
  readonly kind: "lines";
  /** Steps. */
  readonly x: readonly number[];
  readonly format: Format;
  /** Null where the axis fits the values. */
  readonly range: readonly [low: number, high: number] | null;
  /** Lines lie on top of each other and add up. */
  readonly stacked: boolean;
  /** True where x has few entries, each of which is marked. */
  readonly dots: boolean;
  readonly lines: readonly Line[];
  /** A stretch of the y axis with a meaning. */
  readonly zone: { readonly low: number; readonly high: number; readonly name: string } | null;
}

export interface GridPicture extends Captioned {
  readonly kind: "grid";
  /** First and last step of each column. */
  readonly columns: readonly (readonly [from: number, to: number])[];
  /** Names of the rows, lowest first. */
  readonly rows: readonly string[];
  /** By row, then column: how full the cell is, 0 to 1; null where its column has nothing. */
  readonly cells: readonly Column[];
  /** By row, then column: the number that the cell stands for. */
  readonly numbers: readonly Column[];
  /** What the numbers count. */
  readonly unit: string;
  /** First and last row of a stretch with a meaning. */
  readonly zone: { readonly low: number; readonly high: number; readonly name: string } | null;
}

export type Picture = LinePicture | GridPicture;

/** Pictures about one question, under a heading. */
export interface PictureGroup {
  readonly title: string;
  readonly pictures: readonly Picture[];
}

/** Something that happened at a step, shown on the axis of every picture over steps. */
export interface Mark {
  readonly step: number;
  readonly kind: MarkKind;
  readonly text: string;
}

/** A value as people read it. */
export function formatValue(value: number | null, format: Format): string {
  if (value === null || !Number.isFinite(value)) return "–";
  switch (format) {
    case "share":
      return value.toFixed(3).replace(/^(-?)0\./, "$1.");
    case "count":
      return String(Math.round(value * 10) / 10);
    case "seconds":
      return value < 1 ? `${plain(value * 1000)} ms` : `${plain(value)} s`;
    case "bytes":
      return value < 1e9 ? `${plain(value / 1e6)} MB` : `${plain(value / 1e9)} GB`;
    case "number":
      return plain(value);
  }
}

/** Three significant digits. */
export function plain(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(1).replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}

export interface NumberTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The picture's numbers as a table, one row a step or column; long ones are thinned, and the last row is always in it. */
export function numbersOf(picture: Picture, most = 200): NumberTable {
  if (picture.kind === "grid") {
    return {
      header: ["steps", ...picture.rows],
      rows: thin(picture.columns.length, most).map((i) => [
        span(picture.columns[i]),
        ...picture.numbers.map((row) => (row[i] === null ? "–" : plain(row[i] ?? 0))),
      ]),
    };
  }
  const { lines, x, format } = picture;
  return {
    header: ["step", ...lines.flatMap(({ name, low }) => (low === undefined ? [name] : [name, `${name}: range`]))],
    rows: thin(x.length, most).map((i) => [
      String(x[i]),
      ...lines.flatMap(({ values, low, high }) => {
        const value = formatValue(values[i] ?? null, format);
        if (low === undefined || high === undefined) return [value];
        return [value, `${formatValue(low[i] ?? null, format)} to ${formatValue(high[i] ?? null, format)}`];
      }),
    ]),
  };
}

/** `3` or `3–5`. */
export function span([from, to]: readonly [number, number]): string {
  return from === to ? String(from) : `${from}–${to}`;
}

function thin(length: number, most: number): number[] {
  const every = Math.max(1, Math.ceil(length / most));
  const indices: number[] = [];
  for (let i = 0; i < length; i += every) indices.push(i);
  if (length > 0 && indices.at(-1) !== length - 1) indices.push(length - 1);
  return indices;
}
