// The pictures of one run: is it learning, what does it ask, what teaches, how sure is it, what does it cost. A picture
// whose numbers were not recorded is left out; one that cannot be drawn honestly says so in words. Pure.
import type { Column, QuestionGrid, RunState, StepColumns } from "./api.ts";
import {
  climb,
  entropy,
  gap,
  gradient,
  kl,
  lengths,
  loss,
  type MetricPicture,
  metricPicture,
  overSteps,
  refusals,
  rewards,
  sameness,
  tests,
  truncation,
} from "./metric-pictures.ts";
import type { GridPicture, Line, LinePicture, Picture, PictureGroup } from "./pictures.ts";

export interface RunNumbers {
  readonly state: RunState;
  readonly steps: StepColumns;
  readonly difficulty: QuestionGrid;
  readonly solveRate: QuestionGrid;
}

/** All pictures of a run, in the order in which they answer questions. */
export function runPictures({ state, steps, difficulty, solveRate }: RunNumbers): PictureGroup[] {
  const over = (picture: MetricPicture): LinePicture | null => metricPicture(steps, picture);
  const groups: { title: string; pictures: (Picture | null)[] }[] = [
    {
      title: "Is it learning?",
      pictures: [heldOut(state), voteAndTruth(state, steps), accuracyByLevel(difficulty), over(climb), probes(steps)],
    },
    {
      title: "What does it ask?",
      pictures: [difficultyGrid(difficulty), solveRateGrid(state, solveRate), over(refusals)],
    },
    { title: "What teaches?", pictures: [signals(steps), over(rewards), over(tests)] },
    { title: "How sure is it?", pictures: [over(entropy), over(sameness), over(kl), over(gap)] },
    { title: "How do the updates go?", pictures: [over(gradient), over(loss)] },
    {
      title: "What does it cost?",
      pictures: [stages(steps), throughput(steps), over(lengths), over(truncation), memory(steps)],
    },
  ];
  return groups
    .map(({ title, pictures }) => ({ title, pictures: pictures.filter((picture) => picture !== null) }))
    .filter(({ pictures }) => pictures.length > 0);
}

function heldOut({ evaluations }: RunState): LinePicture | null {
  if (evaluations.length === 0) return null;
  const difficulties = new Set(evaluations.flatMap(({ levels }) => levels.map(({ difficulty }) => difficulty)));
  const lines = [...difficulties]
    .sort((a, b) => a - b)
    .map((level, tone): Line => {
      const found = evaluations.map(({ levels }) => levels.find(({ difficulty }) => difficulty === level));
      return {
        name: `difficulty ${level}`,
        values: found.map((one) => one?.passAt1 ?? null),
        low: found.map((one) => one?.passAt1Interval[0] ?? null),
        high: found.map((one) => one?.passAt1Interval[1] ?? null),
        tone,
      };
    });
  return {
    kind: "lines",
    id: "held-out",
    title: "Accuracy on held-out questions",
    about: "pass@1 at each difficulty, with 95 % intervals, on questions that training never saw. This is the result.",
    x: evaluations.map(({ step }) => step),
    format: "share",
    range: [0, 1],
    stacked: false,
    dots: true,
    lines,
    zone: null,
  };
}

function voteAndTruth({ knowsTruth, trial }: RunState, steps: StepColumns): LinePicture | null {
  const { metrics } = steps;
  const about = !knowsTruth
    ? "How far answers agree. Whether they are right is not known: this topic has no checker."
    : trial?.control === "oracle"
      ? "A control: labels are the truth here, so agreement is the share of right answers and labels are right by construction."
      : "Votes are honest where labels stay right. Agreement that rises while labels go wrong is a model that agrees with itself on mistakes.";
  return overSteps(
    steps,
    [
      ["agreement", metrics["agreement"]],
      ["labels right", metrics["labelAccuracy"]],
      ["labels right where it taught", metrics["taughtLabelAccuracy"]],
      ["answers right", metrics["accuracy"]],
    ],
    { id: "vote", title: knowsTruth ? "The vote against the truth" : "Agreement", about, range: [0, 1] },
  );
}

/** What the guard sees at its looks; the steps between them have no values. */
function probes({ metrics, ...steps }: StepColumns): LinePicture | null {
  const looks = steps.steps.flatMap((_, i) => (metrics["probe.agreement"]?.[i] == null ? [] : [i]));
  const at = (metric: string): Column | undefined => {
    const column = metrics[metric];
    return column && looks.map((i) => column[i] ?? null);
  };
  return overSteps(
    { ...steps, metrics, steps: looks.map((i) => steps.steps[i]) },
    [
      ["all forms agree", at("probe.restatementAgreement")],
      ["solved at first, now forms disagree", at("probe.split")],
      ["sure within a form", at("probe.agreement")],
      ["solved at first, now another winner", at("probe.lost")],
    ],
    {
      id: "probes",
      title: "Fixed questions that are never taught",
      about:
        "What the guard looks at, without a checker. Honest votes agree across forms as much as within one; what was solved at first and is lost makes it act.",
      range: [0, 1],
    },
  );
}

/** Levels with this many lines at most; the most asked are shown. */
const mostLevels = 8;

