// The tables of a report, whatever it is written as. Pure.
import type { KindMap, QuestionRow, RunState } from "./api.ts";
import { trendOf } from "./kind-trends.ts";
import { formatValue, type NumberTable, span } from "./pictures.ts";
import { visibleLine } from "./visible.ts";

/** How the run stands, in one line. */
export function standing({ run, status, lastStep, config, created, totals }: RunState): string {
  return (
    `${run}: ${status} at step ${lastStep} of ${config.steps}, topic ${visibleLine(config.topic, 80)}, seed ${config.seed}, ` +
    `started ${created.slice(0, 16).replace("T", " ")} UTC. ${totals.questions} questions, ${totals.answers} answers, ` +
    `${totals.trained} questions taught.`
  );
}

/** First and last evaluation, level by level; null where there are none. */
export function evaluationTable({ evaluations }: RunState): NumberTable | null {
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  if (first === undefined || last === undefined) return null;
  return {
    header: ["difficulty", `step ${first.step}`, `step ${last.step}`, "95 % interval", "greedy", "maj@16", "questions"],
    rows: last.levels.map((level) => [
      String(level.difficulty),
      formatValue(first.levels.find(({ difficulty }) => difficulty === level.difficulty)?.passAt1 ?? null, "share"),
      formatValue(level.passAt1, "share"),
      `${formatValue(level.passAt1Interval[0], "share")} to ${formatValue(level.passAt1Interval[1], "share")}`,
      formatValue(level.greedy, "share"),
      formatValue(level.majAt16, "share"),
      String(level.questions),
    ]),
  };
}

/** Questions with their votes. Cells are text that a model wrote, made visible; whoever writes it escapes. */
export function questionTable(questions: readonly QuestionRow[]): NumberTable {
  return {
    header: ["step", "question", "difficulty", "agreement", "votes", "label"],
    rows: questions.map(({ step, question, agreement, verdict, labelRight }) => [
      String(step),
      visibleLine(question.text, 120),
      String(Number(question.difficulty.toPrecision(4))),
      formatValue(agreement, "share"),
      verdict.kind === "vote"
        ? verdict.counts
            .slice(0, 4)
            .map(([value, votes]) => `${visibleLine(value, 24)} ×${votes}`)
            .join(", ")
        : `${Math.round(verdict.meanPassFraction * 100)} % of tests passed`,
      labelRight === null ? "unknown" : labelRight ? "right" : "wrong",
    ]),
  };
}

export function kindTable({ kinds, asked }: KindMap): NumberTable {
  return {
    header: ["kind", "questions", "levels", "trend", "taught", "labels right", "latest"],
    rows: kinds.map((kind) => [
      visibleLine(kind.kind, 80),
      String(kind.questions),
      span([kind.lowestDifficulty, kind.highestDifficulty]),
      trendOf(kind.counts, asked),
      `${Math.round((kind.trained / kind.questions) * 100)} %`,
      kind.labelled === 0 ? "unknown" : formatValue(kind.right / kind.labelled, "share"),
      visibleLine(kind.example.text, 60),
    ]),
  };
}

/** Settings of a run. */
export function settingsTable({ config }: RunState): NumberTable {
  return {
    header: ["setting", "value"],
    rows: Object.entries(config).map(([key, value]) => [key, visibleLine(String(value), 200)]),
  };
}
