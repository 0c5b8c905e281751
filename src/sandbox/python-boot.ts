// Boots Pyodide behind the import firewall: slowly from its standard library (some seconds of work), or quickly from a
// snapshot of an interpreter that was booted so. Leaves out: where snapshots are kept (python-snapshot.ts) and running
// programs (python-interpreter.ts).
import { ImportFirewall, pyodideVersion } from "./import-firewall.ts";

/** The part of Pyodide's Emscripten module that is used. All pointers are byte addresses in its memory. */
export interface PythonModule {
  readonly HEAPU8: Uint8Array;
  readonly HEAPU32: Uint32Array;
  readonly FS: { streams: unknown[]; unlink(path: string): void };
  readonly _PyExc_SystemExit: number;
  readonly _PyExc_MemoryError: number;
  stackSave(): number;
  stackRestore(pointer: number): void;
  _malloc(size: number): number;
  _emscripten_get_sbrk_ptr(): number;
  _emscripten_stack_get_base(): number;
  _PyThreadState_Get(): number;
  _PyUnstable_ThreadState_SetStackProtection(state: number, start: number, size: number): number;
  _Py_CompileStringExFlags(source: number, filename: number, start: number, flags: number, optimize: number): number;
  _PyImport_AddModule(name: number): number;
  _PyModule_GetDict(module: number): number;
  _PyEval_EvalCode(code: number, globals: number, locals: number): number;
  _PyDict_GetItemString(dictionary: number, key: number): number;
  _PyMarshal_ReadObjectFromString(data: number, size: number): number;
  _PyMarshal_WriteObjectToString(value: number, version: number): number;
  _PyObject_Call(callable: number, args: number, keywords: number): number;
  _PyObject_Str(value: number): number;
  _PyObject_GenericGetDict(object: number, context: number): number;
  _PyType_GetFlags(type: number): number;
  _PyType_GetDict(type: number): number;
  _PyMember_GetOne(object: number, member: number): number;
  _PySequence_List(iterable: number): number;
  _PyList_New(size: number): number;
  _PyList_Size(list: number): number;
  _PyList_GetItem(list: number, index: number): number;
  _PyList_SetItem(list: number, index: number, item: number): number;
  _PyTuple_New(size: number): number;
  _PyTuple_Size(tuple: number): number;
  _PyTuple_GetItem(tuple: number, index: number): number;
  _PyTuple_SetItem(tuple: number, index: number, item: number): number;
  _PyFrozenSet_New(iterable: number): number;
  _PySet_Size(set: number): number;
  _PyDict_New(): number;
  _PyDict_Size(dictionary: number): number;
  _PyDict_Keys(dictionary: number): number;
  _PyDict_Items(dictionary: number): number;
  _PyDict_Next(dictionary: number, position: number, key: number, value: number): number;
  _PyDict_GetItem(dictionary: number, key: number): number;
  _PyDict_SetItem(dictionary: number, key: number, value: number): number;
  _PyDict_Update(dictionary: number, other: number): number;
  _Py_IncRef(object: number): void;
  _PyBytes_AsString(bytes: number): number;
  _PyBytes_Size(bytes: number): number;
  _PyUnicode_AsUTF8(text: number): number;
  _PyErr_GetRaisedException(): number;
  _PyErr_GivenExceptionMatches(error: number, type: number): number;
}

interface Pyodide {
  readonly version: string;
  readonly _module: PythonModule;
  runPython(source: string): unknown;
  setInterruptBuffer(buffer: Uint8Array): void;
  makeMemorySnapshot(): Uint8Array;
}

export interface LoadedPython {
  readonly firewall: ImportFirewall;
  readonly pyodide: Pyodide;
}

// Imported once, before memory is saved, so that programs find them loaded. `sleep` would spin on a clock that does not
// follow the world's; programs that wait lose nothing by not waiting.
const bootSource = `
import math, itertools, functools, collections, re, heapq, bisect, random, string, json, typing, decimal, fractions
import operator, copy, datetime, statistics, sys, ast, dataclasses, enum, time, abc, io, contextlib
def sleep(seconds, /):
    """Returns at once: programs have no time of their own."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
time.sleep = sleep
del sleep
random.seed(0)
sys.dont_write_bytecode = True
`;

/** Boots from a snapshot. Replaces functions of WebAssembly in this process for good. */
export function loadPython(moduleUrl: string, snapshot: Uint8Array): Promise<LoadedPython> {
  return load(moduleUrl, { _loadSnapshot: snapshot });
}

/** Boots from the standard library and returns the snapshot that `loadPython` takes. */
export async function snapshotPython(moduleUrl: string): Promise<Uint8Array> {
  const { pyodide } = await load(moduleUrl, { _makeSnapshot: true });
  pyodide.runPython(bootSource);
  return pyodide.makeMemorySnapshot();
}

async function load(moduleUrl: string, options: object): Promise<LoadedPython> {
  const firewall = new ImportFirewall();
  firewall.install();
  const { loadPyodide } = (await import(moduleUrl)) as { loadPyodide(options: object): Promise<Pyodide> };
  const pyodide = await loadPyodide({
    env: { HOME: "/home/pyodide", PYTHONHASHSEED: "0", PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" },
    jsglobals: Object.create(null),
    stdin: () => null,
    stdout: () => {},
    stderr: () => {},
    ...options,
  });
  if (pyodide.version !== pyodideVersion) {
    throw new Error(`the import firewall is for Pyodide ${pyodideVersion}, not ${pyodide.version}`);
  }
  return { firewall, pyodide };
}
