// What can be said of a run whose labels nobody can check: how much of one mind the model is and whether it keeps to the form,
// and that none of this is accuracy. Pure numbers over recorded metrics.

/** Values of metrics over a run's steps; null or NaN where nothing was measured. */
export type MetricColumns = Readonly<Record<string, readonly (number | null)[] | undefined>>;

/** The ends of a run that are compared: single steps are noise. */
const stepsOfAnEnd = 3;

interface Shown {
  readonly metric: string;
  readonly says: string;
  /** Whether the metric counts what is bad. */
  readonly inverted?: true;
  readonly unit?: string;
}

const shown: readonly Shown[] = [
  { metric: "agreement", says: "agreement" },
  { metric: "restatementAgreement", says: "both forms of a question elect the same answer" },
  { metric: "unreadableShare", says: "readable answers", inverted: true },
  { metric: "malformedShare", says: "readable questions", inverted: true },
  { metric: "answerEntropy", says: "entropy of answers", unit: " nats" },
  { metric: "topAnswerShare", says: "questions with the most common answer" },
];

/** Above this share of questions with one answer, a model may have stopped reading them. */
const constantAnswer = 0.3;

/**
 * Sentences about the run, first steps against last; null where no step was recorded. For topics without a checker, or one that
 * knows held-out questions only.
 */
export function healthLine(metrics: MetricColumns): string | null {
  const ends = shown.flatMap(({ metric, says, inverted, unit = "" }) => {
    const values = (metrics[metric] ?? []).filter((value) => value !== null).filter(Number.isFinite);
    if (values.length === 0) return [];
    const of = (some: readonly number[]): number => {
      const mean = some.reduce((sum, value) => sum + value, 0) / some.length;
      return inverted ? 1 - mean : mean;
    };
    const [first, last] = [of(values.slice(0, stepsOfAnEnd)), of(values.slice(-stepsOfAnEnd))];
    return [{ metric, last, text: `${says} ${share(first)} → ${share(last)}${unit}` }];
  });
  if (ends.length === 0) return null;
  const top = ends.find(({ metric }) => metric === "topAnswerShare")?.last ?? 0;
  return [
    `First steps → last steps: ${ends.map(({ text }) => text).join(", ")}.`,
    ...(top > constantAnswer
      ? [
          `${Math.round(top * 100)} % of the questions elected one and the same answer: the model may have stopped reading them.`,
        ]
      : []),
    "These say how much of one mind the model is and whether it keeps to the form. None of them is accuracy: a model that repeats one mistake agrees with itself.",
  ].join(" ");
}

const share = (value: number): string => value.toFixed(2).replace(/^(-?)0\./, "$1.");
