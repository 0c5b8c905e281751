// How much memory this process may still take without the machine swapping or the container's limit ending it.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Reads a file of the system; null where there is none. */
export type ReadSystemFile = (path: string) => string | null;

const readSystemFile: ReadSystemFile = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

/**
 * Bytes: what the machine has, and what every control group of the process leaves (Linux, version 1 and 2). Memory that holds copies of
 * files counts as free: the system takes it back when it is asked for.
 */
export function availableMemory(
  machine: number = process.availableMemory(),
  read: ReadSystemFile = readSystemFile,
): number {
  // Within a control group Node's own number counts copies of files as taken.
  const ofMachine = kilobytesOf(read("/proc/meminfo"), "MemAvailable:") ?? machine;
  return Math.min(ofMachine, ...groupLimits(read).map(({ limit, used }) => Math.max(0, limit - used)));
}

interface GroupLimit {
  readonly limit: number;
  readonly used: number;
}

/** Limits of the groups that the process is in, its own and those above. */
function groupLimits(read: ReadSystemFile): GroupLimit[] {
  const lines = (read("/proc/self/cgroup") ?? "").split("\n");
  return lines.flatMap((line) => {
    const [, controllers, path = "/"] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === "")
      return pathsAbove(path).flatMap((group) => limitOf(read, join("/sys/fs/cgroup", group), version2));
    if (controllers?.split(",").includes("memory") !== true) return [];
    return pathsAbove(path).flatMap((group) => limitOf(read, join("/sys/fs/cgroup/memory", group), version1));
  });
}

/** `/a/b` → `/a/b`, `/a`, `/`. In a container a path may be that of the machine, and then only the last is there. */
function pathsAbove(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  return Array.from({ length: names.length + 1 }, (_, i) => `/${names.slice(0, names.length - i).join("/")}`);
}

interface GroupFiles {
  readonly limit: string;
  readonly used: string;
  /** Of memory.stat: bytes of files' copies. */
  readonly files: readonly string[];
}

const version2: GroupFiles = { limit: "memory.max", used: "memory.current", files: ["inactive_file", "active_file"] };
const version1: GroupFiles = {
  limit: "memory.limit_in_bytes",
  used: "memory.usage_in_bytes",
  files: ["total_inactive_file", "total_active_file"],
};

function limitOf(read: ReadSystemFile, folder: string, { limit, used, files }: GroupFiles): GroupLimit[] {
  const most = Number.parseInt(read(join(folder, limit)) ?? "", 10);
  const taken = Number.parseInt(read(join(folder, used)) ?? "", 10);
  // A group without a limit says `max`.
  if (!Number.isFinite(most) || !Number.isFinite(taken)) return [];
  const stat = read(join(folder, "memory.stat")) ?? "";
  const cached = files.reduce((sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0), 0);
  return [{ limit: most, used: Math.max(0, taken - cached) }];
}

function kilobytesOf(text: string | null, name: string): number | null {
  const found = new RegExp(`^${name}\\s+(\\d+) kB`, "m").exec(text ?? "");
  return found === null ? null : Number(found[1]) * 1024;
}
