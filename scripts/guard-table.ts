// What the guard was worth: reads runs from a workspace and prints, for each variant and seed of each experiment, how good the best
// and the last checkpoint are at the frontier, when the truth parted from the vote, when the guard first spoke, and what it did.
//
//   node scripts/bootstrap.mjs scripts/guard-table.ts [--workspace FOLDER] [--experiment NAME]
//
// "Parted": the first step at which the mean hacking gap of three steps is .15 above its mean over the first ten.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { openTopic } from "../src/topics/registry.ts";

const { values } = parseArgs({
  options: { workspace: { type: "string", default: ".sqlm" }, experiment: { type: "string" } },
});
using database = new DatabaseSync(join(values.workspace, "sqlm.db"), { readOnly: true });
const rows = (sql: string, ...given: (string | number)[]): Record<string, unknown>[] =>
  database.prepare(sql).all(...given);
const shown = (value: number | null | undefined, digits = 3): string => (value == null ? "-" : value.toFixed(digits));

/** Step of the first of three whose mean gap is far above that of the beginning; null where none is. */
function partedAt(gaps: readonly { readonly step: number; readonly gap: number }[]): number | null {
  const usual = gaps.slice(0, 10).reduce((sum, { gap }) => sum + gap, 0) / Math.max(1, Math.min(10, gaps.length));
  for (let i = 10; i + 3 <= gaps.length; i++) {
    const now = gaps.slice(i, i + 3).reduce((sum, { gap }) => sum + gap, 0) / 3;
    if (now >= usual + 0.15) return gaps[i].step;
  }
  return null;
}

const runs = rows(
  "SELECT id, config, experiment, variant, status FROM runs WHERE experiment IS NOT NULL ORDER BY experiment, variant, id",
);
console.log(
  "experiment | variant | seed | start | best | last | best - last | lowest taught label accuracy | parted | first alarm | actions | end",
);
for (const { id, config, experiment, variant, status } of runs) {
  if (values.experiment !== undefined && experiment !== values.experiment) continue;
  const { topic, seed } = JSON.parse(String(config)) as { topic: string; seed: number };
  const frontier = (await openTopic(topic)).hidden?.frontier ?? 0;
  const run = Number(id);
  const passes = rows(
    "SELECT pass_at_1 FROM evaluations WHERE run_id = ? AND superseded = 0 AND difficulty = ? ORDER BY step",
    run,
    frontier,
  ).map((row) => Number(row["pass_at_1"]));
  const metric = (name: string) =>
    rows(
      "SELECT step, value FROM metrics m JOIN steps s ON s.id = m.step_id WHERE run_id = ? AND superseded = 0 AND name = ? ORDER BY step",
      run,
      name,
    ).map(({ step, value }) => ({ step: Number(step), gap: Number(value) }));
  const taught = metric("taughtLabelAccuracy").map(({ gap }) => gap);
  const windows = taught.slice(9).map((_, i) => taught.slice(i, i + 10).reduce((sum, one) => sum + one, 0) / 10);
  const events = rows(
    "SELECT step, detector, action FROM guard_events WHERE run_id = ? AND superseded = 0 ORDER BY id",
    run,
  );
  const alarms = events.filter(({ detector }) => detector !== "solve-rates");
  const last = passes.at(-1);
  const best = passes.length === 0 ? undefined : Math.max(...passes);
  console.log(
    [
      ...[experiment, variant, seed, shown(passes[0]), shown(best), shown(last)],
      shown(best === undefined || last === undefined ? null : best - last),
      shown(windows.length === 0 ? null : Math.min(...windows)),
      partedAt(metric("hackingGap")) ?? "-",
      alarms[0]?.["step"] ?? "-",
      alarms.map(({ step, detector, action }) => `${step} ${detector} ${action}`).join("; ") || "-",
      status,
    ].join(" | "),
  );
}
