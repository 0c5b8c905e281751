// Values of Python's standard library that Python's `==` calls equal to a plain value, as that plain value: Counter,
// defaultdict, OrderedDict, ChainMap, UserDict, UserList, UserString, mapping proxies; tuples of every class, so named
// ones too; the keys and items of dictionaries; Fraction and Decimal where an integer or a float is exactly as large. So
// are instances of classes that a program derives from containers, unless the class says itself what its instances hold
// or equal (`tellingNames`). What they hold is read through C functions; no method that a program can override is called.
// Leaves out what equals no plain value (deque, range, dataclasses, `values()`) and numbers and strings of the program's
// own classes, members of enumerations among them.
import { type PlainValue, plainFloat, plainInteger } from "./plain-values.ts";
import type { PythonModule } from "./python-boot.ts";
import { largestValueBytes } from "./worker-protocol.ts";

const typeOffset = 4; // offsetof(PyObject, ob_type) on wasm32
const firstFieldOffset = 8; // sizeof(PyObject): `dv_dict` of dictionary views, `mapping` of mapping proxies
const memberOffset = 20; // offsetof(PyMemberDescrObject, d_member)
const resolutionOffset = 172; // offsetof(PyTypeObject, tp_mro)
const tupleFlag = 1 << 26; // Py_TPFLAGS_TUPLE_SUBCLASS

/** What a class may not define, for its instances to count as what its base holds. */
const tellingNames: ReadonlySet<unknown> = new Set(
  "__class__ __eq__ __ne__ __hash__ __getattribute__ __bool__ __len__ __iter__ __contains__ __getitem__ keys values items".split(
    " ",
  ),
);

// Types and C functions, taken before any program runs: what they do cannot be changed from Python.
const expressions = {
  none: "type(None)",
  bool: "bool",
  int: "int",
  float: "float",
  complex: "complex",
  str: "str",
  list: "list",
  tuple: "tuple",
  dict: "dict",
  set: "set",
  frozenset: "frozenset",
  counter: "collections.Counter",
  defaultDict: "collections.defaultdict",
  orderedDict: "collections.OrderedDict",
  chainMap: "collections.ChainMap",
  userDict: "collections.UserDict",
  userList: "collections.UserList",
  userString: "collections.UserString",
  mappingProxy: "types.MappingProxyType",
  dictKeys: "type({}.keys())",
  dictItems: "type({}.items())",
  orderedKeys: "type(collections.OrderedDict().keys())",
  orderedItems: "type(collections.OrderedDict().items())",
  fraction: "fractions.Fraction",
  decimal: "decimal.Decimal",
  numerator: "fractions.Fraction._numerator",
  denominator: "fractions.Fraction._denominator",
} as const;
type Known = Readonly<Record<keyof typeof expressions, number>>;

/** Python source that binds `known`, a tuple of what this file must find. */
export const knownSource = `import collections, decimal, fractions, types
known = (${Object.values(expressions).join(", ")})
`;

/** How plain values enter and leave an interpreter; both give 0 or null where that fails. */
export interface Border {
  enter(value: PlainValue): number;
  leave(object: number): PlainValue | null;
}

export class PlainCopies {
  readonly #module: PythonModule;
  readonly #border: Border;
  readonly #known: Known;
  readonly #types: ReadonlySet<number>;
  /** Whether classes of the program count as their base; 0 where they do not. Forgotten with each value. */
  readonly #bases = new Map<number, number>();
  /** Four words for what C functions answer through pointers. */
  readonly #scratch: number;
  #left = 0;

