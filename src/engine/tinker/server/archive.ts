// Saved weights for whoever takes them home: a tar of the folder, or its files one by one, behind addresses that hold for a
// quarter of an hour and need no key, since clients fetch them without one.
import { randomBytes } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createTarPacker } from "modern-tar";
import { ServerProblem } from "./problem.ts";
import { filesToTake, type Save } from "./saves.ts";

const holdsSeconds = 900;
/** What the command line of the official SDK looks for, to know an adapter for whole. */
const completeFile = "checkpoint_complete";

interface Ticket {
  readonly save: Save;
  /** One file of it; null for all as a tar. */
  readonly file: string | null;
  readonly until: number;
}

/** Addresses that were given out. */
export class Downloads {
  readonly #tickets = new Map<string, Ticket>();
  readonly #now: () => number;

  /** `now`: milliseconds since 1970. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Name of a download, and when it ends. */
  offer(save: Save, file: string | null): { readonly name: string; readonly expires: string } {
    const now = this.#now();
    for (const [name, { until }] of this.#tickets) if (until < now) this.#tickets.delete(name);
    const name = randomBytes(18).toString("base64url");
    const until = now + holdsSeconds * 1000;
    this.#tickets.set(name, { save, file, until });
    return { name, expires: new Date(until).toISOString() };
  }

  /** Throws ServerProblem where there is no such download, or no longer. */
  open(name: string): ReadableStream<Uint8Array> {
    const ticket = this.#tickets.get(name);
    if (ticket === undefined || ticket.until < this.#now()) {
      throw new ServerProblem(410, "This download is over: ask for the checkpoint's address again.");
    }
    const { save, file } = ticket;
    if (file === null) return tarOf(save);
    return Readable.toWeb(createReadStream(join(save.folder, file))) as ReadableStream<Uint8Array>;
  }
}

function tarOf(save: Save): ReadableStream<Uint8Array> {
  const { readable, controller } = createTarPacker();
  const pack = async (): Promise<void> => {
    for (const name of filesToTake(save)) {
      const path = join(save.folder, name);
      const { size, mtime } = statSync(path);
      const entry = controller.add({ name, size, mtime, type: "file" });
      await pipeline(createReadStream(path), Writable.fromWeb(entry));
    }
    await controller.add({ name: completeFile, size: 0, type: "file" }).close();
    controller.finalize();
  };
  pack().catch((error) => controller.error(error));
  return readable;
}
