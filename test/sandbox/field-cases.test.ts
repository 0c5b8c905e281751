// Cases made from what people reported of other sandboxes and judges (each names its source), and more of their kinds:
// recursion in C ends as an exception or as its call's error and loses no other call; a container of the standard
// library counts as the plain value that Python's `==` calls it equal to; what a program overrides decides nothing.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { judge } from "../../src/cli/script-interface.ts";
import { equalityKey, equalValues, type PlainValue } from "../../src/sandbox/plain-values.ts";
import { createSandbox } from "../../src/sandbox/process-sandbox.ts";
import { plainRatio } from "../../src/sandbox/python-values.ts";
import type { CallResult, ProgramCall, ProgramLanguage } from "../../src/sandbox/sandbox.ts";

interface ExpectedCall {
  readonly anyOf: readonly PlainValue[];
  /** A part of the error that is right as well. */
  readonly orError?: string;
}
interface FieldCase {
  readonly id: string;
  readonly input: {
    readonly language: ProgramLanguage;
    readonly program: string;
    readonly calls?: readonly ProgramCall[];
    readonly tests?: readonly object[];
  };
  readonly expected: { readonly results?: readonly ExpectedCall[]; readonly passed?: readonly boolean[] };
}

const cases = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures", "field-cases.json"), "utf8"),
) as readonly FieldCase[];
const sandbox = createSandbox();
afterAll(() => sandbox[Symbol.asyncDispose]());

function isExpected(result: CallResult, { anyOf, orError }: ExpectedCall): boolean {
  if ("error" in result) return orError !== undefined && result.error.includes(orError);
  return anyOf.some((value) => equalValues(value, result.value));
}

test.each(cases)("$id", async ({ input, expected }) => {
  const { language, program } = input;
  if (expected.results !== undefined) {
    const { results } = await sandbox.run({ language, program, calls: input.calls ?? [], limits: { seconds: 50 } });
    expect(results).toHaveLength(expected.results.length);
    for (const [index, one] of expected.results.entries()) {
      expect(isExpected(results[index], one), JSON.stringify(results[index])).toBe(true);
    }
  } else {
    const { tests } = await judge({ language, program, tests: input.tests ?? [] }, sandbox);
    expect(tests.map(({ passed }) => passed)).toEqual(expected.passed);
  }
});

