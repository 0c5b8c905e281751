// Draws what recorded runs learned as one SVG picture, for the README and reports:
//
//   node scripts/bootstrap.mjs scripts/learning-curve.ts --workspace .sqlm --runs RUN,RUN,RUN --out docs/pictures/
//
// Three panels over the steps: pass@1 on held-out questions by difficulty, the difficulty of the questions that the model
// asked itself, and how often its votes agreed beside how often they were right. Lines are means over the runs, bands go
// from the lowest run to the highest. It reads workspaces only; nothing is smoothed or left out but steps that not every
// run has.
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { EChartsCoreOption } from "echarts";
import { UsageError } from "../src/errors.ts";
import { metricSeries, openReader, type Reader, runOverview } from "../src/store/queries.ts";

// `require` gets the bundle, one file; `import` would load hundreds.
const { init } = createRequire(import.meta.url)("echarts") as typeof import("echarts");

/** One line with its band; entry i of all arrays belongs to `steps[i]`. */
export interface Curve {
  readonly name: string;
  readonly steps: readonly number[];
  readonly mean: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
}

export interface LearningCurves {
  readonly runs: number;
  /** pass@1 of each difficulty level, easiest first. */
  readonly levels: readonly Curve[];
  /** Each is null where the runs did not record it. */
  readonly difficulty: Curve | null;
  readonly agreement: Curve | null;
  readonly labelAccuracy: Curve | null;
}

/** Reads the curves of runs. Throws UsageError for an unknown run, and for runs without an evaluation in common. */
export function readCurves(reader: Reader, runs: readonly string[]): LearningCurves {
  const evaluations = runs.map((run) => runOverview(reader, run).evaluations);
  const difficulties = new Set(evaluations.flat().flatMap(({ levels }) => levels.map(({ difficulty }) => difficulty)));
  const levels = [...difficulties]
    .sort((a, b) => a - b)
    .flatMap((level) => {
      const perRun = evaluations.map((ofRun) =>
        ofRun.flatMap(({ step, levels }) => {
          const found = levels.find(({ difficulty }) => difficulty === level);
          return found === undefined ? [] : [[step, found.passAt1] as const];
        }),
      );
      return summarize(String(level), perRun) ?? [];
    });
  if (levels.length === 0) {
    throw new UsageError(
      `These runs have no evaluation in common: ${runs.join(", ")}.`,
      "Choose runs of one topic with the same evalEvery.",
    );
  }
  const metric = (name: string): Curve | null => {
    const perRun = runs.map((run) => {
      const [series] = metricSeries(reader, run, [name]);
      return (series?.steps ?? []).map((step, i) => [step, series.values[i]] as const);
    });
    return summarize(name, perRun);
  };
  return {
    runs: runs.length,
    levels,
    difficulty: metric("difficulty"),
    agreement: metric("agreement"),
    labelAccuracy: metric("labelAccuracy"),
  };
}

/** Mean, lowest and highest over runs at the steps that all of them have; null where there is none. */
function summarize(
  name: string,
  perRun: readonly (readonly (readonly [step: number, value: number])[])[],
): Curve | null {
  const values = perRun.map((points) => new Map(points.filter(([, value]) => Number.isFinite(value))));
  const steps = [...(values[0]?.keys() ?? [])].filter((step) => values.every((run) => run.has(step)));
  if (steps.length === 0) return null;
  const at = steps.map((step) => values.map((run) => run.get(step)!));
  return {
    name,
    steps,
    mean: at.map((ofRuns) => ofRuns.reduce((sum, value) => sum + value, 0) / ofRuns.length),
    low: at.map((ofRuns) => Math.min(...ofRuns)),
    high: at.map((ofRuns) => Math.max(...ofRuns)),
  };
}

const size = { width: 800, height: 620 };
const colours = { text: "#1f2328", faint: "#59636e", grid: "#e4e8ec" };
/** Easy to hard: distinct also in grey, and none so pale that it is lost on white. */
const levelColours = ["#f0a202", "#e0602b", "#c2185b", "#7b1fa2", "#3949ab", "#00796b", "#455a64"];
const font = { fontFamily: "Helvetica, Arial, sans-serif", fontSize: 13, color: colours.text };

interface Panel {
  readonly title: string;
  readonly box: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  /** Shares are drawn from 0 to 1; other axes fit their data. */
  readonly share: boolean;
  readonly lines: readonly { readonly label: string; readonly colour: string; readonly curve: Curve }[];
}

