// The sandbox's self-test for `sqlm doctor`: hostile programs that must not get through, each with what to do when one
// does. Coding topics are refused where any of the required checks fails. Leaves out: the full list of attacks, which
// is test data (test/sandbox/), and how the answers are printed.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UnsupportedError } from "../errors.ts";
import { testBubblewrap } from "./bubblewrap.ts";
import { createSandbox } from "./process-sandbox.ts";
import type { ProgramLanguage, ProgramOutcome, ProgramStatus, Sandbox } from "./sandbox.ts";
import { permissionFlags, snapshotCommand } from "./worker-command.ts";

export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do about a check that failed, or how to get a layer that is missing. */
  readonly advice?: string;
}

interface Attack {
  readonly name: string;
  readonly language: ProgramLanguage;
  readonly program: string;
  /** Statuses that show that the program was stopped; where `ok` is one of them, f() must have no value. */
  readonly stopped: readonly ProgramStatus[];
  readonly seconds?: number;
}

const attacks: readonly Attack[] = [
  {
    name: "python: host objects",
    language: "python",
    program: "def f():\n    import js\n    return str(js.process.version)",
    stopped: ["denied"],
  },
  {
    name: "python: JavaScript evaluation",
    language: "python",
    program: "from pyodide.code import run_js\ndef f():\n    return run_js('process.version')",
    stopped: ["denied"],
  },
  {
    name: "python: files of the host",
    language: "python",
    program: "def f():\n    return open('/proc/self/status').read()",
    stopped: ["ok", "denied"],
  },
  {
    name: "python: writing files",
    language: "python",
    program: "def f():\n    return open('/tmp/hole', 'w').write('x')",
    stopped: ["denied"],
  },
  {
    name: "python: network",
    language: "python",
    program: "import socket\ndef f():\n    return socket.create_connection(('127.0.0.1', 9)).fileno()",
    stopped: ["ok", "denied"],
  },
  {
    name: "python: processes",
    language: "python",
    program: "import os\ndef f():\n    return os.system('true')",
    stopped: ["denied"],
  },
  {
    name: "python: endless loop",
    language: "python",
    program:
      "def f():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    stopped: ["timeout"],
    seconds: 0.5,
  },
  {
    name: "python: endless loop in C",
    language: "python",
    program: "def f():\n    return sum(range(10**13))",
    stopped: ["timeout"],
    seconds: 0.5,
  },
  {
    name: "python: memory",
    language: "python",
    program: "def f():\n    a = []\n    while True: a.append(bytearray(10**6))",
    stopped: ["memory"],
  },
  {
    name: "python: output flood",
    language: "python",
    program: "def f():\n    while True: print('x' * 1000)",
    stopped: ["output"],
  },
  {
    name: "python: values that only look right",
    language: "python",
    program:
      "class A(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef f():\n    return A(1)",
    stopped: ["ok"],
  },
  {
    name: "javascript: host objects",
    language: "javascript",
    program: "function f() { return console.log.constructor('return process.version')(); }",
    stopped: ["ok"],
  },
  {
    name: "javascript: modules of the host",
    language: "javascript",
    program: "async function f() { return (await import('node:os')).hostname(); }",
    stopped: ["ok"],
  },
  {
    name: "javascript: endless loop",
    language: "javascript",
    program: "function f() { for (;;) try { for (;;); } catch {} }",
    stopped: ["timeout"],
    seconds: 0.5,
  },
  {
    name: "javascript: endless microtasks",
    language: "javascript",
    program: "async function f() { for (;;) await 0; }",
    stopped: ["timeout"],
    seconds: 0.5,
  },
  {
    name: "javascript: memory",
    language: "javascript",
    program: "function f() { const a = []; for (;;) a.push(new Array(100000).fill(1)); }",
    stopped: ["memory"],
  },
];

/** Poisons whatever it can reach, and a probe that must not notice. */
const poisons: Readonly<Record<ProgramLanguage, readonly [poison: string, probe: string]>> = {
  python: [
    "import builtins, sys, json, random\njson.dumps = lambda *a: '6'\nrandom.seed(9)\nsys.modules['math'] = None\nbuiltins.len = lambda *a: 6\ndef f():\n    return 0",
    "import json, random, math\ndef f():\n    return [len([1]), json.dumps([1]), random.random(), math.pi, id(object())]",
  ],
  javascript: [
    "Object.prototype.toJSON = Array.prototype.toJSON = () => 6; Math.random = () => 6; JSON.parse = () => [];\nfunction f() { return 0; }",
    "function f() { return [[1].length, JSON.stringify([1]), Math.random(), 'toJSON' in {}]; }",
  ],
};

const calls = [{ function: "f", args: [] }];
const updateAdvice = "Reinstall the packages with `npm ci`, check that Node is 22.18 or later, and report the failure.";

/**
 * Runs hostile programs in a sandbox and says of each whether it was contained. Never rejects for what a program did; a
 * sandbox that cannot start is a failed check.
 */
