// Lines over steps, drawn by uPlot. Cursors of all charts move together; the arrow keys move them too, and Enter or a
// click opens the step.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { formatValue, type LinePicture, type Mark } from "../pictures.ts";
import { stackedTops, valueRange } from "../svg.ts";
import type { Tones } from "../tones.ts";
import { useTones } from "./theme.ts";

const sync = uPlot.sync("steps");
const height = 210;
const font = "12px system-ui, sans-serif";

export interface LineChartProps {
  readonly picture: LinePicture;
  readonly marks: readonly Mark[];
  /** Called with the index of the step under the cursor, null where there is none. */
  readonly onCursor: (index: number | null) => void;
  readonly onOpen: ((step: number) => void) | null;
}

export function LineChart({ picture, marks, onCursor, onOpen }: LineChartProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef({ picture, marks, onCursor, onOpen });
  latest.current = { picture, marks, onCursor, onOpen };
  const tones = useTones();
  // Data are given to the chart that is there; another set of lines or colours takes another chart.
  const shape = JSON.stringify([
    picture.lines.map(({ name, low }) => [name, low !== undefined]),
    picture.stacked,
    picture.format,
  ]);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const made = new uPlot(options(latest, tones, element.clientWidth), data(latest.current.picture), element);
    chart.current = made;
    const resize = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({ width, height });
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [shape, tones]);
  // What nobody sees is drawn when it comes into view.
  const seen = useRef({ visible: false, due: false });
  const draw = (): void => {
    seen.current.due = !seen.current.visible;
    const columns = data(latest.current.picture);
    // A chart that has another number of lines is about to be replaced.
    if (seen.current.visible && chart.current?.series.length === columns.length) chart.current.setData(columns);
  };
  useEffect(draw, [picture, marks]);
  useEffect(() => {
    if (holder.current === null) return;
    const observer = new IntersectionObserver(([entry]) => {
      seen.current.visible = entry?.isIntersecting === true;
      if (seen.current.due) draw();
    });
    observer.observe(holder.current);
    return () => observer.disconnect();
  }, []);

  const steps = picture.x;
  const moveTo = (index: number): void => {
    const made = chart.current;
    const at = Math.max(0, Math.min(steps.length - 1, index));
    const step = steps[at];
    if (made === null || step === undefined) return;
    made.setCursor({ left: made.valToPos(step, "x"), top: made.over.clientHeight / 2 });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const now = chart.current?.cursor.idx ?? (event.key === "ArrowLeft" ? steps.length : -1);
    const far = event.shiftKey ? 10 : 1;
    const target = { ArrowRight: now + far, ArrowLeft: now - far, Home: 0, End: steps.length - 1 }[event.key];
    if (target !== undefined) moveTo(target);
    else if (event.key === "Enter" && onOpen !== null && steps[now] !== undefined) onOpen(steps[now]);
    else return;
    event.preventDefault();
  };
  const [first, last] = [steps[0] ?? 0, steps.at(-1) ?? 0];
  return (
    <div
      class="chart"
      ref={holder}
      tabIndex={0}
      role="slider"
      aria-orientation="horizontal"
      aria-label={`${picture.title}: step`}
      aria-valuemin={first}
      aria-valuemax={last}
      aria-valuenow={last}
      aria-valuetext={describe(picture, steps.length - 1)}
      onKeyDown={onKeyDown}
    />
  );
}

/** `step 12: agreement .812, labels right .953`. */
function describe(picture: LinePicture, index: number): string {
  const step = picture.x[index];
  if (step === undefined) return "no steps yet";
  const values = picture.lines.map(
    ({ name, values: own }) => `${name} ${formatValue(own[index] ?? null, picture.format)}`,
  );
  return `step ${step}: ${values.join(", ")}`;
}

/** Columns for uPlot: steps, then each line, with its interval where it has one. Stacks are laid from the top down. */
function data(picture: LinePicture): uPlot.AlignedData {
  const columns = picture.stacked
    ? stackedTops(picture).toReversed()
    : picture.lines.flatMap(({ values, low, high }) =>
        low === undefined || high === undefined ? [values] : [values, low, high],
      );
  return [[...picture.x], ...columns.map((column) => [...column])];
}