  /** @param known address of the tuple that `knownSource` binds; kept alive from now on */
  constructor(module: PythonModule, border: Border, known: number) {
    module._Py_IncRef(known);
    const names = Object.keys(expressions) as (keyof typeof expressions)[];
    this.#module = module;
    this.#border = border;
    this.#known = Object.fromEntries(
      names.map((name, index) => [name, module._PyTuple_GetItem(known, index)]),
    ) as Known;
    const { numerator, denominator, ...types } = this.#known;
    this.#types = new Set(Object.values(types));
    this.#scratch = module._malloc(16);
    const order = this.#word(types.int + resolutionOffset);
    if (module._PyTuple_GetItem(order, 0) !== types.int) throw new Error("Python's types are laid out in another way");
  }

  /**
   * Address of an equal value of exact plain types, or 0 where there is none, it is too large, or Python raised. Values
   * that hold themselves count as too large.
   */
  copy(object: number): number {
    this.#left = largestValueBytes;
    this.#bases.clear();
    return this.#copy(object, maxCopyDepth);
  }

  #copy(object: number, depth: number): number {
    // A marshalled value has a byte at least for every object, so one with more objects is too large anyway.
    if (object === 0 || depth === 0 || this.#left-- <= 0) return 0;
    const module = this.#module;
    const known = this.#known;
    const type = this.#typeOf(object);
    const base = this.#types.has(type) ? type : this.#baseOf(type);
    const below = (item: number): number => this.#copy(item, depth - 1);
    switch (base) {
      case known.none:
      case known.bool:
      case known.int:
      case known.float:
      case known.complex:
      case known.str:
        return base === type ? this.#kept(object) : 0;
      case known.list:
        return this.#list(object, below);
      case known.tuple:
        return this.#tuple(object, below);
      case known.dict:
      case known.counter:
      case known.defaultDict:
      case known.orderedDict:
        return this.#dictionary(object, below);
      case known.set:
      case known.frozenset:
        return this.#set(module._PySequence_List(object), below);
      case known.mappingProxy:
        return below(this.#word(object + firstFieldOffset));
      case known.dictKeys:
      case known.orderedKeys:
        return this.#set(module._PyDict_Keys(this.#word(object + firstFieldOffset)), below);
      case known.dictItems:
      case known.orderedItems:
        return this.#set(module._PyDict_Items(this.#word(object + firstFieldOffset)), below);
      case known.userDict:
      case known.userList:
      case known.userString:
        return below(this.#attribute(object, "data"));
      case known.chainMap:
        return this.#chain(this.#attribute(object, "maps"), below);
      case known.fraction:
        return base === type ? this.#fraction(object) : 0;
      case known.decimal:
        return base === type ? this.#decimal(object) : 0;
      default:
        return 0;
    }
  }

  /** The known type that a class is derived from and whose content its instances hold, or 0. */
  #baseOf(type: number): number {
    const module = this.#module;
    if ((module._PyType_GetFlags(type) & tupleFlag) !== 0) return this.#known.tuple;
    const found = this.#bases.get(type);
    if (found !== undefined) return found;
    const order = this.#word(type + resolutionOffset);
    let base = 0;
    for (let i = 0; i < module._PyTuple_Size(order); i++) {
      const one = module._PyTuple_GetItem(order, i);
      if (this.#types.has(one)) base = one;
      if (base !== 0 || this.#isTelling(one)) break;
    }
    this.#bases.set(type, base);
    return base;
  }

  /** True for a class that defines one of `tellingNames`, or whose names cannot be read. */
  #isTelling(type: number): boolean {
    const names = this.#border.leave(this.#module._PyDict_Keys(this.#module._PyType_GetDict(type)));
    return !Array.isArray(names) || names.some((name) => tellingNames.has(name));
  }

  #list(list: number, below: (item: number) => number): number {
    const module = this.#module;
    const size = module._PyList_Size(list);
    const copy = module._PyList_New(size);
    for (let i = 0; i < size && copy !== 0; i++) {
      const item = below(module._PyList_GetItem(list, i));
      if (item === 0) return 0;
      module._PyList_SetItem(copy, i, item);
    }
    return copy;
  }

  #tuple(tuple: number, below: (item: number) => number): number {
    const module = this.#module;
    const size = module._PyTuple_Size(tuple);
    const copy = module._PyTuple_New(size);
    for (let i = 0; i < size && copy !== 0; i++) {
      const item = below(module._PyTuple_GetItem(tuple, i));
      if (item === 0) return 0;
      module._PyTuple_SetItem(copy, i, item);
    }
    return copy;
  }

  #dictionary(dictionary: number, below: (item: number) => number): number {
    const module = this.#module;
    const copy = module._PyDict_New();
    const position = this.#module._malloc(4);
    if (copy === 0 || position === 0) return 0;
    module.HEAPU32[position >>> 2] = 0;
    while (module._PyDict_Next(dictionary, position, this.#scratch, this.#scratch + 4) !== 0) {
      const [key, value] = [this.#word(this.#scratch), this.#word(this.#scratch + 4)];
      const keyCopy = below(key);
      const valueCopy = keyCopy === 0 ? 0 : below(value);
      if (valueCopy === 0 || module._PyDict_SetItem(copy, keyCopy, valueCopy) !== 0) return 0;
    }
    // Keys that only the program's own classes tell apart are no plain dictionary.
    return module._PyDict_Size(copy) === module._PyDict_Size(dictionary) ? copy : 0;
  }

  /** A set of the items of a list. */
  #set(items: number, below: (item: number) => number): number {
    const module = this.#module;
    const copies = items === 0 ? 0 : this.#list(items, below);
    const copy = copies === 0 ? 0 : module._PyFrozenSet_New(copies);
    return copy !== 0 && module._PySet_Size(copy) === module._PyList_Size(items) ? copy : 0;
  }

  #chain(maps: number, below: (item: number) => number): number {
    const module = this.#module;
    if (maps === 0 || this.#typeOf(maps) !== this.#known.list) return 0;
    const merged = module._PyDict_New();
    for (let i = module._PyList_Size(maps) - 1; i >= 0 && merged !== 0; i--) {
      const map = below(module._PyList_GetItem(maps, i));
      if (map === 0 || this.#typeOf(map) !== this.#known.dict || module._PyDict_Update(merged, map) !== 0) return 0;
    }
    return merged;
  }

  #fraction(fraction: number): number {
    const [numerator, denominator] = [this.#known.numerator, this.#known.denominator].map((member) => {
      const value = this.#module._PyMember_GetOne(fraction, this.#word(member + memberOffset));
      return value !== 0 && this.#typeOf(value) === this.#known.int ? this.#border.leave(value) : null;
    });
    if (numerator === null || denominator === null) return 0;
    const plain = plainRatio(integerOf(numerator), integerOf(denominator));
    return plain === null ? 0 : this.#border.enter(plain);
  }

  #decimal(decimal: number): number {
    const text = this.#module._PyObject_Str(decimal);
    const value = text === 0 ? null : this.#border.leave(text);
    const plain = typeof value === "string" ? plainDecimal(value) : null;
    return plain === null ? 0 : this.#border.enter(plain);
  }

  /** An attribute as the instance itself holds it, or 0. */
  #attribute(object: number, name: "data" | "maps"): number {
    const attributes = this.#module._PyObject_GenericGetDict(object, 0);
    const key = attributes === 0 ? 0 : this.#border.enter(name);
    return key === 0 ? 0 : this.#module._PyDict_GetItem(attributes, key);
  }

  #kept(object: number): number {
    this.#module._Py_IncRef(object);
    return object;
  }

  #typeOf(object: number): number {
    return this.#word(object + typeOffset);
  }

  #word(address: number): number {
    return this.#module.HEAPU32[address >>> 2];
  }
}

