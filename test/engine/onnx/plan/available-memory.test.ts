// Memory that is left, by the files that Linux has of it: a machine without limits, and control groups of both versions.
import { expect, test } from "vitest";
import { availableMemory } from "../../../../src/engine/onnx/plan/available-memory.ts";

const gigabyte = 2 ** 30;
const machine = { "/proc/meminfo": `MemTotal: ${24 * 2 ** 20} kB\nMemAvailable: ${10 * 2 ** 20} kB\n` };
const reader = (files: Readonly<Record<string, string>>) => (path: string) => files[path] ?? null;
const left = (files: Readonly<Record<string, string>>): number =>
  availableMemory(7 * gigabyte, reader(files)) / gigabyte;

test("a machine without limits, and one that is no Linux", () => {
  expect(left(machine)).toBe(10);
  expect(left({})).toBe(7);
  expect(left({ ...machine, "/proc/self/cgroup": "0::/\n" })).toBe(10);
});

const group = (folder: string, limit: string, used: number, cached: number): Record<string, string> => ({
  [`/sys/fs/cgroup${folder}/memory.max`]: `${limit}\n`,
  [`/sys/fs/cgroup${folder}/memory.current`]: `${used * gigabyte}\n`,
  [`/sys/fs/cgroup${folder}/memory.stat`]: `anon 5\ninactive_file ${cached * gigabyte}\nactive_file 0\n`,
});

test("copies of files in a control group count as free", () => {
  const own = { ...machine, "/proc/self/cgroup": "0::/work\n" };
  expect(left({ ...own, ...group("/work", String(6 * gigabyte), 5, 0) })).toBe(1);
  expect(left({ ...own, ...group("/work", String(6 * gigabyte), 5, 3) })).toBe(4);
  expect(left({ ...own, ...group("/work", "max", 5, 3) })).toBe(10);
  expect(left({ ...own, ...group("/work", String(6 * gigabyte), 7, 0) })).toBe(0);
});

test("a limit of a group above counts, and one larger than the machine does not", () => {
  const own = { ...machine, "/proc/self/cgroup": "0::/slice/work\n", ...group("/slice/work", "max", 1, 0) };
  expect(left({ ...own, ...group("/slice", String(4 * gigabyte), 1, 0) })).toBe(3);
  expect(left({ ...own, ...group("/slice", String(400 * gigabyte), 1, 0) })).toBe(10);
  // In a container the group's own files are the root's.
  expect(left({ ...own, ...group("", String(2 * gigabyte), 1, 0) })).toBe(1);
});

test("version 1", () => {
  const files = {
    ...machine,
    "/proc/self/cgroup": "5:devices:/other\n4:memory:/box\n0::/\n",
    "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": String(3 * gigabyte),
    "/sys/fs/cgroup/memory/box/memory.usage_in_bytes": String(2 * gigabyte),
    "/sys/fs/cgroup/memory/box/memory.stat": `cache 9\ntotal_inactive_file ${gigabyte / 2}\ntotal_active_file ${gigabyte / 2}\n`,
    // What a group without a limit says.
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": String(20 * gigabyte),
  };
  expect(left(files)).toBe(2);
});