/** Bodies of f(n) that recurse in C without end, or so deep that no stack holds it. */
const endless: readonly (readonly [name: string, body: string])[] = [
  ["repr", "x = []\nfor i in range(n): x = [x]\nrepr(x)"],
  ["str of a dictionary", "x = {}\nfor i in range(n): x = {1: x}\nstr(x)"],
  ["json.loads", "import json\njson.loads('[' * n + ']' * n)"],
  ["json.dumps", "import json\nx = []\nfor i in range(n): x = [x]\njson.dumps(x)"],
  ["==", "a, b = [], []\nfor i in range(n): a, b = [a], [b]\na == b"],
  ["<", "a, b = (), ()\nfor i in range(n): a, b = (a,), (b,)\na < b"],
  ["hash", "a = ()\nfor i in range(n): a = (a,)\nhash(a)"],
  ["isinstance", "a = ()\nfor i in range(n): a = (a,)\nisinstance(1, a)"],
  ["cache", "from functools import cache\n@cache\ndef g(i): return g(i + 1)\ng(0)"],
  ["partial", "from functools import partial\ndef g(i): return partial(g, i + 1)()\ng(0)"],
  ["reduce", "from functools import reduce\ndef g(a, b): return reduce(g, [a, b, 1])\ng(1, 2)"],
  ["sorted with a key", "def g(i): return sorted([i + 1], key=g)[0]\ng(0)"],
  ["sum of a generator", "def g(i): return sum(g(j) for j in [i + 1])\ng(0)"],
  ["map", "def g(i): return list(map(g, [i + 1]))\ng(0)"],
  ["nested map", "x = iter([1])\nfor i in range(n): x = map(abs, x)\nnext(x)"],
  ["nested filter", "x = iter([1])\nfor i in range(n): x = filter(None, x)\nnext(x)"],
  ["nested chain", "from itertools import chain\nx = iter([1])\nfor i in range(n): x = chain(x)\nnext(x)"],
  ["copy.deepcopy", "import copy\nx = []\nfor i in range(n): x = [x]\ncopy.deepcopy(x)"],
  ["pickle", "import pickle\nx = []\nfor i in range(n): x = [x]\npickle.dumps(x)"],
  ["re.compile", "import re\nre.compile('(' * n + ')' * n)"],
  ["compile, operators", "compile('+'.join(['a'] * n), 'a', 'eval')"],
  ["compile, attributes", "compile('a' + '.a' * n, 'a', 'eval')"],
  ["compile, lambdas", "compile('lambda: ' * n + '1', 'a', 'eval')"],
  ["ast.literal_eval", "import ast\nast.literal_eval('-' * n + '1')"],
  ["exec", "def g(i): exec('g(i + 1)', {'g': g, 'i': i})\ng(0)"],
  ["__format__", "class A:\n  def __format__(self, s): return format(self, s)\n'{}'.format(A())"],
  ["__str__", "class A:\n  def __str__(self): return '%s' % self\nstr(A())"],
  ["__repr__", "class A:\n  def __repr__(self): return repr([self])\nrepr(A())"],
  ["__eq__", "class A:\n  def __eq__(self, o): return [self] == [o]\nA() == A()"],
  ["__hash__", "class A:\n  def __hash__(self): return hash((self,))\nhash(A())"],
  ["__lt__", "class A:\n  def __lt__(self, o): return [self] < [o]\nA() < A()"],
  ["__getattr__", "class A:\n  def __getattr__(self, k): return getattr(self, k + 'x')\nA().x"],
  ["property", "class A:\n  @property\n  def x(self): return self.x\nA().x"],
  ["__init__", "class A:\n  def __init__(self): A()\nA()"],
  ["__new__", "class A:\n  def __new__(cls): return A()\nA()"],
  ["__add__", "class A:\n  def __add__(self, o): return self + o\nA() + 1"],
  ["__iter__", "class A:\n  def __iter__(self): return iter(list(self))\nlist(A())"],
  ["__contains__", "class A:\n  def __contains__(self, x): return x in [self] or x in self\n1 in A()"],
  ["__del__ of a chain", "class A: pass\nx = None\nfor i in range(n):\n  y = A(); y.x = x; x = y\ndel x, y"],
  ["plain recursion", "def g(i): return g(i + 1)\ng(0)"],
];

describe.each([
  ["with Python's own limit", ""],
  ["without a limit", "import sys\nsys.setrecursionlimit(10**9)\n"],
])("recursion in C, %s", (_, limit) => {
  test.each(endless)("%s", async (_, body) => {
    const lines = body.replaceAll("\n", "\n        ");
    const program = `${limit}def f(n):\n    try:\n        ${lines}\n        return 'done'\n    except (RecursionError, MemoryError, SyntaxError, OverflowError) as error:\n        return 'caught'\n\ndef after(x):\n    return x + 1\n`;
    const calls = [
      { function: "after", args: [0] },
      { function: "f", args: [30_000] },
      { function: "after", args: [1] },
      { function: "f", args: [30_000] },
      { function: "after", args: [2] },
    ];
    const outcome = await sandbox.run({ language: "python", program, calls, limits: { seconds: 50, memoryMiB: 512 } });
    const { results } = outcome;
    expect([results[0], results[2], results[4]], JSON.stringify(outcome)).toEqual(
      [1, 2, 3].map((value) => ({ value })),
    );
    for (const result of [results[1], results[3]]) {
      if ("error" in result) expect(result.error).toMatch(/RecursionError|^crash|^memory/);
      else expect(["done", "caught"]).toContain(result.value);
    }
  });
});

