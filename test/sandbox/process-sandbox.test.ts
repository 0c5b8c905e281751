// The pool and both interpreters with honest programs and awkward requests: values survive, equal runs are identical,
// hung and dead processes cost only their own call, and every request is answered.
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { judge, runProgram } from "../../src/cli/script-interface.ts";
import { unconfined } from "../../src/sandbox/confine.ts";
import { equalityKey, type PlainValue, parseExactJson, plainInteger } from "../../src/sandbox/plain-values.ts";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";
import { javaScriptCommand } from "../../src/sandbox/worker-command.ts";
import { WorkerProcess } from "../../src/sandbox/worker-process.ts";

const sandbox = createSandbox();
afterAll(() => sandbox[Symbol.asyncDispose]());

const python = (program: string, calls: { function: string; args: unknown[] }[] = [], limits = {}) =>
  sandbox.run({ language: "python", program, calls, limits });

describe("python", () => {
  test("values come out as they went in", async () => {
    const leaf = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.bigInt().map(plainInteger),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string({ unit: "grapheme" }),
    );
    const values = fc.sample(fc.oneof(leaf, fc.array(leaf), fc.dictionary(fc.string(), leaf)), 300) as PlainValue[];
    const extra: PlainValue[] = [
      { $: "set", items: [1, 2] },
      { $: "tuple", items: [1, "a"] },
      { $: "float", value: "nan" },
    ];
    const all = [...values.filter((value) => !hasTag(value)), ...extra];
    const outcome = await python(
      "def f(x):\n    return x",
      all.map((value) => ({ function: "f", args: [value] })),
    );
    expect(outcome.status).toBe("ok");
    for (const [index, value] of all.entries()) {
      const result = outcome.results[index];
      expect("value" in result && equalityKey(result.value)).toBe(equalityKey(value));
    }
  });

  test("integers and floats keep their type, tuples and sets are told apart", async () => {
    const program = "def f(*xs):\n    return [type(x).__name__ for x in xs], (1,), {2}, {1: 2}, 2**64, float('inf')";
    const outcome = await python(program, [
      { function: "f", args: [1, { $: "float", value: "1.0" }, 1.5, true, "", { $: "tuple", items: [] }] },
    ]);
    expect(outcome.results).toEqual([
      {
        value: {
          $: "tuple",
          items: [
            ["int", "float", "float", "bool", "str", "tuple"],
            { $: "tuple", items: [1] },
            { $: "set", items: [2] },
            { $: "dict", entries: [[1, 2]] },
            { $: "int", value: "18446744073709551616" },
            { $: "float", value: "inf" },
          ],
        },
      },
    ]);
  });

  test("a call that raises, is missing or has wrong arguments fails alone", async () => {
    const outcome = await python("def f(x):\n    return 1 // x", [
      { function: "f", args: [0] },
      { function: "g", args: [] },
      { function: "f", args: [] },
      { function: "f", args: [1] },
    ]);
    expect(outcome).toMatchObject({
      status: "ok",
      results: [
        { error: expect.stringContaining("ZeroDivisionError") },
        { error: expect.stringContaining("no function") },
        { error: expect.stringContaining("TypeError") },
        { value: 1 },
      ],
    });
  });

  test("two sandboxes give identical outcomes, and so does one twice", async () => {
    const program =
      "import random, time, os, uuid\nprint({'b', 'a', 'c'})\ndef f():\n    return [random.random(), time.time(), os.urandom(4).hex(), id(object()), hash('x'), str(uuid.uuid4()), str(object())]";
    const calls = [
      { function: "f", args: [] },
      { function: "f", args: [] },
    ];
    await using other = createSandbox();
    const [a, b, c] = [
      await python(program, calls),
      await python(program, calls),
      await other.run({ language: "python", program, calls }),
    ];
    expect(a.status).toBe("ok");
    expect({ ...b, milliseconds: 0 }).toEqual({ ...a, milliseconds: 0 });
    expect({ ...c, milliseconds: 0 }).toEqual({ ...a, milliseconds: 0 });
  });

  test("a call that hangs in C loses neither the results before it nor the requests behind it", async () => {
    const hung = python(
      "def f(n):\n    return sum(range(n))",
      [5, 10 ** 13, 5].map((n) => ({ function: "f", args: [n] })),
      { seconds: 1 },
    );
    const behind = python("def f():\n    return 'next'", [{ function: "f", args: [] }]);
    expect(await hung).toMatchObject({
      status: "timeout",
      results: [
        { value: 10 },
        { error: expect.stringContaining("timeout") },
        { error: expect.stringContaining("timeout") },
      ],
    });
    expect(await behind).toMatchObject({ status: "ok", results: [{ value: "next" }] });
  });

  test("the memory limit does not depend on the program before", async () => {
    const program = "def f(n):\n    return len(bytearray(n * 2**20))";
    const ask = (mebibytes: number, memoryMiB: number) =>
      python(program, [{ function: "f", args: [mebibytes] }], { memoryMiB });
    expect((await ask(24, 16)).status).toBe("memory");
    expect((await ask(40, 64)).status).toBe("ok");
    expect((await ask(24, 16)).status).toBe("memory");
    expect((await ask(8, 16)).status).toBe("ok");
  });
});

