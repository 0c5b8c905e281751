// Pictures that show recorded metrics as they are: their names, their words, and which metrics they are made of. Pure.
import type { Column, StepColumns } from "./api.ts";
import type { Format, Line, LinePicture } from "./pictures.ts";

export interface LineOptions {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly format?: Format;
  readonly range?: readonly [number, number];
  readonly stacked?: boolean;
}

/** A picture of columns over steps; null where none of them was recorded. */
export function overSteps(
  steps: StepColumns,
  columns: readonly (readonly [name: string, values: Column | undefined])[],
  { format = "share", range, stacked = false, ...caption }: LineOptions,
): LinePicture | null {
  // Colours go by place, so that a line keeps its colour where another is missing.
  const lines = columns.flatMap(([name, values], tone): Line[] =>
    values === undefined || values.every((value) => value === null)
      ? []
      : [{ name, values, tone, dashed: tone % 2 === 1 }],
  );
  if (lines.length === 0) return null;
  return {
    kind: "lines",
    ...caption,
    x: steps.steps,
    format,
    range: range ?? null,
    stacked,
    dots: false,
    lines,
    zone: null,
  };
}

export interface MetricPicture extends LineOptions {
  /** Names of lines with the metric that each shows. */
  readonly metrics: readonly (readonly [name: string, metric: string])[];
}

export function metricPicture(steps: StepColumns, { metrics, ...options }: MetricPicture): LinePicture | null {
  const columns = metrics.map(([name, metric]) => [name, steps.metrics[metric]] as const);
  return overSteps(steps, columns, options);
}

export const climb: MetricPicture = {
  id: "climb",
  title: "The climb",
  about:
    "Hardest level that the run's own probes find solved, by its place among the topic's levels. Questions are asked around it.",
  format: "number",
  metrics: [["frontier", "climbFrontier"]],
};

export const refusals: MetricPicture = {
  id: "refusals",
  title: "Proposals that are no question",
  about: "Shares of all proposals. Rising duplicates: the proposer narrows. Rising malformed: it forgets the form.",
  metrics: [
    ["malformed", "malformedShare"],
    ["duplicates", "duplicateShare"],
    ["held out", "heldOutShare"],
  ],
};

export const rewards: MetricPicture = {
  id: "rewards",
  title: "Rewards",
  about: "Means over answers and over proposals. A reward that rises is no proof of learning.",
  format: "number",
  metrics: [
    ["solver", "solverReward"],
    ["proposer", "proposerReward"],
  ],
};

export const tests: MetricPicture = {
  id: "tests",
  title: "The proposer's own tests",
  about: "Shares of all tests. Trusted ones expect what strictly most programs give.",
  range: [0, 1],
  metrics: [
    ["trusted", "trustedTestShare"],
    ["no program passes", "unagreedTestShare"],
    ["contradictory", "contradictoryTestShare"],
  ],
};

export const entropy: MetricPicture = {
  id: "entropy",
  title: "Entropy",
  about: "In nats. A fast fall of proposals: it asks one kind of question. Answers at 0: every group is of one mind.",
  format: "number",
  metrics: [
    ["a group's answers", "answerEntropy"],
    ["an answer's token", "tokenEntropy"],
    ["a proposal", "proposalEntropy"],
  ],
};

export const sameness: MetricPicture = {
  id: "sameness",
  title: "One answer to everything?",
  about: "Share of questions that elected the most common winner of the step: near 1, the vote is won without solving.",
  range: [0, 1],
  metrics: [
    ["questions with the same winner", "topAnswerShare"],
    ["unreadable answers", "unreadableShare"],
  ],
};

export const kl: MetricPicture = {
  id: "kl",
  title: "Distance from the starting model",
  about: "Estimated KL divergence, in nats a token. Jumps together with the reward are a sign of a hacked vote.",
  format: "number",
  metrics: [["KL", "kl"]],
};

export const gap: MetricPicture = {
  id: "gap",
  title: "Sampler against trainer",
  about:
    "Largest difference between a token's log-probability when sampled and when trained, in nats. With one update a step it is rounding alone.",
  format: "number",
  metrics: [
    ["largest gap", "largestLogprobGap"],
    ["share of tokens outside the clip range", "clipFraction"],
  ],
};

export const gradient: MetricPicture = {
  id: "gradient",
  title: "Gradient norm",
  about: "Before clipping. Jumps: lower the learning rate. 0: nothing was learned.",
  format: "number",
  metrics: [["gradient norm", "gradNorm"]],
};

export const loss: MetricPicture = {
  id: "loss",
  title: "Loss",
  about: "Near 0 by construction: advantages of a group add up to 0. It says nothing about progress.",
  format: "number",
  metrics: [["loss", "loss"]],
};

export const lengths: MetricPicture = {
  id: "lengths",
  title: "Length of answers",
  about: "Mean tokens, with the end token.",
  format: "number",
  metrics: [["tokens an answer", "answerTokens"]],
};

export const truncation: MetricPicture = {
  id: "truncation",
  title: "Answers that did not come by themselves",
  about:
    "Share of answers that reached the length limit before they ended, and of those whose reply ended without one, so that it was asked for.",
  metrics: [
    ["cut off", "truncatedShare"],
    ["asked for", "concludedShare"],
  ],
};
