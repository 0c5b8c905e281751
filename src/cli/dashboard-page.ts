// Where the dashboard's page is: built into dist/ in a package, and built there on demand in a checkout, where sources may
// have changed since. Building takes a second or two and needs what a checkout's `npm ci` installs, and no network.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { SqlmError, UnsupportedError } from "../errors.ts";
import { packageRoot } from "../model/find-model.ts";

const built = join(packageRoot, "dist", "page");
const sources = join(packageRoot, "src", "dashboard");

/** The folder of the page that belongs to this code. Throws UnsupportedError where there is none and none can be built. */
export async function findPage(note: (line: string) => void): Promise<string> {
  const checkout = existsSync(join(sources, "page", "index.html"));
  if (existsSync(join(built, "index.html")) && (!checkout || isCurrent())) return built;
  if (!checkout) {
    throw new UnsupportedError("The dashboard's page is missing from this installation.", "Install sqlm again.");
  }
  note("building the dashboard's page (once)");
  await buildPage(built);
  return built;
}

/** True when no source of the page is newer than the page. */
function isCurrent(): boolean {
  const builtAt = statSync(join(built, "index.html")).mtimeMs;
  return readdirSync(sources, { recursive: true, encoding: "utf8" }).every(
    (name) => statSync(join(sources, name)).mtimeMs <= builtAt,
  );
}

/**
 * Builds the page into a folder, which it replaces in one move. Throws UnsupportedError where it cannot be built.
 * @public scripts/build.mjs calls what it has just compiled
 */
export async function buildPage(folder: string): Promise<void> {
  mkdirSync(join(folder, ".."), { recursive: true });
  // Aside first: another process may be serving, or building, the same page.
  const aside = mkdtempSync(`${folder}-`);
  try {
    // Named in two parts, so that a package without it is not asked for it: only a checkout builds.
    const { build } = (await import("vite")) as typeof import("vite");
    await build({
      configFile: false,
      root: join(sources, "page"),
      base: "./",
      logLevel: "error",
      oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
      build: {
        outDir: aside,
        emptyOutDir: true,
        target: "es2022",
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
      },
    });
    // A temporary folder is its maker's alone; a page is for everyone.
    chmodSync(aside, 0o755);
    rmSync(folder, { recursive: true, force: true });
    renameSync(aside, folder);
  } catch (cause) {
    rmSync(aside, { recursive: true, force: true });
    // Another process was quicker.
    if (existsSync(join(folder, "index.html")) && isMoveConflict(cause)) return;
    if (cause instanceof SqlmError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnsupportedError(`The dashboard's page cannot be built: ${reason}`, "Run `npm ci`, then try again.", {
      cause,
    });
  }
}

function isMoveConflict(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOTEMPTY", "EEXIST", "EPERM"].includes(String(error.code));
}
