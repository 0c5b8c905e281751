// `sqlm export`: takes a run's model or its data out of the workspace.
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Argument, type Command, Option } from "commander";
import { didYouMean, UsageError } from "../../errors.ts";
import { adapterConfigFile, adapterWeightsFile, isAdapterFolder } from "../../model/adapter.ts";
import { locateBase } from "../../model/base-identity.ts";
import { modelOfCheckpoint, parseRunModel, serverStateFile } from "../../model/checkpoint-folder.ts";
import { type ExportTable, exportJsonl, exportParquet, exportTables } from "../../store/export.ts";
import { makeFolder } from "../../store/make-folder.ts";
import { openReader, runInfo } from "../../store/queries.ts";
import { exportTensorboard } from "../../store/tensorboard.ts";
import { proposerFolder } from "../../types.ts";
import { checkpointOf, decoderOf } from "../checkpoint-of.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { formatTable } from "../format.ts";
import { type OpenedAs, openedAs, withBaseOption } from "../model-options.ts";
import { startProgress } from "../progress.ts";

type Format = "model" | "adapter" | "jsonl" | "parquet" | "tensorboard";

interface ExportOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly to: string;
  readonly tables?: string;
  readonly step?: string;
  readonly text?: boolean;
  readonly base?: string;
}

/** Files of a checkpoint folder that are the loop's own; a model for others does without. */
const loopFiles: ReadonlySet<string> = new Set([
  "state.json",
  "manifest.json",
  "optimizer.safetensors",
  proposerFolder,
]);

export function exportCommand(): Command {
  const command = makeCommand("export", "Take a run's model or data out.", [
    "sqlm export model RUN --to ./my-model                        a Hugging Face folder",
    "sqlm export model RUN/proposer --to ./my-proposer             the proposer, where it has weights of its own",
    "sqlm export adapter RUN --to ./my-adapter                    a PEFT adapter, of a run that trains one",
    "sqlm export parquet RUN --to ./data --tables questions,answers --text",
    "sqlm export tensorboard RUN --to ./logs",
  ]);
  return withBaseOption(withWorkspace(command))
    .addArgument(
      new Argument("<what>", "What to write.").choices(["model", "adapter", "jsonl", "parquet", "tensorboard"]),
    )
    .argument("<run>", "Name of the run.")
    .addOption(
      new Option("--to <folder>", "Folder to write into; it is made where there is none.").makeOptionMandatory(),
    )
    .option("--tables <names>", `Tables, separated by commas (default: all): ${exportTables.join(", ")}.`)
    .option("--step <count>", "Checkpoint of the model (default: the newest).")
    .option("--text", "Add the texts of prompts and completions to tables with tokens.")
    .action(async (what: Format, given: string, options: ExportOptions) => {
      const terminal = terminalOf(options);
      using reader = openReader(options.workspace);
      const named = parseRunModel(given);
      const ofModel = what === "model" || what === "adapter";
      const { run } = runInfo(reader, ofModel ? named.run : given);
      const to = resolve(options.to);
      if (ofModel) {
        const step = options.step === undefined ? undefined : readCount("--step", options.step);
        const from = modelOfCheckpoint(checkpointOf(reader, run, step), { ...named, run });
        if (what === "model") {
          const beside = options.base === undefined ? {} : { base: options.base };
          await exportModel(await openedAs(from, beside, terminal), to);
        } else await exportAdapter(from, run, to);
        terminal.say(`The ${what} of ${named.proposer ? `the proposer of ${run}` : run} is in ${to}`);
        terminal.result({ run, to, files: readdirSync(to).map((name) => join(to, name)) });
        return;
      }
      const tables = readTables(options.tables);
      openTarget(to);
      if (what === "tensorboard") {
        const path = exportTensorboard(reader, run, to);
        terminal.say(`Metrics of ${run} are in ${path}`);
        terminal.result({ run, to, files: [path] });
        return;
      }
      const decode = options.text === true ? { decode: await decoderOf(reader, run) } : {};
      const progress = startProgress(terminal, "exporting, table", tables.length);
      const written = tables.map((table, index) => {
        progress.update(index);
        const path = join(to, `${table}.${what}`);
        const write = what === "jsonl" ? exportJsonl : exportParquet;
        return { table, path, rows: write(reader, table, path, { run, ...decode }) };
      });
      progress.end();
      terminal.say(
        formatTable(
          ["table", "rows", "file"],
          written.map(({ table, rows, path }) => [table, String(rows), path]),
          terminal.tableColumns,
        ),
      );
      terminal.result({ run, to, tables: written });
    });
}

/** Throws UsageError where `--to` cannot be a folder to write into. */
function openTarget(to: string): void {
  try {
    makeFolder(to);
    accessSync(to, constants.W_OK);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new UsageError(`${to} cannot be written into (${code}).`, "Give a folder that is yours to write with --to.", {
      cause,
    });
  }
}

function readTables(names: string | undefined): readonly ExportTable[] {
  if (names === undefined) return exportTables;
  return names.split(",").map((given) => {
    const table = exportTables.find((name) => name === given.trim());
    if (table === undefined) {
      throw new UsageError(
        `There is no table "${given}".${didYouMean(given, exportTables)}`,
        `Tables are: ${exportTables.join(", ")}.`,
      );
    }
    return table;
  });
}

/**
 * Copies the adapter of a checkpoint, or brings it here from the server that has it. Throws UsageError for a run that trains all
 * weights, and what the client throws where the server does not give it.
 */
async function exportAdapter(from: string, run: string, to: string): Promise<void> {
  const onServer = !isAdapterFolder(from) && existsSync(join(from, serverStateFile));
  if (!onServer && !isAdapterFolder(from)) {
    throw new UsageError(
      `Run ${run} trains all weights and has no adapter.`,
      `Take its model: sqlm export model ${run}.`,
    );
  }
  if (existsSync(join(to, adapterConfigFile))) {
    throw new UsageError(`${to} already holds an adapter.`, "Give another folder with --to, or remove that one first.");
  }
  openTarget(to);
  if (onServer) {
    const { fetchAdapter } = await import("../../engine/tinker/client/fetch-adapter.ts");
    return fetchAdapter(from, to);
  }
  for (const name of [adapterConfigFile, adapterWeightsFile]) await cp(join(from, name), join(to, name));
}

/** Copies a checkpoint without the loop's own files; an adapter is merged into its base. Throws UsageError when `to` already holds a model. */
async function exportModel({ folder, adapter }: OpenedAs, to: string): Promise<void> {
  if (existsSync(join(to, "config.json"))) {
    throw new UsageError(`${to} already holds a model.`, "Give another folder with --to, or remove that one first.");
  }
  const from = adapter ?? folder;
  // Said before anything is written: a checkpoint may hold no weights at all.
  const base = adapter === undefined ? locateBase(from) : folder;
  openTarget(to);
  if (isAdapterFolder(from)) {
    const { writeMergedModel } = await import("../../model/merge-adapter.ts");
    writeMergedModel(from, to, base);
    return;
  }
  await cp(from, to, { recursive: true, filter: (path) => !loopFiles.has(path.slice(from.length + 1)) });
}
