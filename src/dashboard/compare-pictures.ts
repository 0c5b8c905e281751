// Several runs in one picture: runs that differ in nothing but their seed are one line, their mean, with a band from the
// lowest to the highest. Tables say mean and standard deviation. Runs are never mixed across variants or controls. Pure.
import type { Column, ComparedRun } from "./api.ts";
import { controlOf } from "./notices.ts";
import type { Format, Line, LinePicture, NumberTable } from "./pictures.ts";
import { formatValue } from "./pictures.ts";
import { visibleLine } from "./visible.ts";

/** Runs that are the same but for their seed. */
export interface RunGroup {
  /** `variant`, or the name of the run where it stands alone; says where it is a control. */
  readonly name: string;
  readonly control: boolean;
  readonly runs: readonly ComparedRun[];
}

/** Groups in the order in which their first runs come. */
export function groupRuns(runs: readonly ComparedRun[]): RunGroup[] {
  const groups = new Map<string, ComparedRun[]>();
  for (const run of runs) {
    const key = groupKey(run);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const experiments = new Set(runs.map(({ state }) => state.trial?.experiment ?? null));
  return [...groups.values()].map((members) => {
    const { trial, run, config } = members[0].state;
    const control = controlOf(members[0].state);
    const prefix = trial !== null && experiments.size > 1 ? `${trial.experiment}: ` : "";
    const own =
      trial === null ? (members.length === 1 ? run : `${config.topic}, like ${run}`) : `${prefix}${trial.variant}`;
    const mark = control === null || own.includes(control) ? "" : ` (${control})`;
    return { name: visibleLine(own + mark, 60), control: trial?.control != null, runs: members };
  });
}

/** What two runs must have in common to be of one group: all but seed, threads and where they are. */
function groupKey({ state: { config, trial } }: ComparedRun): string {
  const { seed: _, threads: __, ...settings } = config;
  return JSON.stringify([trial, Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

export function comparePictures(groups: readonly RunGroup[]): LinePicture[] {
  const levels = [
    ...new Set(
      groups.flatMap(({ runs }) =>
        runs.flatMap(({ state }) => state.evaluations.flatMap((one) => one.levels.map(({ difficulty }) => difficulty))),
      ),
    ),
  ].sort((a, b) => a - b);
  const pictures = levels.map((level) =>
    picture(
      groups,
      {
        id: `held-out-${level}`,
        title: `Held-out accuracy, difficulty ${level}`,
        about: "pass@1 on questions that training never saw.",
        format: "share",
        range: [0, 1],
        dots: true,
      },
      ({ state }) => ({
        steps: state.evaluations.map(({ step }) => step),
        values: state.evaluations.map(
          ({ levels: found }) => found.find(({ difficulty }) => difficulty === level)?.passAt1 ?? null,
        ),
      }),
    ),
  );
  const metric = (name: string, title: string, about: string, format: Format = "share"): LinePicture =>
    picture(
      groups,
      { id: name, title, about, format, range: format === "share" ? [0, 1] : null, dots: false },
      ({ steps }) => ({ steps: steps.steps, values: steps.metrics[name] ?? [] }),
    );
  return [
    ...pictures,
    metric("labelAccuracy", "Labels right", "Share of winners that are right, on each run's own questions."),
    metric("agreement", "Agreement", "Votes of the leading answer over the group size."),
    metric("difficulty", "Difficulty of its own questions", "Mean, on the topic's own scale.", "number"),
    metric("groups.trained", "Groups that taught", "Questions of a step with something to learn.", "count"),
    metric("answerEntropy", "Entropy of a group's answers", "In nats. At 0 every group is of one mind.", "number"),
  ].filter(({ lines }) => lines.length > 0);
}

type PictureCaption = Pick<LinePicture, "id" | "title" | "about" | "format" | "range" | "dots">;
interface Curve {
  readonly steps: readonly number[];
  readonly values: Column;
}

function picture(
  groups: readonly RunGroup[],
  caption: PictureCaption,
  curveOf: (run: ComparedRun) => Curve,
): LinePicture {
  const curves = groups.map(({ runs }) => runs.map(curveOf));
  const x = [...new Set(curves.flat().flatMap(({ steps }) => steps))].sort((a, b) => a - b);
  const lines = groups.flatMap((group, tone): Line[] => {
    const maps = curves[tone].map(({ steps, values }) => new Map(steps.map((step, i) => [step, values[i] ?? null])));
    const at = x.map((step) => maps.flatMap((map) => map.get(step) ?? []));
    if (at.every((values) => values.length === 0)) return [];
    // A mean over fewer runs than the others would jump where a run ends; it is shown where all have a value.
    const all = maps.filter((map) => [...map.values()].some((value) => value !== null)).length;
    const whole = (values: readonly number[]): boolean => values.length === all;
    const name = group.runs.length === 1 ? group.name : `${group.name} (${all} seeds)`;
    const line = {
      name,
      tone,
      dashed: group.control,
      values: at.map((values) => (whole(values) ? mean(values) : null)),
    };
    if (all < 2) return [line];
    return [
      {
        ...line,
        low: at.map((values) => (whole(values) ? Math.min(...values) : null)),
        high: at.map((values) => (whole(values) ? Math.max(...values) : null)),
      },
    ];
  });
  return { kind: "lines", ...caption, x, stacked: false, zone: null, lines };
}

/** The last evaluation of every group, level by level: mean, standard deviation over seeds, errors that are gone. */
export function compareTable(groups: readonly RunGroup[]): NumberTable {
  const rows = groups.flatMap(({ name, runs }) => {
    const ends = runs.flatMap(({ state }) => {
      const [first, last] = [state.evaluations[0], state.evaluations.at(-1)];
      return first === undefined || last === undefined || first === last ? [] : [{ first, last }];
    });
    const levels = [...new Set(ends.flatMap(({ last }) => last.levels.map(({ difficulty }) => difficulty)))];
    return levels
      .sort((a, b) => a - b)
      .map((level) => {
        const pairs = ends.flatMap(({ first, last }) => {
          const [before, after] = [first, last].map(
            ({ levels: found }) => found.find(({ difficulty }) => difficulty === level)?.passAt1,
          );
          return before === undefined || after === undefined ? [] : [[before, after] as const];
        });
        const before = pairs.map(([value]) => value);
        const after = pairs.map(([, value]) => value);
        const gone = pairs.flatMap(([a, b]) => (a >= 1 ? [] : [(b - a) / (1 - a)]));
        return [
          name,
          String(level),
          String(pairs.length),
          formatValue(mean(before), "share"),
          withSpread(after, (value) => formatValue(value, "share")),
          gone.length === 0 ? "–" : `${withSpread(gone, (value) => String(Math.round(value * 100)))} %`,
        ];
      });
  });
  return { header: ["runs", "difficulty", "seeds", "pass@1 before", "after", "errors gone"], rows };
}

function withSpread(values: readonly number[], format: (value: number) => string): string {
  if (values.length < 2) return format(mean(values));
  return `${format(mean(values))} ± ${format(deviation(values))}`;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation with divisor n − 1. */
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/** Settings that not all of these runs share: one row a key, one column a group. */
export function differences(groups: readonly RunGroup[]): NumberTable {
  const configs = groups.map(({ runs }) => runs[0].state.config as Readonly<Record<string, unknown>>);
  const keys = [...new Set(configs.flatMap((config) => Object.keys(config)))].filter(
    (key) => key !== "seed" && key !== "threads",
  );
  const rows = keys
    .map((key) => [key, ...configs.map((config) => visibleLine(String(config[key] ?? "–"), 80))])
    .filter(([, ...values]) => new Set(values).size > 1);
  return { header: ["setting", ...groups.map(({ name }) => name)], rows };
}
