// Any table of a workspace as JSON Lines or Parquet, read row by row so that memory stays flat. Superseded rows and
// internal ids are left out: a row is named by its run, step and position. Metrics for TensorBoard: see tensorboard.ts.
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { type BasicType, fileWriter, parquetWriteRows } from "hyparquet-writer";
import { eachRow, translateErrors } from "./database.ts";
import { type Decode, listRuns, type Reader, runInfo } from "./queries.ts";
import { unpackLogprobs, unpackTokens } from "./token-blob.ts";

/** What a column holds; `json` is an object or array, `tokens` an array of ids, `logprobs` one of a number for each of them. */
type ColumnType = "string" | "integer" | "number" | "boolean" | "json" | "tokens" | "logprobs";

interface ColumnDefinition {
  readonly name: string;
  readonly type: ColumnType;
  readonly sql: string;
}

interface TableDefinition {
  readonly columns: readonly ColumnDefinition[];
  readonly from: string;
}

/** Columns that hold wall-clock time: all that may differ between two runs of the same config and seed. */
export const wallClockColumns: readonly string[] = ["created", "seconds", "timing"];

function columns(type: ColumnType, names: Readonly<Record<string, string>>): ColumnDefinition[] {
  return Object.entries(names).map(([name, sql]) => ({ name, type, sql }));
}

const step = columns("integer", { step: "step" });
const completionColumns = (table: string, prompt: string): ColumnDefinition[] => [
  ...columns("string", { reason: `${table}.reason`, stopReason: `${table}.stop_reason` }),
  ...columns("number", {
    logprobSum: `${table}.logprob_sum`,
    logprobMin: `${table}.logprob_min`,
    reward: `${table}.reward`,
    advantage: `${table}.advantage`,
  }),
  ...columns("tokens", { promptTokens: prompt, tokens: `${table}.tokens` }),
];

// `from` takes the run's id as its one parameter, and gives rows in an order that no clock decides.
const tables = {
  runs: {
    columns: [
      ...columns("string", { created: "created", status: "status" }),
      ...columns("string", { experiment: "experiment", variant: "variant", control: "control" }),
      ...columns("integer", { lastStep: "last_step" }),
      ...columns("json", { config: "config" }),
    ],
    from: "runs WHERE id = ?",
  },
  events: {
    columns: [...step, ...columns("string", { type: "type" }), ...columns("json", { event: "json" })],
    from: "events WHERE run_id = ? AND superseded = 0 ORDER BY id",
  },
  steps: {
    columns: [
      ...columns("integer", {
        step: "step",
        proposals: "proposals",
        questions: "questions",
        answers: "answers",
        trained: "trained",
      }),
      ...columns("number", { seconds: "seconds" }),
      ...columns("json", { timing: "timing" }),
    ],
    from: "steps WHERE run_id = ? AND superseded = 0 ORDER BY step",
  },
  metrics: {
    columns: [...step, ...columns("string", { name: "name" }), ...columns("number", { value: "value" })],
    from: "steps JOIN metrics ON metrics.step_id = steps.id WHERE run_id = ? AND superseded = 0 ORDER BY step, name",
  },
  proposals: {
    columns: [
      ...columns("integer", { step: "steps.step", position: "position" }),
      ...columns("string", { question: "question", key: "key" }),
      ...columns("number", { difficulty: "difficulty" }),
      ...completionColumns("proposals", "proposals.prompt"),
      ...columns("json", { tests: "tests" }),
    ],
    from: `steps JOIN proposals ON proposals.step_id = steps.id WHERE run_id = ? AND superseded = 0
      ORDER BY steps.step, position`,
  },
  questions: {
    columns: [
      ...columns("integer", { step: "step", position: "position", proposal: "proposal" }),
      ...columns("string", { question: "question", key: "key", winner: "winner", signal: "signal" }),
      ...columns("number", { difficulty: "difficulty", agreement: "agreement", proposerReward: "proposer_reward" }),
      ...columns("boolean", { labelRight: "label_right" }),
      ...columns("number", { accuracy: "accuracy", taught: "taught" }),
      ...columns("json", { tests: "tests", verdict: "verdict" }),
    ],
    from: "questions WHERE run_id = ? AND superseded = 0 ORDER BY step, position",
  },
  answers: {
    columns: [
      ...columns("integer", {
        step: "questions.step",
        questionPosition: "questions.position",
        position: "answers.position",
        form: "answers.form",
      }),
      ...columns("string", { question: "questions.question", value: "answers.value" }),
      ...completionColumns("answers", "prompts.tokens"),
      // Rounded: for looking at, as recorded (docs/decisions/0042).
      ...columns("logprobs", { logprobs: "answers.logprobs" }),
    ],
    // CROSS JOIN keeps this order of the loops, so that rows come sorted without a sort.
    from: `questions CROSS JOIN answers ON answers.question_id = questions.id
      CROSS JOIN prompts ON prompts.question_id = questions.id AND prompts.form = answers.form
      WHERE run_id = ? AND superseded = 0 ORDER BY questions.step, questions.position`,
  },
  checkpoints: {
    columns: [
      ...step,
      ...columns("string", { folder: "folder" }),
      ...columns("number", { bytes: "bytes" }),
      ...columns("boolean", { removed: "removed" }),
    ],
    from: "checkpoints WHERE run_id = ? AND superseded = 0 ORDER BY step",
  },
  evaluations: {
    columns: [
      ...step,
      ...columns("string", { topic: "topic" }),
      ...columns("number", {
        difficulty: "difficulty",
        passAt1: "pass_at_1",
        passAt1Low: "pass_at_1_low",
        passAt1High: "pass_at_1_high",
        greedy: "greedy",
        majAt16: "maj_at_16",
      }),
      ...columns("integer", { questions: "questions" }),
    ],
    from: "evaluations WHERE run_id = ? AND superseded = 0 ORDER BY step, difficulty",
  },
  guardEvents: {
    columns: [...step, ...columns("string", { detector: "detector", action: "action", message: "message" })],
    from: "guard_events WHERE run_id = ? AND superseded = 0 ORDER BY id",
  },
  anomalies: {
    columns: [...step, ...columns("string", { kind: "kind", message: "message" })],
    from: "anomalies WHERE run_id = ? AND superseded = 0 ORDER BY id",
  },
} satisfies Readonly<Record<string, TableDefinition>>;