function options(latest: { readonly current: LineChartProps }, tones: Tones, width: number): uPlot.Options {
  const { picture } = latest.current;
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  const colour = (tone: number): string => tones.lines[tone % tones.lines.length];
  if (picture.stacked) {
    const topDown = picture.lines.toReversed();
    for (const [i, { tone }] of topDown.entries()) {
      const lowest = i === topDown.length - 1;
      const fill = `${colour(tone)}90`;
      series.push({ stroke: colour(tone), width: 1.5, points: { show: false }, ...(lowest ? { fill } : {}) });
      // Between its own top and that of the line below.
      if (!lowest) bands.push({ series: [i + 1, i + 2], fill });
    }
  } else {
    for (const { tone, dashed, low } of picture.lines) {
      series.push({
        stroke: colour(tone),
        width: 2,
        ...(dashed === true ? { dash: [6, 4] } : {}),
        points: { show: (u) => picture.dots || u.data[0].length < 3, size: 6, fill: colour(tone) },
      });
      if (low === undefined) continue;
      const bound: uPlot.Series = { stroke: "transparent", width: 0, points: { show: false } };
      series.push(bound, { ...bound });
      bands.push({ series: [series.length - 1, series.length - 2], fill: `${colour(tone)}2b` });
    }
  }
  const axis: uPlot.Axis = {
    stroke: tones.axis,
    font,
    grid: { stroke: tones.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(100, width),
    height,
    padding: [10, 12, 0, 0],
    series,
    bands,
    legend: { show: false },
    cursor: { sync: { key: sync.key, setSeries: false }, drag: { x: true, y: false }, points: { size: 7 } },
    scales: {
      x: {
        time: false,
        range: (u, low, high) => {
          // One step alone would be drawn amid a hundred others.
          const only = u.data[0].length === 1 ? u.data[0][0] : null;
          return only === null ? [low ?? 0, high ?? 1] : [only, only + 1];
        },
      },
      y: { range: () => [...valueRange(latest.current.picture)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 30,
        space: 60,
        values: (_u, splits) => splits.map((v) => (Number.isInteger(v) ? String(v) : "")),
      },
      { ...axis, size: 54, space: 36, values: (_u, splits) => splits.map((v) => formatValue(v, picture.format)) },
    ],
    hooks: {
      drawClear: [(u) => drawZone(u, latest.current.picture, tones)],
      draw: [(u) => drawMarks(u, latest.current.marks, tones)],
      setCursor: [
        (u) => {
          const index = u.cursor.idx ?? null;
          latest.current.onCursor(index);
          const step = index === null ? undefined : latest.current.picture.x[index];
          const slider = u.root.parentElement;
          if (index === null || step === undefined || slider !== document.activeElement) return;
          slider?.setAttribute("aria-valuenow", String(step));
          slider?.setAttribute("aria-valuetext", describe(latest.current.picture, index));
        },
      ],
      ready: [
        (u) => {
          u.over.addEventListener("click", () => {
            const step = latest.current.picture.x[u.cursor.idx ?? -1];
            // A click that ends a zoom is none.
            if (step !== undefined && u.select.width < 3) latest.current.onOpen?.(step);
          });
        },
      ],
    },
  };
}

function drawZone(u: uPlot, { zone }: LinePicture, tones: Tones): void {
  if (zone === null) return;
  const [top, bottom] = [u.valToPos(zone.high, "y", true), u.valToPos(zone.low, "y", true)];
  u.ctx.fillStyle = `${tones.zone}22`;
  u.ctx.fillRect(u.bbox.left, top, u.bbox.width, bottom - top);
}

/** Things that happened: lines for what went wrong, small signs on the axis for what is usual. */
function drawMarks(u: uPlot, marks: readonly Mark[], tones: Tones): void {
  const { ctx, bbox } = u;
  const { min, max } = u.scales["x"] ?? {};
  if (min == null || max == null) return;
  ctx.save();
  for (const { step, kind } of marks) {
    if (step < min || step > max) continue;
    const x = Math.round(u.valToPos(step, "x", true));
    const base = bbox.top + bbox.height;
    const size = 4 * devicePixelRatio;
    ctx.fillStyle = tones.marks[kind];
    ctx.strokeStyle = tones.marks[kind];
    if (kind === "checkpoint" || kind === "evaluation") {
      ctx.beginPath();
      if (kind === "evaluation") ctx.arc(x, base, size * 0.7, 0, 7);
      else {
        ctx.moveTo(x - size, base);
        ctx.lineTo(x + size, base);
        ctx.lineTo(x, base - 1.6 * size);
      }
      ctx.fill();
    } else {
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, base);
      ctx.stroke();
    }
  }
  ctx.restore();
}
