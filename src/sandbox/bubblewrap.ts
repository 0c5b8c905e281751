// An optional outer layer on Linux: bubblewrap (namespaces with no network and an almost empty file system) with a seccomp
// filter, used only where a self-test on this machine shows that it holds. Leaves out: the layers that are always there
// (import-firewall.ts, Node's permission model in worker-process.ts).
import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { type Confine, type ConfinedCommand, spawnConfined } from "./confine.ts";
import { seccompFilter } from "./seccomp.ts";

export interface BubblewrapReport {
  /** The layer, where it works. */
  readonly confine: Confine | null;
  /** What the self-test found, for people. */
  readonly detail: string;
}

// Libraries that a dynamically linked Node needs; folders of programs are left out.
const libraries = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"];

// Tried inside: each line is something that must fail.
const selfTest = `
const fs = require("node:fs"), net = require("node:net"), { spawnSync } = require("node:child_process");
const holes = [];
const attempt = (name, act) => { try { if (act() !== false) holes.push(name); } catch {} };
attempt("read /etc", () => fs.readdirSync("/etc").some((name) => name !== "ld.so.cache"));
attempt("read /home or /root", () => fs.existsSync("/home") || fs.existsSync("/root"));
attempt("write", () => fs.writeFileSync("/usr/lib/hole", ""));
attempt("new process", () => spawnSync(process.execPath, ["-e", "0"]).status === 0);
attempt("environment", () => Object.keys(process.env).some((name) => name !== "PWD"));
const socket = net.connect({ host: "127.0.0.1", port: 9 });
socket.on("connect", () => { holes.push("network"); finish(); });
socket.on("error", (error) => { if (error.code !== "EPERM") holes.push("socket " + error.code); finish(); });
const finish = () => { process.stdout.write(holes.length === 0 ? "contained" : "holes: " + holes.join(", ")); process.exit(0); };
`;

const selfTestSeconds = 20;

let report: Promise<BubblewrapReport> | null = null;

/** Looks for bubblewrap and tests it, once a process. Never rejects. */
export function testBubblewrap(): Promise<BubblewrapReport> {
  report ??= testNow().catch((error: unknown) => ({ confine: null, detail: `the self-test failed: ${String(error)}` }));
  return report;
}

async function testNow(): Promise<BubblewrapReport> {
  if (process.platform !== "linux") return { confine: null, detail: `not available on ${process.platform}` };
  const filter = seccompFilter(process.arch);
  if (filter === null) return { confine: null, detail: `no seccomp filter for ${process.arch}` };
  const program = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "bwrap"))
    .find((path) => existsSync(path));
  if (program === undefined) return { confine: null, detail: "bubblewrap is not installed" };
  const confine = confineWith(program, filter);
  const said = await outputOf(confine([process.execPath, "-e", selfTest], []));
  return said === "contained"
    ? { confine, detail: "bubblewrap and seccomp hold" }
    : { confine: null, detail: `the self-test said: ${said.trim().split("\n").at(-1)?.slice(0, 300)}` };
}

function confineWith(program: string, filter: Uint8Array): Confine {
  return (command, readable) => {
    const shown = new Set([...libraries, process.execPath, realpathSync(process.execPath), ...readable]);
    // Node looks for the package.json above a module to know what kind of module it is.
    for (const path of readable) {
      for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
        if (existsSync(join(folder, "package.json"))) shown.add(join(folder, "package.json"));
      }
    }
    const binds = [...shown].flatMap((path) => ["--ro-bind-try", path, path]);
    const flags = ["--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent", "--new-session"];
    return {
      command: [
        program,
        ...flags,
        "--clearenv",
        ...binds,
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--seccomp",
        "3",
        ...command,
      ],
      descriptor3: filter,
    };
  };
}

/** What the command prints, standard error last; killed when it takes too long. */
async function outputOf(command: ConfinedCommand): Promise<string> {
  const child = spawnConfined(command, "/");
  const timer = setTimeout(() => child.kill("SIGKILL"), selfTestSeconds * 1000);
  const failure = new Promise<string>((resolve) => child.on("error", (error) => resolve(error.message)));
  child.stdin?.on("error", () => {}).end();
  const { stdout, stderr } = child;
  const said = stdout && stderr ? Promise.all([text(stdout), text(stderr)]).then((parts) => parts.join("")) : failure;
  try {
    return await Promise.race([said, failure]);
  } finally {
    clearTimeout(timer);
  }
}
