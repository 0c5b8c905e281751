// The sandbox's claim, attacked: no hostile program escapes, is judged to have passed, or changes what the next program
// sees. After every attack a probe that looks at much of the interpreter must answer as it did in a fresh process.
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";
import type { ProgramLanguage, ProgramOutcome, Sandbox } from "../../src/sandbox/sandbox.ts";
import { runTests } from "../../src/verify/unit-tests.ts";
import { hostileJavaScript } from "./hostile-javascript.ts";
import { type HostileProgram, hostilePython } from "./hostile-python.ts";

const probes: Readonly<Record<ProgramLanguage, string>> = {
  python: `
import sys, os, json, random, time, gc, decimal, builtins, math, collections
print("hello")
def f(x):
    return [
        2 * x, json.dumps({"a": [1, 2.5, None]}), random.random(), time.time(), id(object()), hash("hash"),
        sorted(sys.modules), sorted(builtins.__dict__), sorted(os.listdir("/")), sorted(os.listdir("/tmp")), os.getcwd(),
        sys.getrecursionlimit(), sys.get_int_max_str_digits(), decimal.getcontext().prec, gc.get_threshold(),
        os.urandom(8).hex(), int("7") == 7, (3).bit_length(), [].__eq__([1]), sys.gettrace() is None,
        len(sys.meta_path), sys.path, str(sys.stdout), sorted(globals()), len(gc.callbacks), sys.getsizeof([]),
    ]
`,
  javascript: `
console.log("hello");
function f(x) {
  return [2 * x, JSON.stringify({ a: [1, 2.5, null] }), Math.random(), Date.now(), Reflect.ownKeys(globalThis).map(String),
    Reflect.ownKeys(Object.prototype).map(String), Reflect.ownKeys(Array.prototype).map(String), String(new Date(0)),
    Object.keys({}).length, typeof then, String([1, 2]), [3, 1, 2].sort().join()];
}
`,
};
const calls = [{ function: "f", args: [3] }];

/** An outcome without what the machine's speed decides. */
function timeless(outcome: ProgramOutcome): object {
  return { ...outcome, milliseconds: 0 };
}

const suites: readonly (readonly [ProgramLanguage, readonly HostileProgram[]])[] = [
  ["python", hostilePython],
  ["javascript", hostileJavaScript],
];

/** What hostile programs try to write, but for what was there before them. */
const outside = ["/tmp/x", "/evil"].filter((path) => !existsSync(path));

test("there are at least 60 hostile programs", () => {
  expect(hostilePython.length + hostileJavaScript.length).toBeGreaterThanOrEqual(60);
  for (const [, programs] of suites) expect(new Set(programs.map(({ name }) => name)).size).toBe(programs.length);
});

describe.each(suites)("%s", (language, programs) => {
  let sandbox: Sandbox;
  let fresh: object;

  beforeAll(async () => {
    sandbox = createSandbox();
    fresh = timeless(await sandbox.run({ language, program: probes[language], calls }));
    expect(fresh).toMatchObject({ status: "ok", output: "hello\n", results: [{ value: expect.arrayContaining([6]) }] });
  });
  afterAll(() => sandbox[Symbol.asyncDispose]());

  test.each(programs)("$name", async ({ program, status, result }) => {
    // Enough for imports on a busy machine, and short where the limit is what is tested.
    const limits = { seconds: status?.includes("timeout") ? 0.3 : 50 };
    const tests = [{ function: "f", args: [3], expected: 6 }];
    const { outcome, results } = await runTests(sandbox, language, program, tests, limits);
    expect(status ?? ["ok"]).toContain(outcome.status);
    const [first] = outcome.results;
    if (result === "honest") expect(first).toEqual({ value: 6 });
    else if (result === null) expect(first).toHaveProperty("value");
    else expect("error" in first ? first.error : "").toMatch(result);
    expect(results[0].passed).toBe(result === "honest");
    expect(outside.filter((path) => existsSync(path))).toEqual([]);

    const after = timeless(await sandbox.run({ language, program: probes[language], calls }));
    expect(after).toEqual(fresh);
  });
});
