// `sqlm doctor`: whether this machine can do everything that sqlm does, with advice where it cannot.
import { rmSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { packageRoot, shippedModels } from "../../model/find-model.ts";
import type { DoctorCheck } from "../../sandbox/containment.ts";
import { makeFolder } from "../../store/make-folder.ts";
import { openWorkspace } from "../../store/workspace.ts";
import { exitCodes, makeCommand, terminalOf, withWorkspace } from "../command.ts";
import { formatBytes } from "../format.ts";
import type { Parts } from "../parts.ts";
import { startProgress } from "../progress.ts";

const enoughDisk = 1e9;

export function doctorCommand(parts: Parts): Command {
  const command = makeCommand("doctor", "Check this installation: Node, runtime, disk, database, sandbox.", [
    "sqlm doctor",
    "sqlm doctor --json",
  ]);
  return withWorkspace(command).action(async (options: { json?: boolean; workspace: string }) => {
    const terminal = terminalOf(options);
    const folder = resolve(options.workspace);
    const checks: (() => DoctorCheck | readonly DoctorCheck[] | Promise<DoctorCheck | readonly DoctorCheck[]>)[] = [
      checkNode,
      () =>
        guarded(
          "onnxruntime",
          () => parts.checkRuntime(),
          "Install again (`npm ci` in a checkout); the runtime needs a 64-bit Linux, macOS or Windows.",
        ),
      checkModels,
      () => guarded("disk", () => checkDisk(folder), "Check that the workspace folder can be reached."),
      () =>
        guarded(
          "database",
          () => checkDatabase(folder),
          "Check that the workspace folder is yours to write, or choose another with --workspace.",
        ),
      () => sandboxChecks(parts),
    ];
    const progress = startProgress(terminal, "checking", checks.length);
    const results: DoctorCheck[] = [];
    for (const [index, check] of checks.entries()) {
      progress.update(index);
      const found = [await check()].flat();
      for (const one of found) {
        terminal.say(
          `${one.ok ? "ok  " : "FAIL"}  ${one.name}: ${one.detail}${one.ok || one.advice === undefined ? "" : `\n      ${one.advice}`}`,
        );
      }
      results.push(...found);
    }
    progress.end();
    const ok = results.every((check) => check.ok);
    terminal.say(ok ? "Everything works." : "Some things do not work; see above.");
    terminal.result({ ok, checks: results });
    if (!ok) process.exitCode = exitCodes.failure;
  });
}

/** Runs a check that says how it went, or throws. */
async function guarded(name: string, check: () => string | Promise<string>, advice: string): Promise<DoctorCheck> {
  try {
    return { name, ok: true, detail: await check() };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error), advice };
  }
}

/** The sandbox's own checks; one that failed to run is a check that failed. */
async function sandboxChecks(parts: Parts): Promise<readonly DoctorCheck[]> {
  try {
    return await parts.sandboxChecks();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [{ name: "sandbox", ok: false, detail, advice: "Do not run topics with programs on this machine." }];
  }
}

function checkNode(): DoctorCheck {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const ok = major > 22 || (major === 22 && minor >= 18);
  return { name: "node", ok, detail: process.version, advice: "sqlm needs Node 22.18 or newer." };
}

function checkModels(): DoctorCheck {
  const models = shippedModels();
  return {
    name: "models",
    ok: models.length > 0,
    detail: models.length > 0 ? models.join(", ") : `none in ${packageRoot}models`,
    advice: "Make one with `npm run seed-model`, or give --model.",
  };
}

async function checkDisk(folder: string): Promise<string> {
  // The workspace may not exist yet: ask for the disk of the nearest folder above it that does.
  for (let path = folder; ; path = resolve(path, "..")) {
    try {
      const { bavail, bsize } = await statfs(path);
      const free = bavail * bsize;
      if (free < enoughDisk)
        throw new Error(`only ${formatBytes(free)} free; a run may need ${formatBytes(enoughDisk)}`);
      return `${formatBytes(free)} free at ${path}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || path === resolve(path, "..")) throw error;
    }
  }
}

/** Opens the real workspace where there is one, else a new one beside it, which is removed again. */
async function checkDatabase(folder: string): Promise<string> {
  const probe = `${folder}-doctor-${process.pid}`;
  try {
    makeFolder(probe);
    await openWorkspace(probe)[Symbol.asyncDispose]();
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
  return "can be written";
}
