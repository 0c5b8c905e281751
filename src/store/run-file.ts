// `run.json`: what the database says of a run beside what happened in it, as a file in the run's folder. With it,
// events.jsonl and the checkpoints a lost database can be made again (rebuild.ts). The database is what counts: opening a
// run for appending writes the file anew where it differs.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { RunConfig } from "../config/config.ts";
import { FileFormatError } from "../errors.ts";
import { readConfig, readSources } from "./read-rows.ts";
import type { RunSources, RunTrial } from "./store.ts";

/** What `run.json` holds. */
export interface RunFile {
  readonly run: string;
  readonly config: RunConfig;
  readonly trial: RunTrial | null;
  readonly sources: RunSources | null;
  /** ISO 8601. */
  readonly created: string;
}

const fileName = "run.json";

const schema = z.object({
  version: z.literal(1),
  run: z.string(),
  config: z.record(z.string(), z.unknown()),
  trial: z.object({ experiment: z.string(), variant: z.string(), control: z.string().nullable() }).nullable(),
  sources: z.unknown(),
  created: z.iso.datetime(),
});

/** Writes the file into the run's folder, aside and renamed, unless it already says this. */
export function writeRunFile(folder: string, file: RunFile): void {
  const path = join(folder, fileName);
  const { run, config, trial, sources, created } = file;
  const text = `${JSON.stringify({ version: 1, run, created, config, trial, sources }, null, 2)}\n`;
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  writeFileSync(`${path}.writing`, text, { flush: true });
  renameSync(`${path}.writing`, path);
}

/** What the file in a run's folder says; null where there is none. Throws FileFormatError for one that cannot be read. */
export function readRunFile(folder: string): RunFile | null {
  const path = join(folder, fileName);
  if (!existsSync(path)) return null;
  let read: z.output<typeof schema>;
  try {
    read = schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new FileFormatError(path, "is not what was written.", "The run cannot be rebuilt from it.", { cause });
  }
  const { run, trial, created } = read;
  const config = readConfig(path, run, JSON.stringify(read.config));
  return { run, config, trial, created, sources: readSources(JSON.stringify(read.sources ?? null)) };
}