function accuracyByLevel({ rows, columns, cells }: QuestionGrid): LinePicture | null {
  const judged = cells.filter(({ accuracy }) => accuracy !== null);
  if (judged.length === 0) return null;
  const asked = rows.map((_, row) =>
    judged.filter((cell) => cell.row === row).reduce((sum, cell) => sum + cell.questions, 0),
  );
  const total = asked.reduce((sum, count) => sum + count, 0);
  const shown = rows
    .map((_, row) => row)
    // A handful of questions makes a curve of noise.
    .filter((row) => asked[row] >= Math.max(2, 0.01 * total))
    .sort((a, b) => asked[b] - asked[a])
    .slice(0, mostLevels)
    .sort((a, b) => a - b);
  const at = new Map(judged.map((cell) => [`${cell.row} ${cell.column}`, cell.accuracy]));
  return {
    kind: "lines",
    id: "levels",
    title: "Answers right, by difficulty of its own questions",
    about:
      "Share of answers that are right, on the questions that the model asked itself. Questions change, so this is no result.",
    x: columns.map(([, to]) => to),
    format: "share",
    range: [0, 1],
    stacked: false,
    dots: false,
    lines: shown.map((row, tone) => ({
      name: `difficulty ${rowName(rows[row])}`,
      values: columns.map((_, column) => at.get(`${row} ${column}`) ?? null),
      tone,
      dashed: tone % 2 === 1,
    })),
    zone: null,
  };
}

function rowName([low, high]: readonly [number, number]): string {
  const short = (value: number): string => String(Number(value.toPrecision(3)));
  return low === high ? short(low) : `${short(low)}–${short(high)}`;
}

/** Cells as shares of their column's questions. */
function grid(source: QuestionGrid): Pick<GridPicture, "columns" | "cells" | "numbers"> {
  const numbers = source.rows.map(() => source.columns.map((): number | null => 0));
  for (const { row, column, questions } of source.cells) numbers[row][column] = questions;
  const totals = source.columns.map((_, column) => numbers.reduce((sum, row) => sum + (row[column] ?? 0), 0));
  const share = (value: number | null, column: number): number | null =>
    totals[column] === 0 ? null : (value ?? 0) / totals[column];
  return { columns: source.columns, cells: numbers.map((row) => row.map(share)), numbers };
}

export function difficultyGrid(source: QuestionGrid): GridPicture | null {
  if (source.cells.length === 0) return null;
  return {
    kind: "grid",
    id: "difficulty",
    title: "Difficulty of its own questions",
    about:
      "Each column is a histogram of the questions of a few steps: the darker, the more. Healthy questions follow the solver upwards.",
    ...grid(source),
    rows: source.rows.map(rowName),
    unit: "questions",
    zone: null,
  };
}

function solveRateGrid({ config }: RunState, source: QuestionGrid): GridPicture | null {
  if (source.cells.length === 0) return null;
  const useful = usefulBand(config);
  const row = (share: number): number => Math.min(source.rows.length - 1, Math.floor(share * source.rows.length));
  return {
    kind: "grid",
    id: "solve-rates",
    title: "Solve rates of its own questions",
    about:
      useful === null
        ? "Share of answers that won the vote, or of tests passed: at 1 there is nothing to learn, near 0 nothing to go by."
        : `Share of answers that won the vote, or of tests passed. The frame is the band that pays the proposer (${useful[0].toFixed(2)} to ${useful[1].toFixed(2)}).`,
    ...grid(source),
    rows: source.rows.map(([low, high]) => `${low.toFixed(1)}–${high.toFixed(1)}`),
    unit: "questions",
    zone: useful === null ? null : { low: row(useful[0]), high: row(useful[1] - 1e-9), name: "useful band" },
  };
}

/** Solve rates that earn the proposer a reward; null where its formula has no band. */
function usefulBand({ proposerReward, bandLow, bandHigh, groupSize }: RunState["config"]): [number, number] | null {
  if (proposerReward === "band") return [bandLow, bandHigh];
  return proposerReward === "sqlm" ? [2 / groupSize, (groupSize - 1) / groupSize] : null;
}

const reasons = ["all-equal", "inconsistent", "tie", "low-agreement", "no-answer", "no-tests"];

function signals(steps: StepColumns): LinePicture | null {
  const columns = ["trained", ...reasons].map((name): readonly [string, Column | undefined] => {
    const values = steps.metrics[`groups.${name}`];
    // A reason that never was is no line.
    const never = values === undefined || values.every((value) => value === null || value === 0);
    return [name === "trained" ? "taught" : name, never ? undefined : values];
  });
  return overSteps(steps, columns, {
    id: "signals",
    title: "Groups with and without something to learn",
    about:
      "Every question is counted once. All-equal: too easy. Tie, inconsistent, low agreement: too hard to trust the vote.",
    format: "count",
    stacked: true,
  });
}

function stages(steps: StepColumns): LinePicture | null {
  const caption = {
    id: "time",
    title: "Time of a step",
    about: "Wall-clock seconds by stage.",
    format: "seconds",
    stacked: true,
  } as const;
  const names = Object.keys(steps.stages);
  if (names.length > 0)
    return overSteps(
      steps,
      names.map((name) => [name, steps.stages[name]]),
      caption,
    );
  return overSteps(steps, [["whole step", steps.counts.seconds]], {
    ...caption,
    about: "Wall-clock seconds. This run was recorded before stages were timed.",
  });
}

function perSecond(counts: Column, seconds: Column): Column {
  return counts.map((count, i) => {
    const time = seconds[i];
    return count === null || time === null || time === undefined || time <= 0 ? null : count / time;
  });
}

function throughput({ counts, ...steps }: StepColumns): LinePicture | null {
  return overSteps({ counts, ...steps }, [["answers a second", perSecond(counts.answers, counts.seconds)]], {
    id: "throughput",
    title: "Throughput",
    about: "Answers a second, over the whole step.",
    format: "number",
  });
}

function memory(steps: StepColumns): LinePicture | null {
  return overSteps(steps, [["memory", steps.memoryBytes]], {
    id: "memory",
    title: "Memory of the run's process",
    about: "After each step, all threads together.",
    format: "bytes",
  });
}