test.each<[name: string, body: string]>([
  ["plain recursion", "const g = (i) => 1 + g(i + 1); g(0);"],
  ["JSON.parse", "JSON.parse('['.repeat(n) + ']'.repeat(n));"],
  ["JSON.stringify", "let x = []; for (let i = 0; i < n; i++) x = [x]; JSON.stringify(x);"],
  ["join", "let x = []; for (let i = 0; i < n; i++) x = [x]; String(x);"],
  ["sort", "const g = (i) => [1, 2].sort(() => g(i + 1)); g(0);"],
  ["map", "const g = (i) => [i].map((j) => g(j + 1)); g(0);"],
  ["replace", "const g = () => 'a'.replace(/a/, g); g();"],
  ["toString", "const x = { toString() { return '' + x; } }; String(x);"],
  ["getter", "const x = { get y() { return this.y; } }; x.y;"],
  ["proxy", "let x = {}; for (let i = 0; i < n; i++) x = new Proxy(x, {}); x.y;"],
  ["bind", "let x = () => 1; for (let i = 0; i < n; i++) x = x.bind(null); x();"],
  ["regular expression", "new RegExp('('.repeat(n) + ')'.repeat(n));"],
  ["backtracking", "/^(a|b)*c/.exec('ab'.repeat(n));"],
  ["source", "Function('return ' + '('.repeat(n) + ')'.repeat(n));"],
  ["flat", "let x = []; for (let i = 0; i < n; i++) x = [x]; x.flat(Infinity);"],
  ["spread", "const g = (...x) => g(...x, 1); g();"],
  ["constructor", "class A { constructor() { new A(); } } new A();"],
])("recursion in JavaScript: %s", async (_, body) => {
  const program = `function f(n) { try { ${body} return "done"; } catch (error) { return "caught"; } }\nfunction after(x) { return x + 1; }`;
  const calls = [0, 30_000, 1, 30_000, 2].map((x) => ({ function: x > 10 ? "f" : "after", args: [x] }));
  const outcome = await sandbox.run({ language: "javascript", program, calls, limits: { seconds: 50 } });
  const { results } = outcome;
  expect([results[0], results[2], results[4]], JSON.stringify(outcome)).toEqual([1, 2, 3].map((value) => ({ value })));
});

/** Expressions of Python and the plain value that Python calls them equal to. */
const equalToPlain: readonly (readonly [expression: string, plain: PlainValue])[] = [
  ["Counter('aab')", { a: 2, b: 1 }],
  ["defaultdict(list, {1: [2]})", { $: "dict", entries: [[1, [2]]] }],
  ["defaultdict(dict, {1: defaultdict(int, {2: 3})})", { $: "dict", entries: [[1, { $: "dict", entries: [[2, 3]] }]] }],
  ["OrderedDict(b=1, a=2)", { a: 2, b: 1 }],
  ["ChainMap({'a': 1}, {'a': 2, 'b': 3})", { a: 1, b: 3 }],
  ["UserDict({'a': Counter('a')})", { a: { a: 1 } }],
  ["UserList([1, Fraction(4, 2)])", [1, 2]],
  ["UserString('x')", "x"],
  ["MappingProxyType({'a': 1})", { a: 1 }],
  ["namedtuple('P', 'keys values')(1, [2])", { $: "tuple", items: [1, [2]] }],
  ["Typed(1, 'b')", { $: "tuple", items: [1, "b"] }],
  ["time.gmtime(0)[:3]", { $: "tuple", items: [1970, 1, 1] }],
  ["{1: 2}.keys()", { $: "set", items: [1] }],
  ["OrderedDict(a=1).keys()", { $: "set", items: ["a"] }],
  ["{1: 2}.items()", { $: "set", items: [{ $: "tuple", items: [1, 2] }] }],
  ["{frozenset({Fraction(2, 1)}), 3}", { $: "set", items: [3, { $: "set", items: [2] }] }],
  ["Fraction(1, 2)", 0.5],
  ["Fraction(-3, 2**1074)", -1.5e-323],
  ["Fraction(-10**30, 1)", { $: "int", value: "-1000000000000000000000000000000" }],
  ["Decimal('1.50')", 1.5],
  ["Decimal('-1E+30')", { $: "int", value: "-1000000000000000000000000000000" }],
  ["Decimal('-Infinity')", { $: "float", value: "-inf" }],
  [
    "{Decimal(1): 2, Fraction(5, 2): 1}",
    {
      $: "dict",
      entries: [
        [1, 2],
        [2.5, 1],
      ],
    },
  ],
  ["2 + 0j", 2],
  ["Graph(list, {1: [2]})", { $: "dict", entries: [[1, [2]]] }],
  ["Trie(a=Trie())", { a: {} }],
  ["Stack([1])", [1]],
  ["[Stack(), {'x': Counter()}]", [[], { x: {} }]],
];

