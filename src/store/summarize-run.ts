// The summary of a run, from its record alone: what `sqlm run --json` prints at the end is what can be read at any later
// time, also of a run that was interrupted and resumed.
import type { RunSummary } from "../events.ts";
import { allRows, firstRow } from "./database.ts";
import { idOf, type Reader, runOverview } from "./queries.ts";
import { readAtOnce } from "./read-at-once.ts";

/**
 * Sums up a run as far as it has come. Ends of `proposedDifficulty` are 0 when no step had a question; `checkpoint` is
 * empty when there is none. Throws UsageError for an unknown run.
 * @param frontier difficulty at which `best` is measured; null where the topic has no hidden truth
 */
export function summarizeRun(reader: Reader, run: string, frontier: number | null): RunSummary {
  return readAtOnce(reader, () => summary(reader, run, frontier));
}

function summary(reader: Reader, run: string, frontier: number | null): RunSummary {
  const { evaluations, checkpoints, lastStep } = runOverview(reader, run);
  const first = evaluations.find(({ step }) => step === 0) ?? null;
  const last = evaluations.at(-1) ?? null;
  let best: RunSummary["best"] = null;
  for (const { step, levels } of evaluations) {
    const passAt1 = levels.find(({ difficulty }) => difficulty === frontier)?.passAt1;
    if (passAt1 !== undefined && (best === null || passAt1 > best.passAt1)) best = { step, passAt1 };
  }
  return {
    run,
    checkpoint: checkpoints.at(-1)?.folder ?? "",
    steps: lastStep,
    seconds: Math.round(secondsOf(reader, run) * 10) / 10,
    frontier,
    before: first === null ? null : { levels: first.levels },
    after: last === null ? null : { levels: last.levels },
    best,
    proposedDifficulty: { first: meanDifficulty(reader, run, "min"), last: meanDifficulty(reader, run, "max") },
  };
}

/**
 * Wall-clock seconds from each start of the run to the last thing that is kept of it before the next: what a killed
 * process did after its last checkpoint, and the time in which nothing ran, do not count.
 */
function secondsOf(reader: Reader, run: string): number {
  const query = `SELECT coalesce(sum(max(0, recorded - before)), 0) AS milliseconds FROM (
    SELECT type, recorded, lag(recorded) OVER (ORDER BY id) AS before FROM events WHERE run_id = ? AND superseded = 0)
    WHERE type <> 'run-start' AND before IS NOT NULL`;
  const row = firstRow<{ milliseconds: number }>(reader.database.prepare(query), idOf(reader, run));
  return (row?.milliseconds ?? 0) / 1000;
}

/** Mean difficulty of the questions of the first (`min`) or last step that has any; 0 where none has. */
function meanDifficulty(reader: Reader, run: string, which: "min" | "max"): number {
  const query = `SELECT difficulty FROM questions WHERE run_id = ?1 AND superseded = 0
    AND step = (SELECT ${which}(step) FROM questions WHERE run_id = ?1 AND superseded = 0) ORDER BY position`;
  const rows = allRows<{ difficulty: number }>(reader.database.prepare(query), idOf(reader, run));
  return rows.reduce((sum, { difficulty }) => sum + difficulty, 0) / Math.max(1, rows.length);
}
