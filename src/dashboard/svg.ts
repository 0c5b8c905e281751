// Draws pictures as SVG, as plain data: whoever shows it turns nodes into text or into elements, and escapes. Colours are
// classes and CSS variables, so that one drawing serves light and dark ground. Pure.
import { formatValue, type GridPicture, type LinePicture, type Mark, plain, span } from "./pictures.ts";
import { visible } from "./visible.ts";

export interface SvgNode {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly children: readonly (SvgNode | string)[];
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const margin = { left: 52, right: 14, top: 12, bottom: 26 };

function node(tag: string, attributes: SvgNode["attributes"], ...children: (SvgNode | string)[]): SvgNode {
  return { tag, attributes, children };
}

/** Round numbers that divide a range into about `count` parts. */
export function ticks(low: number, high: number, count = 5): number[] {
  const range = high - low;
  if (!(range > 0) || !Number.isFinite(range)) return [low];
  const rough = range / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first) + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Least and greatest value of the y axis. */
export function valueRange(picture: LinePicture): readonly [low: number, high: number] {
  if (picture.range !== null) return picture.range;
  const tops = picture.stacked ? [stackedTops(picture).at(-1) ?? []] : [];
  const values = [
    ...(picture.stacked ? tops : picture.lines.flatMap(({ values, low, high }) => [values, low ?? [], high ?? []])),
  ]
    .flat()
    .filter((value) => value !== null);
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (!Number.isFinite(least)) return [0, 1];
  // Amounts start at nothing; only values far from it, or below it, have an axis of their own.
  if (picture.stacked || (least >= 0 && least < 0.6 * most)) least = 0;
  if (least === most)
    return [least === 0 ? 0 : least - Math.abs(least) * 0.1, most === 0 ? 1 : most + Math.abs(most) * 0.1];
  return [least, most + 0.04 * (most - least)];
}

/** Running sums of a stacked picture's lines, lowest first; null where nothing is known. */
export function stackedTops({ lines, x }: LinePicture): (number | null)[][] {
  const sums = x.map(() => 0);
  return lines.map(({ values }) =>
    values.map((value, i) => {
      sums[i] += value ?? 0;
      return lines.every((line) => line.values[i] === null) ? null : sums[i];
    }),
  );
}

/** The picture with axes and lines; names of lines are left to the legend beside it. */
export function drawLines(picture: LinePicture, marks: readonly Mark[], { width, height }: Size): SvgNode {
  const { x, lines, zone, format } = picture;
  const [low, high] = valueRange(picture);
  const [first, last] = [Math.min(x[0] ?? 0, 1), Math.max(x.at(-1) ?? 1, (x[0] ?? 0) + 1)];
  const atX = (step: number): number =>
    margin.left + ((step - first) / (last - first)) * (width - margin.left - margin.right);
  const atY = (value: number): number =>
    height - margin.bottom - ((value - low) / (high - low)) * (height - margin.top - margin.bottom);
  const drawn: SvgNode[] = [];
  if (zone !== null) {
    const [top, bottom] = [atY(zone.high), atY(zone.low)];
    drawn.push(
      node("rect", {
        class: "zone",
        x: margin.left,
        y: top,
        width: width - margin.left - margin.right,
        height: bottom - top,
      }),
    );
  }
  for (const value of ticks(low, high)) {
    drawn.push(
      node("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: atY(value), y2: atY(value) }),
    );
    drawn.push(
      node(
        "text",
        { class: "tick", x: margin.left - 6, y: atY(value) + 4, "text-anchor": "end" },
        formatValue(value, format),
      ),
    );
  }
  drawn.push(...stepAxis(first, last, atX, height));
  for (const { step, kind, text } of marks) {
    if (step < first || step > last) continue;
    if (kind === "checkpoint" || kind === "evaluation") {
      drawn.push(axisSign(kind, atX(step), height - margin.bottom, `step ${step}: ${text}`));
      continue;
    }
    drawn.push(markLine(kind, atX(step), height, `step ${step}: ${text}`));
  }
  const tops = picture.stacked ? stackedTops(picture) : null;
  if (tops !== null) {
    lines.forEach(({ tone, name }, i) => {
      const below = i === 0 ? x.map(() => 0) : tops[i - 1];
      drawn.push(
        node(
          "path",
          { class: `area tone-${tone % 8}`, d: bandPath(x, below, tops[i], atX, atY) },
          node("title", {}, name),
        ),
      );
    });
  } else {
    for (const { low: from, high: to, tone } of lines) {
      if (from === undefined || to === undefined) continue;
      drawn.push(node("path", { class: `band tone-${tone % 8}`, d: bandPath(x, from, to, atX, atY) }));
    }
    for (const { values, tone, dashed, name } of lines) {
      const style = `line tone-${tone % 8}${dashed === true ? " dashed" : ""}`;
      drawn.push(node("path", { class: style, d: linePath(x, values, atX, atY) }, node("title", {}, name)));
      const alone = picture.dots || values.filter((value) => value !== null).length < 3;
      if (!alone) continue;
      values.forEach((value, i) => {
        if (value !== null)
          drawn.push(node("circle", { class: `dot tone-${tone % 8}`, cx: atX(x[i]), cy: atY(value), r: 2.5 }));
      });
    }
  }
  return frame(picture.title, { width, height }, drawn);
}

/** A line over the whole picture at a step where something happened. */
function markLine(kind: string, x: number, height: number, title: string): SvgNode {
  const line = { class: `mark mark-${kind}`, x1: x, x2: x, y1: margin.top, y2: height - margin.bottom };
  return node("line", line, node("title", {}, title));
}

/** What happens often is a small sign on the axis: a point for an evaluation, a triangle for a checkpoint. */
function axisSign(kind: "checkpoint" | "evaluation", x: number, y: number, words: string): SvgNode {
  const title = node("title", {}, words);
  if (kind === "evaluation") return node("circle", { class: `sign-${kind}`, cx: x, cy: y, r: 3 }, title);
  return node("path", { class: `sign-${kind}`, d: `M${x - 4} ${y}h8l-4 -6Z` }, title);
}

function stepAxis(first: number, last: number, atX: (step: number) => number, height: number): SvgNode[] {
  const base = height - margin.bottom;
  const line = node("line", { class: "axis", x1: atX(first), x2: atX(last), y1: base, y2: base });
  const steps = ticks(first, last, 6).filter((step) => Number.isInteger(step));
  return [
    line,
    ...steps.map((step) =>
      node("text", { class: "tick", x: atX(step), y: base + 17, "text-anchor": "middle" }, plainStep(step)),
    ),
  ];
}

function plainStep(step: number): string {
  return step >= 10_000 ? plain(step) : String(step);
}

function frame(title: string, { width, height }: Size, children: readonly SvgNode[]): SvgNode {
  return node(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "picture", role: "img", "aria-label": title },
    ...children,
  );
}

const round = (value: number): string => value.toFixed(1);

function linePath(
  x: readonly number[],
  values: readonly (number | null)[],
  atX: (v: number) => number,
  atY: (v: number) => number,
): string {
  let path = "";
  let open = false;
  values.forEach((value, i) => {
    if (value === null) {
      open = false;
      return;
    }
    path += `${open ? "L" : "M"}${round(atX(x[i]))} ${round(atY(value))}`;
    open = true;
  });
  return path;
}

/** Closed stretches between two lines, broken where either has a gap. */
function bandPath(
  x: readonly number[],
  low: readonly (number | null)[],
  high: readonly (number | null)[],
  atX: (v: number) => number,
  atY: (v: number) => number,
): string {
  let path = "";
  let start = 0;
  const close = (end: number): void => {
    if (end <= start) return;
    const over = Array.from(
      { length: end - start },
      (_, i) => `${round(atX(x[start + i]))} ${round(atY(high[start + i] ?? 0))}`,
    );
    const under = Array.from(
      { length: end - start },
      (_, i) => `${round(atX(x[end - 1 - i]))} ${round(atY(low[end - 1 - i] ?? 0))}`,
    );
    path += `M${[...over, ...under].join("L")}Z`;
  };
  for (let i = 0; i <= x.length; i++) {
    if (i < x.length && low[i] !== null && high[i] !== null) continue;
    close(i);
    start = i + 1;
  }
  return path;
}

/** Classes of a cell from empty to full. */
export const cellShades = 12;

/** The grid with its axes. Every cell says its numbers when it is pointed at. */
export function drawGrid(picture: GridPicture, marks: readonly Mark[], { width, height }: Size): SvgNode {
  const { columns, rows, cells, numbers, unit, zone } = picture;
  const [cellWidth, cellHeight] = [
    (width - margin.left - margin.right) / Math.max(1, columns.length),
    (height - margin.top - margin.bottom) / Math.max(1, rows.length),
  ];
  const atY = (row: number): number => height - margin.bottom - (row + 1) * cellHeight;
  const most = Math.max(...cells.flat().map((value) => value ?? 0), 1e-9);
  const drawn: SvgNode[] = [];
  cells.forEach((row, r) => {
    row.forEach((share, c) => {
      if (share === null) return;
      // Rare questions must be seen: the scale is a root, and what is there is never drawn as nothing.
      const shade = share === 0 ? 0 : Math.max(1, Math.round(Math.sqrt(share / most) * (cellShades - 1)));
      const box = {
        x: round(margin.left + c * cellWidth),
        y: round(atY(r)),
        width: round(cellWidth + 0.3),
        height: round(cellHeight - 0.8),
      };
      const words = `steps ${span(columns[c])}, ${rows[r]}: ${plain(numbers[r][c] ?? 0)} ${unit}`;
      drawn.push(
        node(
          "rect",
          { class: `cell shade-${shade}`, "data-row": r, "data-column": c, ...box },
          node("title", {}, words),
        ),
      );
    });
  });
  const every = Math.max(1, Math.ceil(rows.length / 10));
  rows.forEach((name, r) => {
    if (r % every !== 0) return;
    drawn.push(
      node("text", { class: "tick", x: margin.left - 6, y: atY(r) + cellHeight / 2 + 4, "text-anchor": "end" }, name),
    );
  });
  if (zone !== null) {
    const [top, bottom] = [atY(zone.high), atY(zone.low) + cellHeight];
    const box = { x: margin.left, y: top, width: width - margin.left - margin.right, height: bottom - top };
    drawn.push(node("rect", { class: "zone-frame", ...box }, node("title", {}, zone.name)));
  }
  const [first, last] = [columns[0]?.[0] ?? 1, columns.at(-1)?.[1] ?? 1];
  const columnOf = (step: number): number => columns.findIndex(([from, to]) => step >= from && step <= to);
  const atX = (step: number): number => margin.left + (Math.max(0, columnOf(step)) + 0.5) * cellWidth;
  for (const { step, kind, text } of marks) {
    if (kind === "checkpoint" || kind === "evaluation" || columnOf(step) < 0) continue;
    drawn.push(markLine(kind, atX(step), height, `step ${step}: ${text}`));
  }
  const shown = ticks(first, last, 6).filter((step) => Number.isInteger(step) && columnOf(step) >= 0);
  drawn.push(
    ...shown.map((step) =>
      node(
        "text",
        { class: "tick", x: atX(step), y: height - margin.bottom + 17, "text-anchor": "middle" },
        plainStep(step),
      ),
    ),
  );
  return frame(picture.title, { width, height }, drawn);
}

/** The node as text, with everything escaped. */
export function svgText({ tag, attributes, children }: SvgNode): string {
  const pairs = Object.entries(attributes).map(([name, value]) => ` ${name}="${escapeHtml(String(value))}"`);
  const inside = children.map((child) => (typeof child === "string" ? escapeHtml(child) : svgText(child))).join("");
  return `<${tag}${pairs.join("")}>${inside}</${tag}>`;
}

/**
 * Text as it may stand in HTML and XML, also between quotes. What would not be seen, or would turn the text around, is put
 * in signs first: a control character cannot be escaped.
 */
export function escapeHtml(text: string): string {
  return visible(text).replaceAll(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}
