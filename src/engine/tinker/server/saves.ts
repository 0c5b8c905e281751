// Weights that clients have saved: folders that an engine wrote, each with a note of what it is. A path
// `tinker://RUN/KIND/NAME` is the folder RUN/KIND/NAME; nothing in it is a way to another folder.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ServerProblem } from "./problem.ts";

/** `weights` have an optimizer's state and can be trained on; the others are for sampling and for taking home. */
const kinds = ["weights", "sampler_weights", "external_weights"] as const;
export type SaveKind = (typeof kinds)[number];

const noteFile = "saved.json";
const noteSchema = z.object({
  format: z.literal("sqlm-tinker-save"),
  baseModel: z.string(),
  /** Null where all weights train. */
  rank: z.number().int().nullable(),
  /** ISO 8601. */
  time: z.string(),
  expires: z.string().nullable(),
  bytes: z.number(),
});
type Note = z.output<typeof noteSchema>;

export interface Save extends Note {
  readonly run: string;
  readonly kind: SaveKind;
  readonly name: string;
  readonly path: string;
  readonly folder: string;
}

/** Runs are `SESSION:train:NUMBER`, whose colons no Windows folder may have. */
const folderOfRun = (run: string): string => run.replaceAll(":", "+");
const runOfFolder = (folder: string): string => folder.replaceAll("+", ":");
const safe = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const writing = ".writing";

export interface SaveRequest {
  readonly run: string;
  readonly kind: SaveKind;
  readonly name: string;
  readonly overwrite: boolean;
  readonly baseModel: string;
  readonly rank: number | null;
  readonly ttlSeconds: number | null;
}

export class Saves {
  readonly #root: string;
  readonly #now: () => number;
  readonly #saves = new Map<string, Save>();

  /** Finds what an earlier server left. `now`: milliseconds since 1970. */
  constructor(root: string, now: () => number = Date.now) {
    this.#root = root;
    this.#now = now;
    for (const save of readAll(root)) this.#saves.set(save.path, save);
  }

  /**
   * Writes a save whole or not at all: `write` fills a folder that takes its name when it is done. Throws ServerProblem for a
   * name that is taken or cannot be one.
   */
  async write(request: SaveRequest, write: (folder: string) => Promise<void>): Promise<Save> {
    const { run, kind, name, overwrite, baseModel, rank, ttlSeconds } = request;
    if (!safe.test(name) || name.includes(":")) {
      const says = `"${name.slice(0, 60)}" cannot be the name of saved weights`;
      throw new ServerProblem(400, `${says}: use up to 128 letters, digits, dots, dashes and underscores.`);
    }
    const path = `tinker://${run}/${kind}/${name}`;
    if (this.#find(path) !== null && !overwrite) {
      throw new ServerProblem(400, `There are weights ${path} already: choose another name, or overwrite them.`);
    }
    const folder = join(this.#root, folderOfRun(run), kind, name);
    const temporary = `${folder}${writing}`;
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true });
    try {
      await write(temporary);
      const now = this.#now();
      const note: Note = {
        format: "sqlm-tinker-save",
        baseModel,
        rank,
        time: new Date(now).toISOString(),
        expires: ttlSeconds === null ? null : new Date(now + ttlSeconds * 1000).toISOString(),
        bytes: bytesIn(temporary),
      };
      writeFileSync(join(temporary, noteFile), `${JSON.stringify(note, null, 2)}\n`, { flush: true });
      rmSync(folder, { recursive: true, force: true });
      renameSync(temporary, folder);
      const save = { ...note, run, kind, name, path, folder };
      this.#saves.set(path, save);
      return save;
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  /** Throws ServerProblem where there is none, or no longer. */
  find(path: string): Save {
    const save = this.#find(path);
    if (save !== null) return save;
    throw new ServerProblem(
      404,
      `There are no saved weights ${path.slice(0, 200)} here: they were never saved, or removed, or their time is over.`,
    );
  }

  list(run?: string): readonly Save[] {
    for (const { path } of [...this.#saves.values()]) this.#find(path);
    const all = [...this.#saves.values()].sort((a, b) => (a.time < b.time ? -1 : 1));
    return run === undefined ? all : all.filter((save) => save.run === run);
  }

  remove(path: string): void {
    const { folder } = this.find(path);
    this.#saves.delete(path);
    rmSync(folder, { recursive: true, force: true });
  }

  #find(path: string): Save | null {
    const save = this.#saves.get(path) ?? null;
    if (save === null || save.expires === null || Date.parse(save.expires) > this.#now()) return save;
    this.#saves.delete(path);
    rmSync(save.folder, { recursive: true, force: true });
    return null;
  }
}

/** Files of a save that are for whoever takes it home: without the optimizer's state and the server's own note. */
export function filesToTake(save: Save): string[] {
  return readdirSync(save.folder).filter((name) => name !== noteFile && name !== "optimizer.safetensors");
}

function bytesIn(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Saves below a folder. What was half written is removed; what is no save is left alone and not told of. */
function readAll(root: string): Save[] {
  return subfolders(root).flatMap((runFolder) =>
    kinds.flatMap((kind) => {
      const parent = join(root, runFolder, kind);
      return subfolders(parent).flatMap((name) => {
        const folder = join(parent, name);
        if (name.endsWith(writing)) rmSync(folder, { recursive: true, force: true });
        const note = readNote(join(folder, noteFile));
        if (note === null) return [];
        const run = runOfFolder(runFolder);
        return [{ ...note, run, kind, name, path: `tinker://${run}/${kind}/${name}`, folder }];
      });
    }),
  );
}

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function readNote(path: string): Note | null {
  try {
    return noteSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}