describe("requests that make no sense", () => {
  test.each<[string, object, string]>([
    ["a program of 1 MB", { program: "#".repeat(2 ** 20) }, "too-large"],
    ["half a surrogate pair", { program: "x = '\ud800'" }, "error"],
    ["a null byte", { program: "\0" }, "error"],
    ["an endless time limit", { limits: { seconds: Number.POSITIVE_INFINITY } }, "error"],
    ["a time limit that is no number", { limits: { seconds: Number.NaN } }, "error"],
    ["no memory", { limits: { memoryMiB: 0 } }, "error"],
    ["arguments of 8 MB", { calls: [{ function: "f", args: ["x".repeat(2 ** 23)] }] }, "too-large"],
    ["arguments that are not plain", { calls: [{ function: "f", args: [{ $: "function" }] }] }, "error"],
    ["too many calls", { calls: Array(20_000).fill({ function: "f", args: [] }) }, "too-large"],
    ["an unknown language", { language: "cobol" }, "error"],
  ])("%s", async (_, part, status) => {
    const request = { language: "python", program: "def f(x):\n    return x", calls: [], ...part } as const;
    const outcome = await sandbox.run(request as Parameters<typeof sandbox.run>[0]);
    expect(outcome).toMatchObject({ status, reason: expect.any(String), results: [] });
  });

  test("a surrogate half in an argument fails its call only", async () => {
    const outcome = await python("def f(x):\n    return x", [
      { function: "f", args: ["\ud800"] },
      { function: "f", args: ["a"] },
    ]);
    expect(outcome.results).toEqual([{ error: expect.stringContaining("surrogate") }, { value: "a" }]);
  });
});

describe("javascript", () => {
  const javascript = (program: string, calls: { function: string; args: unknown[] }[]) =>
    sandbox.run({ language: "javascript", program, calls });

  test("functions however they are declared, modules and promises", async () => {
    const call = [{ function: "f", args: [3] }];
    for (const program of [
      "function f(x) { return 2 * x; }",
      "const f = (x) => 2 * x;",
      "var f = function (x) { return 2 * x; };",
      "export function f(x) { return 2 * x; }",
      "const f = async (x) => { await null; return 2 * x; };",
      "class C { static g(x) { return 2 * x; } }\nconst f = C.g;",
    ]) {
      expect(await javascript(program, call)).toMatchObject({ status: "ok", results: [{ value: 6 }] });
    }
  });

  test("values come out as they went in", async () => {
    const values = fc.sample(
      fc.oneof(fc.jsonValue({ depthSize: "small" }), fc.bigInt().map(plainInteger)),
      200,
    ) as PlainValue[];
    const all = values.filter((value) => !hasTag(value));
    const outcome = await javascript(
      "function f(x) { return x; }",
      all.map((value) => ({ function: "f", args: [value] })),
    );
    const keys = outcome.results.map((result) => ("value" in result ? equalityKey(result.value) : result.error));
    expect(keys).toEqual(all.map(equalityKey));
  });

  test("names that are no identifiers are refused", async () => {
    const outcome = await javascript("function f() { return 1; }", [
      { function: "f(), 6", args: [] },
      { function: "for", args: [] },
    ]);
    expect(outcome.results).toEqual([{ error: expect.any(String) }, { error: expect.any(String) }]);
  });
});

