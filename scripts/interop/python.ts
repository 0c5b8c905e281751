// What scripts that compare with others' programs need: the Python of SQLM_PYTHON (else python3), and the checkpoints of SQLM_MODELS.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export const python = process.env["SQLM_PYTHON"] ?? "python3";

/** Why Python cannot be used for these modules, in a sentence that says what to do; null where it can. */
export function pythonLacks(...modules: readonly string[]): string | null {
  const probe = spawnSync(python, ["-c", `import ${modules.join(", ")}`], { encoding: "utf8" });
  if (probe.status === 0) return null;
  const reason = probe.error?.message ?? probe.stderr.trim().split("\n").at(-1);
  return `${python}: ${reason}. Name a Python that has ${modules.join(", ")} in SQLM_PYTHON.`;
}

/** Ends the process, with the reason, where Python lacks one of these modules. */
export function needPython(...modules: readonly string[]): void {
  const reason = pythonLacks(...modules);
  if (reason !== null) skip(reason);
}

/** Runs a script of this folder, its output shown; true where it succeeded. */
export function runPython(script: string, ...args: readonly string[]): boolean {
  return spawnSync(python, [join(import.meta.dirname, script), ...args], { stdio: "inherit" }).status === 0;
}

/** Why there are no checkpoints, in a sentence that says what to do, or the paths of the GGUF files in SQLM_MODELS, smallest name first. */
export function findGgufModels(): { readonly paths: readonly string[]; readonly lacking: string | null } {
  const folder = process.env["SQLM_MODELS"];
  if (folder === undefined || !existsSync(folder)) {
    return { paths: [], lacking: "SQLM_MODELS names no folder with GGUF files." };
  }
  const names = readdirSync(folder).filter((name) => name.endsWith(".gguf"));
  const lacking = names.length === 0 ? `${folder}, which SQLM_MODELS names, holds no GGUF file.` : null;
  return { paths: names.sort().map((name) => join(folder, name)), lacking };
}

/** The paths; ends the process, with the reason, where there are none. */
export function ggufModels(): readonly string[] {
  const { paths, lacking } = findGgufModels();
  if (lacking !== null) skip(lacking);
  return paths;
}

function skip(reason: string): never {
  console.log(`Skipped: ${reason}`);
  process.exit(0);
}