export type ExportTable = keyof typeof tables;

/** Names of the tables that can be exported. */
export const exportTables = Object.keys(tables) as readonly ExportTable[];

export interface ExportOptions {
  /** One run; all runs, oldest first, where it is not given. */
  readonly run?: string;
  /** Adds the columns `prompt` and `text` to tables that have tokens. */
  readonly decode?: Decode;
}

export type ExportRow = Readonly<Record<string, unknown>>;

/** Rows of a table, one at a time. Throws UsageError for an unknown run. */
export function* tableRows(reader: Reader, table: ExportTable, options: ExportOptions = {}): Generator<ExportRow> {
  const runs = options.run === undefined ? listRuns(reader) : [runInfo(reader, options.run)];
  const definition: TableDefinition = tables[table];
  const selected = definition.columns.map(({ name, sql }) => `${sql} AS "${name}"`).join(", ");
  const statement = translateErrors(reader.path, () =>
    reader.database.prepare(`SELECT ${selected} FROM ${definition.from}`),
  );
  const id = reader.database.prepare("SELECT id FROM runs WHERE name = ?");
  try {
    for (const { run } of runs) {
      const runId = Number(id.get(run)?.["id"]);
      for (const stored of eachRow<Record<string, unknown>>(statement, runId)) {
        yield readRow(run, definition, stored, options.decode);
      }
    }
  } catch (error) {
    translateErrors(reader.path, () => {
      throw error;
    });
  }
}

function readRow(
  run: string,
  definition: TableDefinition,
  stored: Readonly<Record<string, unknown>>,
  decode: Decode | undefined,
): ExportRow {
  const row: Record<string, unknown> = { run };
  for (const { name, type } of definition.columns) {
    const value = stored[name];
    if (value === null) row[name] = null;
    else if (type === "tokens") row[name] = unpackTokens(value as Uint8Array);
    else if (type === "logprobs") row[name] = unpackLogprobs(value as Uint8Array);
    else if (type === "json") row[name] = JSON.parse(value as string);
    else row[name] = type === "boolean" ? value === 1 : value;
  }
  if (decode !== undefined && "tokens" in row) {
    row["prompt"] = decode(row["promptTokens"] as number[]);
    row["text"] = decode(row["tokens"] as number[]);
  }
  return row;
}

/** Writes a table as JSON Lines, aside and renamed into place. Returns the number of rows. */
export function exportJsonl(reader: Reader, table: ExportTable, path: string, options: ExportOptions = {}): number {
  let count = 0;
  writeAside(path, (aside) => {
    const file = openSync(aside, "w");
    try {
      let lines = "";
      for (const row of tableRows(reader, table, options)) {
        lines += `${JSON.stringify(row)}\n`;
        count++;
        if (lines.length < 1 << 20) continue;
        writeSync(file, lines);
        lines = "";
      }
      writeSync(file, lines);
    } finally {
      closeSync(file);
    }
  });
  return count;
}

const parquetTypes: Readonly<Record<ColumnType, BasicType>> = {
  string: "STRING",
  integer: "INT32",
  number: "DOUBLE",
  boolean: "BOOLEAN",
  json: "JSON",
  tokens: "JSON",
  logprobs: "JSON",
};

/** Rows that are in memory at a time, and a row group of the file. */
const rowGroupSize = 20_000;

/** Writes a table as Parquet (tokens and objects as JSON columns). Returns the number of rows. */
export function exportParquet(reader: Reader, table: ExportTable, path: string, options: ExportOptions = {}): number {
  const definition: TableDefinition = tables[table];
  const columns = [{ name: "run", type: "STRING" as BasicType }].concat(
    definition.columns.map(({ name, type }) => ({ name, type: parquetTypes[type] })),
  );
  if (options.decode !== undefined && definition.columns.some((column) => column.type === "tokens")) {
    columns.push({ name: "prompt", type: "STRING" }, { name: "text", type: "STRING" });
  }
  let count = 0;
  function* counted(): Generator<Record<string, unknown>> {
    for (const row of tableRows(reader, table, options)) {
      count++;
      yield row;
    }
  }
  writeAside(path, (aside) => {
    // The file writer is synchronous, so this returns when all is written.
    parquetWriteRows({ writer: fileWriter(aside), rows: counted(), columns, rowGroupSize });
  });
  return count;
}

/** Lets `write` fill a file beside `path`, then renames it; nothing is left behind when it throws. */
function writeAside(path: string, write: (aside: string) => void): void {
  const aside = `${path}.writing`;
  try {
    write(aside);
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}