/** Deeper than what is carried (plain-values.ts), so that the reader says that a value is too deep. */
const maxCopyDepth = 300;

function integerOf(value: PlainValue): bigint {
  return BigInt(typeof value === "number" ? value : (value as { readonly value: string }).value);
}

/** The integer or float that is exactly `numerator / denominator`, or null where there is none. */
export function plainRatio(numerator: bigint, denominator: bigint): PlainValue | null {
  if (denominator <= 0n) return null;
  if (numerator % denominator === 0n) return plainInteger(numerator / denominator);
  // Every float is a whole number of units of 2^-1074, of which at most 53 bits in a row are used.
  const units = numerator << 1074n;
  if (units % denominator !== 0n) return null;
  let [top, halvings] = [units / denominator, 1074];
  if (top >> 1128n !== (top < 0n ? -1n : 0n)) return null;
  for (; top % 2n === 0n; top /= 2n) halvings--;
  return Number.isSafeInteger(Number(top)) ? plainFloat(Number(top) * 2 ** -halvings) : null;
}

/** The integer or float that is exactly what a Decimal's text says, or null where there is none. */
function plainDecimal(text: string): PlainValue | null {
  if (/^-?NaN\d*$/i.test(text)) return plainFloat(Number.NaN);
  if (/^-?Infinity$/i.test(text)) return plainFloat(text.startsWith("-") ? -Infinity : Infinity);
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/i.exec(text);
  if (match === null) return null;
  const [, sign, whole, fraction = "", exponent = "0"] = match;
  const digits = BigInt(whole + fraction);
  const shift = Number(exponent) - fraction.length;
  if (digits === 0n) return 0;
  if (Math.abs(shift) > largestValueBytes) return null;
  const signed = sign === "-" ? -digits : digits;
  return shift >= 0 ? plainInteger(signed * 10n ** BigInt(shift)) : plainRatio(signed, 10n ** BigInt(-shift));
}