describe("script interface", () => {
  test.each([
    null,
    5,
    {},
    { language: "python" },
    { language: "perl", program: "", calls: [] },
    { language: "python", program: "", calls: [{}] },
  ])("run-program refuses %j with a reason", async (request) => {
    expect(await runProgram(request, sandbox)).toMatchObject({
      status: "error",
      reason: expect.stringContaining("bad request"),
      results: [],
    });
  });

  test("limits may be written as floats", async () => {
    const line =
      '{"language": "javascript", "program": "const f = (x) => x", "calls": [{"function": "f", "args": [2.0]}], "limits": {"seconds": 20.0}}';
    expect(await runProgram(parseExactJson(line), sandbox)).toMatchObject({ status: "ok", results: [{ value: 2 }] });
  });

  test("judge compares outside, and a bad test costs only itself", async () => {
    const answer = await judge(
      {
        language: "python",
        program: "def f(x):\n    return (x, 2.0)",
        tests: [
          { function: "f", args: [1], expected: [1, 2] },
          { function: "f", args: [2] },
          { function: "f", expected: 1 },
          { args: [], expected: 1 },
          { function: "f", args: [1], expected: [2, 2] },
          { function: "f", args: [1], expected: { $: "tuple" } },
          { function: "f", args: [7], expected: [7, 2] },
        ],
      },
      sandbox,
    );
    expect(answer).toMatchObject({ passed: 2, total: 7 });
    expect(answer.tests.map(({ passed }) => passed)).toEqual([true, false, false, false, false, false, true]);
    expect(answer.tests[1].reason).toBe("the test has no expected value");
    expect(answer.tests[4].reason).toContain("instead of [2,2]");
  });

  test("judge says why a program that does not load passes nothing", async () => {
    const answer = await judge(
      { language: "python", program: "def f(:", tests: [{ function: "f", args: [], expected: 1 }] },
      sandbox,
    );
    expect(answer).toMatchObject({
      passed: 0,
      total: 1,
      tests: [{ passed: false, reason: expect.stringContaining("SyntaxError") }],
    });
  });
});

describe("processes", () => {
  test("a process that is killed in mid-run is an outcome", async () => {
    const worker = new WorkerProcess(javaScriptCommand(), unconfined);
    await worker.ready();
    const program = "function f() { for (;;); }";
    const running = worker.run({
      program,
      calls: [{ function: "f", args: [] }],
      limits: { seconds: 60, memoryMiB: 64 },
    });
    await worker.stop();
    expect(await running).toMatchObject({ status: "crash", reason: expect.stringContaining("SIGKILL") });
    expect(worker.usable).toBe(false);
    expect(await worker.run({ program, calls: [], limits: { seconds: 1, memoryMiB: 64 } })).toMatchObject({
      status: "crash",
    });
  });

  test("closing answers what waits, and a closed sandbox refuses", async () => {
    const closing = createSandbox();
    const request = { language: "javascript", program: "for (;;);", calls: [], limits: { seconds: 30 } } as const;
    const runs = Promise.allSettled([closing.run(request), closing.run(request), closing.run(request)]);
    await closing[Symbol.asyncDispose]();
    expect((await runs).length).toBe(3);
    await expect(closing.run(request)).rejects.toThrow("closed");
  });

  test("several processes share the work", async () => {
    await using wide = createSandbox({ workers: 2 });
    const program = "function f(x) { return x; }";
    const runs = Array.from({ length: 20 }, (_, x) =>
      wide.run({ language: "javascript", program, calls: [{ function: "f", args: [x] }] }),
    );
    expect((await Promise.all(runs)).map(({ results }) => results)).toEqual(
      Array.from({ length: 20 }, (_, x) => [{ value: x }]),
    );
  });

  test.each([0, 1.5, Number.NaN])("%d workers are refused", (workers) => {
    expect(() => createSandbox({ workers })).toThrow("workers");
  });
});

/** True where random JSON happens to look like a tag. */
function hasTag(value: PlainValue): boolean {
  return JSON.stringify(value).includes('"$"');
}