/** The picture as a whole SVG document of 800 by 620 pixels, on white so that it reads on dark pages too. */
export function drawLearningCurve(curves: LearningCurves): string {
  const { levels, difficulty, agreement, labelAccuracy } = curves;
  const lower = { top: 402, width: 282, height: 150 };
  const panels: Panel[] = [
    {
      title: "pass@1 on held-out questions, by difficulty",
      box: { left: 56, top: 56, width: 620, height: 270 },
      share: true,
      lines: levels.map((curve, i) => ({
        label: `difficulty ${curve.name}`,
        colour: levelColours[i % levelColours.length],
        curve,
      })),
    },
    {
      title: "Difficulty of its own questions",
      box: { left: 56, ...lower },
      share: false,
      lines: difficulty === null ? [] : [{ label: "", colour: "#3949ab", curve: difficulty }],
    },
    {
      title: "Its votes: agreement and truth",
      box: { left: 408, ...lower },
      share: true,
      lines: [
        ...(agreement === null ? [] : [{ label: "agreement", colour: "#e0602b", curve: agreement }]),
        ...(labelAccuracy === null ? [] : [{ label: "winner right", colour: "#00796b", curve: labelAccuracy }]),
      ],
    },
  ];
  const runs = curves.runs === 1 ? "One run" : `Line: mean of ${curves.runs} runs. Band: lowest to highest run`;
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  try {
    chart.setOption(panelOptions(panels));
    // Where a line ends is known only now; its name goes beside the end, moved apart from other names.
    const labels = panels.flatMap(({ box, lines }, index) => {
      const ends = lines.map(({ curve, label, colour }) => {
        const last = curve.steps.length - 1;
        const [x, y] = chart.convertToPixel({ gridIndex: index }, [curve.steps[last], curve.mean[last]]);
        return { x, y, label, colour };
      });
      return apart(ends, box.top, box.top + box.height).map(({ x, y, label, colour }) =>
        textAt(x + 8, y - 7, label, { fill: colour, fontWeight: "bold" }),
      );
    });
    const titles = panels.map(({ title, box }) =>
      textAt(box.left - 40, box.top - 34, title, { fontSize: 15, fontWeight: "bold" }),
    );
    const note = textAt(16, size.height - 22, `${runs}. Horizontal: steps of self-play.`, { fill: colours.faint });
    chart.setOption({ graphic: [...titles, ...labels, note] });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function panelOptions(panels: readonly Panel[]): EChartsCoreOption {
  const axis = { axisLabel: font, axisTick: { show: false }, splitLine: { lineStyle: { color: colours.grid } } };
  const lastStep = Math.max(...panels.flatMap(({ lines }) => lines.flatMap(({ curve }) => curve.steps)));
  return {
    animation: false,
    backgroundColor: "#ffffff",
    grid: panels.map(({ box }) => ({ ...box })),
    xAxis: panels.map((_, gridIndex) => ({
      ...axis,
      gridIndex,
      type: "value",
      min: 0,
      max: lastStep,
      splitLine: { show: false },
      axisLine: { lineStyle: { color: colours.faint } },
    })),
    yAxis: panels.map(({ share }, gridIndex) => ({
      ...axis,
      gridIndex,
      type: "value",
      ...(share ? { min: 0, max: 1, interval: 0.25 } : { scale: true, splitNumber: 4 }),
    })),
    series: panels.flatMap(({ lines }, panel) =>
      lines.flatMap(({ curve, colour }, line) => {
        const common = { type: "line", xAxisIndex: panel, yAxisIndex: panel, silent: true, showSymbol: false };
        const band = { ...common, stack: `band ${panel}.${line}`, stackStrategy: "all", lineStyle: { opacity: 0 } };
        const points = (values: readonly number[]): number[][] => values.map((value, i) => [curve.steps[i], value]);
        return [
          { ...band, data: points(curve.low) },
          {
            ...band,
            data: points(curve.high.map((high, i) => high - curve.low[i])),
            areaStyle: { color: colour, opacity: 0.16 },
          },
          { ...common, data: points(curve.mean), lineStyle: { color: colour, width: 2.5 }, z: 3 },
        ];
      }),
    ),
  };
}

function textAt(x: number, y: number, text: string, style: object): object {
  const { fontFamily, fontSize, color } = font;
  return { type: "text", x, y, silent: true, style: { text, fontFamily, fontSize, fill: color, ...style } };
}

/** Moves labels at least a line apart, keeping their order, between `top` and `bottom`. */
function apart<Label extends { readonly y: number }>(labels: readonly Label[], top: number, bottom: number): Label[] {
  const gap = 17;
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  const ys: number[] = [];
  for (const { y } of sorted) ys.push(Math.max(y, (ys.at(-1) ?? top - gap) + gap));
  for (let i = ys.length - 1; i >= 0; i--) ys[i] = Math.min(ys[i], bottom - gap * (ys.length - 1 - i));
  return sorted.map((label, i) => ({ ...label, y: ys[i] }));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      workspace: { type: "string", default: ".sqlm" },
      runs: { type: "string", default: "" },
      out: { type: "string", default: "docs/pictures" },
    },
  });
  const runs = values.runs.split(",").filter((run) => run !== "");
  try {
    if (runs.length === 0) throw new UsageError("No runs were named.", "Give --runs RUN,RUN; `sqlm list` shows all.");
    using reader = openReader(values.workspace);
    const svg = drawLearningCurve(readCurves(reader, runs));
    mkdirSync(values.out, { recursive: true });
    const path = join(values.out, "learning-curve.svg");
    writeFileSync(path, `${svg}\n`);
    console.log(`Wrote ${path}.`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message} ${error.hint}`);
    process.exitCode = error.exitCode;
  }
}
