// How a user calls this command line again: what a run prints at its end is to be copied and to work as it is.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../model/find-model.ts";

/** A whole command, quoted for a shell, of the same workspace and called as this process was. */
export function ownCommand(args: readonly string[], workspace = ".sqlm"): string {
  const place = workspace === ".sqlm" ? [] : ["--workspace", workspace];
  return [executable(), ...[...args, ...place].map(quoted)].join(" ");
}

/** `sqlm` where it is on the path; started by npm (`npm start`, `npx sqlm`), it need not be. */
function executable(): string {
  if (process.env["npm_command"] === undefined) return "sqlm";
  // What npx fetched for one call can only be called by the package's own name: `sqlm` may be another's.
  return /[/\\]_npx[/\\]/.test(packageRoot) ? `npx ${packageName()}` : "npx sqlm";
}

/** The name under which this package is found in a registry. */
export function packageName(): string {
  return (JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { readonly name: string }).name;
}

function quoted(argument: string): string {
  if (/^[\w./:@%+,-]+$/.test(argument)) return argument;
  // Double quotes, which all shells know, where nothing in between means something to one of them.
  return /["$`\\!%]/.test(argument) ? `'${argument.replaceAll("'", "'\\''")}'` : `"${argument}"`;
}