/** Expressions that Python calls equal to no plain value, or that say themselves what they are equal to. */
const notPlain: readonly string[] = [
  ...["deque([1])", "range(3)", "{1: 2}.values()", "Data(1)", "iter([1])", "1j", "Plain.A", "object()", "len"],
  ...["Fraction(1, 3)", "Fraction(3, 2**1080)", "Fraction(1, 2**5000000)", "Decimal('0.1')", "Decimal('1E-400')"],
  ...["Decimal('sNaN')", "{1: [2]}.items()", "loop", "[Counter('a')] * 400000"],
  ...["Number.A", "Text.B", "Flags.X", "[Word('a')]", "Half(1, 2)"],
  ...["Always()", "Mixed()", "Longer([1])", "Other(3)", "{Other(3): 1}", "Hidden({1: 2})"],
];

const classes = `
import sys, time
from collections import *
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple
class Typed(NamedTuple):
    a: int
    b: str
class Number(IntEnum): A = 3
class Text(StrEnum): B = "b"
class Flags(IntFlag):
    X = 1
    Y = 2
class Plain(Enum): A = 1
@dataclass
class Data: x: int
class Graph(defaultdict):
    def neighbours(self, node): return self[node]
class Word(str): pass
class Half(Fraction): pass
class Trie(dict): pass
class Stack(list):
    def push(self, item): self.append(item)
class Always(dict):
    def __eq__(self, other): return True
class Mixin:
    def __eq__(self, other): return True
class Mixed(Mixin, dict): pass
class Longer(list):
    def __len__(self): return 9
class Other(int):
    def __hash__(self): return 1
class Hidden(dict):
    def __getattribute__(self, name): return lambda *rest: 6
loop = []
loop.append(Counter(a=loop))
def f(expression):
    return eval(expression)
def same(expression, plain):
    return eval(expression) == plain
`;

test("what Python calls equal to a plain value comes out as that value", async () => {
  const calls = equalToPlain.flatMap(([expression, plain]) => [
    { function: "f", args: [expression] },
    { function: "same", args: [expression, plain] },
  ]);
  const { results } = await sandbox.run({ language: "python", program: classes, calls, limits: { seconds: 50 } });
  for (const [index, [expression, plain]] of equalToPlain.entries()) {
    const [value, same] = results.slice(2 * index, 2 * index + 2);
    expect("value" in value ? equalityKey(value.value) : value.error, expression).toBe(equalityKey(plain));
    expect(same, expression).toEqual({ value: true });
  }
});

test.each(notPlain)("%s is not plain", async (expression) => {
  const calls = [{ function: "f", args: [expression] }];
  const { results } = await sandbox.run({ language: "python", program: classes, calls, limits: { seconds: 50 } });
  expect(results).toEqual([{ error: expect.stringMatching(/not plain|larger than/) }]);
});

test("ratios are plain exactly where a float or an integer is as large", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.bigInt({ min: 1n, max: 1n << 80n }), (x, k) => {
      const [top, bottom] = ratioOf(x);
      const plain = plainRatio(top * k, bottom * k);
      expect(plain === null ? null : equalityKey(plain)).toBe(equalityKey(x));
      // A third of an odd unit is no float.
      if (x !== 0) expect(plainRatio(top * 3n + 1n, bottom * 3n)).toBe(null);
    }),
  );
});

/** A float as a fraction of two integers. */
function ratioOf(x: number): [bigint, bigint] {
  let [top, bottom] = [x, 1n];
  for (; !Number.isInteger(top); top *= 2) bottom *= 2n;
  return [BigInt(top), bottom];
}