export async function checkContainment(sandbox: Sandbox): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [];
  for (const language of sandbox.languages) {
    checks.push(await guarded(`${language}: starts`, () => checkStart(sandbox, language)));
    if (!checks[checks.length - 1].ok) continue;
    for (const attack of attacks.filter((candidate) => candidate.language === language)) {
      checks.push(await guarded(attack.name, () => checkAttack(sandbox, attack)));
    }
    checks.push(await guarded(`${language}: no trace of the program before`, () => checkTrace(sandbox, language)));
  }
  return checks;
}

/** All checks of `sqlm doctor` that concern the sandbox. Takes some seconds, most of them for starting Python. */
export async function runDoctorChecks(): Promise<DoctorCheck[]> {
  const { confine, detail } = await testBubblewrap();
  const outerLayer: DoctorCheck = {
    name: "outer layer (optional)",
    ok: true,
    detail,
    ...(confine === null && process.platform === "linux"
      ? { advice: "Not needed. For one more wall, install bubblewrap and allow unprivileged user namespaces." }
      : {}),
  };
  const sandbox = createSandbox();
  try {
    return [await guarded("process permissions", checkPermissions), ...(await checkContainment(sandbox)), outerLayer];
  } finally {
    await sandbox[Symbol.asyncDispose]();
  }
}

/** Throws UnsupportedError when a check fails: programs of a model must not run on this machine then. */
export async function assertContainment(sandbox: Sandbox): Promise<void> {
  const failed = [await guarded("process permissions", checkPermissions), ...(await checkContainment(sandbox))].filter(
    ({ ok }) => !ok,
  );
  if (failed.length === 0) return;
  throw new UnsupportedError(
    `The sandbox does not contain hostile programs on this machine: ${failed.map(({ name }) => name).join(", ")}.`,
    "Run `sqlm doctor` for what to do; topics that run programs are refused until every check passes.",
  );
}

async function guarded(name: string, check: () => Promise<Omit<DoctorCheck, "name">>): Promise<DoctorCheck> {
  try {
    return { name, ...(await check()) };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error), advice: updateAdvice };
  }
}

async function checkStart(sandbox: Sandbox, language: ProgramLanguage): Promise<Omit<DoctorCheck, "name">> {
  const program = language === "python" ? "def f():\n    return [1 + 1]" : "const f = () => [1 + 1];";
  const outcome = await sandbox.run({ language, program, calls });
  const ok = JSON.stringify(outcome.results) === '[{"value":[2]}]';
  return ok ? { ok, detail: "programs run" } : { ok, detail: describe(outcome), advice: updateAdvice };
}

async function checkAttack(
  sandbox: Sandbox,
  { language, program, stopped, seconds }: Attack,
): Promise<Omit<DoctorCheck, "name">> {
  const limits = { seconds: seconds ?? 10 };
  const outcome = await sandbox.run({ language, program, calls, limits });
  const ok = stopped.includes(outcome.status) && outcome.results.every((result) => "error" in result);
  return ok ? { ok, detail: `stopped: ${describe(outcome)}` } : { ok, detail: describe(outcome), advice: updateAdvice };
}

async function checkTrace(sandbox: Sandbox, language: ProgramLanguage): Promise<Omit<DoctorCheck, "name">> {
  const [poison, probe] = poisons[language];
  const before = await sandbox.run({ language, program: probe, calls });
  await sandbox.run({ language, program: poison, calls });
  const after = await sandbox.run({ language, program: probe, calls });
  const ok = before.status === "ok" && JSON.stringify(before.results) === JSON.stringify(after.results);
  return ok
    ? { ok, detail: "two equal programs had equal results" }
    : { ok, detail: describe(after), advice: updateAdvice };
}

/** Node's permission model, with the very flags of a sandbox process, must refuse files, processes and threads. */
async function checkPermissions(): Promise<Omit<DoctorCheck, "name">> {
  const probe = `
    const holes = [];
    const attempt = (name, act) => { try { act(); holes.push(name); } catch {} };
    attempt("read", () => require("node:fs").readdirSync("/"));
    attempt("write", () => require("node:fs").writeFileSync("hole", ""));
    attempt("process", () => { const { error } = require("node:child_process").spawnSync(process.execPath, ["-v"]); if (error) throw error; });
    attempt("thread", () => new (require("node:worker_threads").Worker)("", { eval: true }));
    attempt("code", () => (0, eval)("1"));
    process.stdout.write(holes.join());`;
  // CommonJS keeps the probe synchronous; --eval itself is not code generation from strings.
  const args = [...permissionFlags(snapshotCommand().readable), "--input-type=commonjs", "--eval", probe];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: {}, timeout: 60_000 });
  const ok = stdout === "";
  return ok
    ? { ok, detail: "files, processes, threads and code from strings are refused" }
    : {
        ok,
        detail: `allowed: ${stdout}`,
        advice: "Use Node 22.18 or later, whose permission model the sandbox needs.",
      };
}

function describe({ status, reason, results }: ProgramOutcome): string {
  const [first] = results;
  return (
    reason ??
    (first === undefined
      ? status
      : "error" in first
        ? first.error
        : `returned ${JSON.stringify(first.value).slice(0, 100)}`)
  );
}
