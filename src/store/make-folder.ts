// Makes folders that a user names. Not with `recursive`: where a parent exists and takes no folder (/proc), Node tries for
// ever (https://github.com/nodejs/node/issues/31481).
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes the folder and those above it that are missing. Throws what the file system says where it cannot be made. */
export function makeFolder(folder: string): void {
  const path = resolve(folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
