// Reads a run back as the contract suite of stores wants it: what a step was, from its rows.
import { join } from "node:path";
import { allRows, eachRow, openDatabaseForReading, translateErrors } from "../../src/store/database.ts";
import { readEvaluations, readQuestion, readVerdict } from "../../src/store/read-rows.ts";
import type { RecordedGroup, RecordedRun, RecordedStep } from "../../src/testing/store-contract.ts";

interface StepRow {
  readonly id: number;
  readonly step: number;
  readonly seconds: number;
}

interface GroupRow {
  readonly proposal: number;
  readonly question: string;
  readonly key: string;
  readonly difficulty: number;
  readonly tests: string | null;
  readonly verdict: string;
  readonly proposer_reward: number;
  readonly signal: RecordedGroup["signal"];
  readonly label_right: number | null;
  readonly accuracy: number | null;
}

/** The current steps of a run in order, read one at a time. */
function* readSteps(database: ReturnType<typeof openDatabaseForReading>, runId: number): Generator<RecordedStep> {
  const steps = database.prepare(
    "SELECT id, step, seconds FROM steps WHERE run_id = ? AND superseded = 0 ORDER BY step",
  );
  const metrics = database.prepare("SELECT name, value FROM metrics WHERE step_id = ?");
  const groups = database.prepare(
    `SELECT proposal, question, key, difficulty, tests, verdict, proposer_reward, signal, label_right, accuracy
       FROM questions WHERE run_id = ? AND step = ? AND superseded = 0 ORDER BY position`,
  );
  for (const { id, step, seconds } of eachRow<StepRow>(steps, runId)) {
    yield {
      step,
      seconds,
      metrics: Object.fromEntries(
        allRows<{ name: string; value: number | null }>(metrics, id).map((row) => [row.name, row.value ?? Number.NaN]),
      ),
      groups: allRows<GroupRow>(groups, runId, step).map((row) => ({
        question: readQuestion(row.question, row.key, row.difficulty, row.tests),
        proposal: row.proposal,
        verdict: readVerdict(row.verdict),
        proposerReward: row.proposer_reward,
        signal: row.signal,
        truth:
          row.accuracy === null
            ? null
            : { labelRight: row.label_right === null ? null : row.label_right === 1, accuracy: row.accuracy },
      })),
    };
  }
}

/** Everything that is recorded of a run, without superseded rows. Throws FileFormatError for a damaged database. */
export function readRun(workspace: string, run: string): RecordedRun {
  const path = join(workspace, "sqlm.db");
  const database = openDatabaseForReading(path);
  try {
    return translateErrors(path, () => {
      const { id } = database.prepare("SELECT id FROM runs WHERE name = ?").get(run) as { id: number };
      return { steps: [...readSteps(database, id)], evaluations: readEvaluations(database, id) };
    });
  } finally {
    database.close();
  }
}
