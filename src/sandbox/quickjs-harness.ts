// The trusted half inside QuickJS: source text that is run in every fresh context before the program, and that hands out
// three functions. They hold the built-ins that they need from before the program ran and build nothing that a program's
// setters or prototypes could see (results are strings put together piece by piece). Leaves out: the outside half
// (quickjs-interpreter.ts).

/**
 * Source of a function of `(print, maxDepth)` that gives `{decode, encode, describe}`: `decode` turns the JSON text of
 * plain arguments into values, `encode` a value into JSON text (or throws), `describe` a thrown value into a sentence.
 */
export const quickJsHarness = `((print, MAX_DEPTH) => {
  "use strict";
  const { getPrototypeOf, getOwnPropertyDescriptor, defineProperty, hasOwn } = Object;
  const { ownKeys } = Reflect;
  const { isArray } = Array;
  const { parse, stringify } = JSON;
  const { isFinite, isSafeInteger } = Number;
  const toBigInt = BigInt, toNumber = Number, toText = String, NewSet = Set, Failure = TypeError;
  const objectPrototype = Object.prototype, arrayPrototype = Array.prototype;
  const digits = Function.prototype.call.bind(BigInt.prototype.toString);
  const addToSet = Function.prototype.call.bind(Set.prototype.add);
  const define = (object, key, value) =>
    defineProperty(object, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });

  // Plain JSON text of an array of arguments -> an array of values.
  const revive = (value) => {
    if (value === null || typeof value !== "object") return value;
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) define(value, i, revive(value[i]));
      return value;
    }
    const tag = getOwnPropertyDescriptor(value, "$")?.value;
    if (tag === "int") return toBigInt(value.value);
    if (tag === "float") {
      if (value.value === "nan") return NaN;
      if (value.value === "inf" || value.value === "-inf") return value.value === "inf" ? Infinity : -Infinity;
      return toNumber(value.value);
    }
    if (tag === "tuple") return revive(value.items);
    if (tag === "set") {
      const set = new NewSet();
      for (let i = 0; i < value.items.length; i++) addToSet(set, revive(value.items[i]));
      return set;
    }
    if (tag === "dict") throw new Failure("a dictionary with other keys than strings has no form in JavaScript");
    const keys = ownKeys(value);
    for (let i = 0; i < keys.length; i++) define(value, keys[i], revive(value[keys[i]]));
    return value;
  };
  const decode = (text) => revive(parse(text));

  // A value -> plain JSON text. Throws for what is not plain: own data properties only, no class instances.
  const own = (object, key) => {
    const descriptor = getOwnPropertyDescriptor(object, key);
    if (descriptor === undefined) throw new Failure("an array with holes is not plain data");
    if (!hasOwn(descriptor, "value")) throw new Failure("a property with a getter is not plain data");
    return descriptor.value;
  };
  const write = (value, depth) => {
    if (depth > MAX_DEPTH) throw new Failure("the value is nested deeper than " + MAX_DEPTH + " levels");
    if (value === null) return "null";
    switch (typeof value) {
      case "boolean": return value ? "true" : "false";
      case "string": return stringify(value);
      case "number":
        if (isFinite(value)) return stringify(value);
        return '{"$":"float","value":"' + (value !== value ? "nan" : value > 0 ? "inf" : "-inf") + '"}';
      case "bigint": {
        const text = digits(value);
        return isSafeInteger(toNumber(value)) ? text : '{"$":"int","value":"' + text + '"}';
      }
      case "object": break;
      default: throw new Failure(typeof value + " is not plain data");
    }
    const prototype = getPrototypeOf(value);
    let text = "";
    if (isArray(value)) {
      if (prototype !== arrayPrototype) throw new Failure("an instance of a class is not plain data");
      const length = own(value, "length");
      for (let i = 0; i < length; i++) text += (i === 0 ? "" : ",") + write(own(value, i), depth + 1);
      return "[" + text + "]";
    }
    if (prototype !== objectPrototype && prototype !== null) {
      throw new Failure("an instance of a class is not plain data");
    }
    const keys = ownKeys(value);
    let tagged = false;
    for (let i = 0; i < keys.length; i++) {
      if (typeof keys[i] !== "string") throw new Failure("a symbol key is not plain data");
      if (keys[i] === "$") tagged = true;
    }
    for (let i = 0; i < keys.length; i++) {
      const item = write(own(value, keys[i]), depth + 1);
      text += (i === 0 ? "" : ",") + (tagged ? "[" + stringify(keys[i]) + "," + item + "]" : stringify(keys[i]) + ":" + item);
    }
    return tagged ? '{"$":"dict","entries":[' + text + "]}" : "{" + text + "}";
  };
  const encode = (value) => write(value, 0);

  // Equal runs must be identical: random numbers start from one seed (mulberry32).
  const { imul } = Math;
  let state = 1;
  defineProperty(Math, "random", { __proto__: null, writable: true, configurable: true, value: function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = imul(state ^ (state >>> 15), 1 | state);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  } });

  const textOf = (value) => {
    try {
      return typeof value === "string" ? value : write(value, 0);
    } catch {
      try {
        return toText(value);
      } catch {
        return "?";
      }
    }
  };
  // "Name: message" of whatever was thrown.
  const describe = (error) => {
    try {
      if (error !== null && typeof error === "object" && typeof error.message === "string") {
        const { name, message } = error;
        return typeof name === "string" && name !== "" ? name + ": " + message : message;
      }
    } catch {}
    return textOf(error);
  };
  const log = (...values) => {
    let line = "";
    for (let i = 0; i < values.length; i++) line += (i === 0 ? "" : " ") + textOf(values[i]);
    print(line + "\\n");
  };
  define(globalThis, "console", { log, info: log, debug: log, warn: log, error: log });
  return { decode, encode, describe };
})`;
