// Writes the rows that an event has beside its line in `events`. Statements are prepared once a connection; the caller
// holds the transaction. Checkpoints are recorded by who saves them (run-store.ts), not from their event.
import type { DatabaseSync } from "node:sqlite";
import type { RunEvent } from "../events.ts";
import { prepareStepWriter } from "./record-step.ts";

/** Writes an event's rows for the run with this id, at this time in milliseconds. */
export type EventWriter = (runId: number, event: RunEvent, recorded: number) => void;

export function prepareEventWriter(database: DatabaseSync): EventWriter {
  const writeStep = prepareStepWriter(database);
  const setStatus = database.prepare("UPDATE runs SET status = ? WHERE id = ?");
  const setLastStep = database.prepare("UPDATE runs SET last_step = ? WHERE id = ?");
  const supersedeEvaluation = database.prepare(
    "UPDATE evaluations SET superseded = 1 WHERE run_id = ? AND step = ? AND superseded = 0",
  );
  const insertLevel = database.prepare(
    `INSERT INTO evaluations (run_id, step, topic, difficulty, pass_at_1, pass_at_1_low, pass_at_1_high, greedy, maj_at_16,
       questions, recorded) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertGuard = database.prepare(
    "INSERT INTO guard_events (run_id, step, detector, action, message, recorded) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const insertAnomaly = database.prepare(
    "INSERT INTO anomalies (run_id, step, kind, message, recorded) VALUES (?, ?, ?, ?, ?)",
  );

  return (runId, event, recorded) => {
    switch (event.type) {
      case "run-start":
        setStatus.run("running", runId);
        break;
      case "run-end":
        setStatus.run(event.reason, runId);
        break;
      case "step-end":
        writeStep(runId, event.record, recorded);
        setLastStep.run(event.record.step, runId);
        break;
      case "evaluation-end": {
        const { step, evaluation } = event;
        supersedeEvaluation.run(runId, step);
        for (const level of evaluation.levels) {
          const { difficulty, passAt1, greedy, majAt16, questions } = level;
          const [low, high] = level.passAt1Interval;
          const { topic } = evaluation;
          insertLevel.run(runId, step, topic, difficulty, passAt1, low, high, greedy, majAt16, questions, recorded);
        }
        break;
      }
      case "guard":
        insertGuard.run(runId, event.step, event.detector, event.action, event.message, recorded);
        break;
      case "anomaly":
        insertAnomaly.run(runId, event.step, event.kind, event.message, recorded);
        break;
      case "checkpoint-saved":
        break;
    }
  };
}
