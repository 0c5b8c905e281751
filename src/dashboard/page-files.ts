// The files of the built page, read once and kept in memory: what is asked for later is a name in a table, never a path.
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Null where packing does not help. */
  readonly gzip: Uint8Array | null;
  /** True where the name changes with the content. */
  readonly immutable: boolean;
}

/** By their path on the server, for example `/assets/index-1a2b3c.js`. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Reads the folder that the page was built into. */
export function readPageFiles(folder: string): PageFiles {
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    const packed = gzipSync(bytes, { level: 9 });
    const name = path.slice(folder.length).replaceAll("\\", "/");
    files.set(name.startsWith("/") ? name : `/${name}`, {
      type,
      bytes,
      gzip: packed.length < bytes.length ? packed : null,
      immutable: name.includes("assets/"),
    });
  }
  return files;
}
