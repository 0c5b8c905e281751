// Programs in JavaScript that attack the sandbox or its judge, as data; see hostile-python.ts for what the fields mean.
import type { HostileProgram } from "./hostile-python.ts";

const poison = (lines: string): string => `${lines}\nfunction f(x) { return 0; }\n`;

export const hostileJavaScript: readonly HostileProgram[] = [
  { name: "endless loop", program: "function f(x) { for (;;); }", status: ["timeout"], result: /^timeout/ },
  {
    name: "endless loop at the top",
    program: "for (;;);",
    status: ["timeout"],
    result: /^(timeout|exit|error|crash|memory): /,
  },
  {
    name: "endless loop that catches everything",
    program: "function f(x) { for (;;) try { for (;;); } catch {} finally { continue; } }",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "endless microtasks",
    program: "function f(x) { const g = () => Promise.resolve().then(g); g(); return 6 + x; }",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "endless async function",
    program: "async function f(x) { for (;;) await 0; }",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "promise that never settles",
    program: "function f(x) { return new Promise(() => {}); }",
    result: /never settles/,
  },
  { name: "rejected promise", program: "async function f(x) { throw new Error('no'); }", result: /Error: no/ },
  {
    name: "endless regular expression",
    program: "function f(x) { return /^(a+)+$/.test('a'.repeat(50) + 'b'); }",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "endless toString of an error",
    program: "function f(x) { throw { get message() { for (;;); } }; }",
    status: ["timeout"],
    result: /^timeout/,
  },
  {
    name: "growing array",
    program: "function f(x) { const a = []; for (;;) a.push('x'.repeat(1e6) + a.length); }",
    status: ["memory"],
    result: /^memory/,
  },
  {
    name: "growing array that catches",
    program: "function f(x) { const a = []; for (;;) try { a.push(new Uint8Array(1e6)); } catch {} }",
    status: ["memory", "timeout"],
    result: /^memory|^timeout/,
  },
  {
    name: "huge buffer",
    program: "function f(x) { return new ArrayBuffer(2 ** 40).byteLength; }",
    status: ["ok", "memory"],
    result: /Error|memory/,
  },
  { name: "huge string", program: "function f(x) { return 'x'.repeat(5 * 2 ** 20); }", result: /larger than/ },
  {
    name: "shared structure",
    program: "function f(x) { let a = [0]; for (let i = 0; i < 60; i++) a = [a, a]; return a; }",
    status: ["memory", "timeout", "ok"],
    result: /memory|timeout|too long/,
  },
  {
    name: "stack overflow",
    program: "function f(x) { return f(x) + 1; }",
    result: /stack overflow|RangeError|InternalError/,
  },
  {
    name: "stack overflow in JSON",
    program: "function f(x) { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return JSON.stringify(a); }",
    status: ["ok", "crash"],
    result: /stack overflow|Error|crash/,
  },
  {
    name: "deep value",
    program: "function f(x) { let a = []; for (let i = 0; i < 1e4; i++) a = [a]; return a; }",
    result: /nested deeper/,
  },
  {
    name: "value that holds itself",
    program: "function f(x) { const a = []; a.push(a); return a; }",
    result: /nested deeper/,
  },
  {
    name: "output flood",
    program: "function f(x) { for (;;) console.log('x'.repeat(1000)); }",
    status: ["output"],
    result: /^output/,
  },
  {
    name: "output flood that catches",
    program: "function f(x) { for (;;) try { console.log('x'.repeat(1000)); } catch {} }",
    status: ["output"],
    result: /^output/,
  },
  { name: "process", program: "function f(x) { return process.exit(0); }", result: /ReferenceError/ },
  {
    name: "require",
    program: "function f(x) { return require('fs').readFileSync('/etc/passwd', 'utf8'); }",
    result: /ReferenceError/,
  },
  {
    name: "dynamic import",
    program: "async function f(x) { return (await import('node:fs')).readFileSync('/etc/passwd', 'utf8'); }",
    result: /Error/,
  },
  {
    name: "static import",
    program: "import fs from 'node:fs';\nexport function f(x) { return 6; }",
    status: ["error"],
    result: /^(timeout|exit|error|crash|memory): /,
  },
  {
    name: "fetch and sockets",
    program: "function f(x) { return fetch('http://127.0.0.1'); }",
    result: /ReferenceError/,
  },
  {
    name: "constructor of a constructor",
    program: "function f(x) { return console.log.constructor('return typeof process + typeof require')(); }",
    result: null,
  },
  { name: "the printing function's caller", program: "function f(x) { return console.log.caller; }", result: /./ },
  {
    name: "std and os of QuickJS",
    program: "function f(x) { return [typeof std, typeof os, typeof scriptArgs, typeof print]; }",
    result: null,
  },
  {
    name: "Symbol.toPrimitive",
    program:
      "function f(x) { return { [Symbol.toPrimitive]: () => 6, valueOf: () => 6, toString: () => '6', toJSON: () => 6 }; }",
    result: /not plain/,
  },
  {
    name: "toJSON on Object.prototype",
    program: poison("Object.prototype.toJSON = Array.prototype.toJSON = Number.prototype.toJSON = () => 6;"),
    result: null,
  },
  { name: "poisoned JSON", program: poison("JSON.stringify = () => '6'; JSON.parse = () => [[6]];"), result: null },
  {
    name: "poisoned built-ins",
    program: poison(
      "for (const o of [Object, Array, Reflect, Number, String, Function.prototype, Array.prototype, String.prototype]) for (const k of Reflect.ownKeys(o)) try { o[k] = () => 6; } catch {}",
    ),
    status: ["ok", "error"],
    result: /.|/,
  },
  {
    name: "deleted globals",
    program: poison("for (const k of Reflect.ownKeys(globalThis)) delete globalThis[k];"),
    status: ["ok", "error"],
    result: /no function|error/,
  },
  {
    name: "setters on prototypes",
    program: poison(
      "for (const k of ['0', '1', 'encode', 'decode', '$', 'then', 'value']) Object.defineProperty(Object.prototype, k, { set() { throw 6; }, get() { return undefined; }, configurable: true });",
    ),
    result: null,
  },
  {
    name: "then on Object.prototype",
    program: "Object.prototype.then = function (r) { r(6); };\nasync function f(x) { return { a: 1 }; }",
    result: "honest",
  },
  {
    name: "proxy",
    program: "function f(x) { return new Proxy({}, { getPrototypeOf() { return Date.prototype; } }); }",
    result: /not plain/,
  },
  {
    name: "proxy that never ends",
    program:
      "function f(x) { const p = new Proxy([], { get: () => p, getOwnPropertyDescriptor: (t, k) => ({ value: k === 'length' ? 1e9 : 0, configurable: k !== 'length', writable: true, enumerable: k !== 'length' }) }); return p; }",
    status: ["ok", "timeout", "memory"],
    result: /./,
  },
  { name: "getter", program: "function f(x) { return { get a() { return 6; } }; }", result: /getter/ },
  { name: "class instance", program: "class A { a = 6; }\nfunction f(x) { return new A(); }", result: /class/ },
  {
    name: "subclass of Array",
    program: "class A extends Array {}\nfunction f(x) { return A.of(6); }",
    result: /class/,
  },
  { name: "boxed number", program: "function f(x) { return new Number(6); }", result: /class/ },
  {
    name: "map, date, function, symbol",
    program: "function f(x) { return [new Map(), new Date(), f, Symbol()]; }",
    result: /not plain/,
  },
  { name: "undefined", program: "function f(x) {}", result: /not plain/ },
  { name: "array with holes", program: "function f(x) { return new Array(1e9); }", result: /holes/ },
  { name: "string that looks like a number", program: "function f(x) { return '6'; }", result: null },
  { name: "tag of an integer", program: "function f(x) { return { $: 'int', value: '6' }; }", result: null },
  {
    name: "__proto__ as a key",
    program: 'function f(x) { return JSON.parse(\'{"__proto__":{"a":6}}\'); }',
    result: null,
  },
  { name: "half a surrogate pair", program: "function f(x) { return '\\ud800'; }", result: /.|/ },
  { name: "thrown symbol", program: "function f(x) { throw Symbol('6'); }", result: /./ },
  { name: "thrown null", program: "function f(x) { throw null; }", result: /./ },
  {
    name: "error with lying fields",
    program:
      "function f(x) { const e = new Error(); Object.defineProperty(e, 'name', { get() { throw 1; } }); throw e; }",
    result: /./,
  },
  {
    name: "moved clock and random numbers",
    program: poison("Date.now = () => 6; Math.random = () => 0.5;"),
    result: null,
  },
  { name: "generator", program: "function* f(x) { yield 6; }", result: /class|not plain/ },
  {
    name: "Atomics.wait",
    program: "function f(x) { return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1e9); }",
    status: ["ok", "timeout"],
    result: /./,
  },
  {
    name: "finalizers",
    program: poison(
      "const r = new FinalizationRegistry(() => { for (;;); }); for (let i = 0; i < 1000; i++) r.register({}, i);",
    ),
    status: ["ok", "timeout", "error"],
    result: /.|/,
  },
  {
    name: "source of 100,000 brackets",
    program: `${"[".repeat(100000)}\nfunction f(x) { return 6; }`,
    status: ["error", "crash"],
    result: /^(timeout|exit|error|crash|memory): /,
  },
];
