// One Python interpreter (Pyodide) behind the import firewall, driven through CPython's C functions so that nothing a
// program overrides stands between it and its result. Memory is saved after boot and put back before every program:
// each meets the same fresh interpreter, with the same hash seed, random numbers, clock and addresses. Leaves out: the
// process around it (worker.ts) and who may hang or die (worker-process.ts).
import { type ImportFirewall, Killed } from "./import-firewall.ts";
import { marshalArguments, NotPlain, unmarshalValue } from "./marshal.ts";
import { isStackOverflow } from "./native-stack.ts";
import type { PlainValue } from "./plain-values.ts";
import type { LoadedPython, PythonModule } from "./python-boot.ts";
import { knownSource, PlainCopies } from "./python-values.ts";
import type { ProgramStatus } from "./sandbox.ts";
import {
  type Interpreter,
  type Listener,
  largestValueBytes,
  type WorkerOutcome,
  type WorkerRequest,
} from "./worker-protocol.ts";

const fileInput = 257; // Py_file_input
const typeOffset = 4; // offsetof(PyObject, ob_type) on wasm32
const typeNameOffset = 12; // offsetof(PyTypeObject, tp_name) on wasm32
const marshalVersion = 2;
const mebibyte = 1024 * 1024;
/** Memory beyond which putting it back costs more than a new process. */
const wornBytes = 128 * mebibyte;
/** Where a program lives; not `__main__`, so that a program's own self-tests do not run. */
const moduleName = "program";

export class PythonInterpreter implements Interpreter {
  readonly #firewall: ImportFirewall;
  readonly #module: PythonModule;
  readonly #saved: Uint8Array;
  readonly #savedStack: number;
  readonly #savedBreak: number;
  readonly #copies: PlainCopies;
  readonly #names: { readonly file: number; readonly module: number };
  #dirty = false;

  /** Takes over an interpreter that `loadPython` booted; it may use `stackBytes` of its stack, 0 for what it likes. */
  constructor({ firewall, pyodide }: LoadedPython, stackBytes: number) {
    this.#firewall = firewall;
    this.#module = pyodide._module;
    pyodide.setInterruptBuffer(new Uint8Array(1));
    // Devices answer from the host (terminal, random numbers); programs have no use for them.
    for (const device of ["stdin", "stdout", "stderr", "tty", "tty1", "random", "urandom"]) {
      try {
        this.#module.FS.unlink(`/dev/${device}`);
      } catch {
        // Not every version has every device.
      }
    }
    if (stackBytes > 0) this.#limitStack(stackBytes);
    this.#names = { file: this.#string("<program>"), module: this.#string(moduleName) };
    // A first program, so that what the interpreter sets up lazily is part of what is saved.
    this.#prepare("def f(x):\n    return [x, str(x), {'a': 1.5}]\n", "f");
    this.#copies = this.#plainCopies();
    this.#savedStack = this.#module.stackSave();
    this.#savedBreak = this.#break();
    this.#saved = this.#module.HEAPU8.slice();
  }

  get worn(): boolean {
    return this.#module.HEAPU8.length > wornBytes;
  }

  /** Puts the saved interpreter back, if a program ran since. */
  reset(): void {
    if (!this.#dirty) return;
    const { HEAPU8, FS } = this.#module;
    HEAPU8.set(this.#saved);
    HEAPU8.fill(0, this.#saved.length);
    this.#module.stackRestore(this.#savedStack);
    for (let i = 3; i < FS.streams.length; i++) FS.streams[i] = null;
    this.#dirty = false;
  }

  run(request: WorkerRequest, listener: Listener): WorkerOutcome {
    this.reset();
    const firewall = this.#firewall;
    firewall.reset();
    this.#dirty = true;
    const limitBytes = this.#savedBreak + request.limits.memoryMiB * mebibyte;
    firewall.heapLimitBytes = Math.max(limitBytes, this.#saved.length);
    firewall.deadline = performance.now() + request.limits.seconds * 1000;
    firewall.locked = true;
    let status: ProgramStatus = "ok";
    let reason: string | undefined;
    let broken = false;
    const note = (ending: Ending): string => {
      if (status === "ok" && ending.kind !== "error") [status, reason] = [ending.kind, ending.detail];
      return ending.kind === "error" ? ending.detail : `${ending.kind}: ${ending.detail}`;
    };
    try {
      const globals = this.#load(request.program);
      listener.loaded();
      for (const [index, call] of request.calls.entries()) {
        if (firewall.killed !== null) break;
        try {
          listener.call(index, { value: this.#call(globals, call.function, call.args) });
        } catch (error) {
          const ending = this.#ending(error);
          listener.call(index, { error: note(ending) });
          broken = ending.broken === true || ending.kind === "memory" || ending.kind === "crash";
          if (broken) break;
        }
        // Memory that was there from an earlier program is not refused by the gate, so it is counted here too.
        if (status === "ok" && this.#break() > limitBytes) {
          note({ kind: "memory", detail: "the memory limit was reached" });
          broken = true;
          break;
        }
        if (status !== "ok" && status !== "exit") break;
      }
    } catch (error) {
      const ending = this.#ending(error);
      [status, reason] = [ending.kind, ending.detail];
    } finally {
      firewall.locked = false;
    }
    const output = firewall.output();
    return { status, output, ...(reason === undefined ? {} : { reason }), ...(broken ? { broken } : {}) };
  }

  /** Lets Python raise RecursionError before the stack of the process ends, whose end it does not see. */
  #limitStack(bytes: number): void {
    const module = this.#module;
    const start = module._emscripten_stack_get_base() - bytes;
    if (module._PyUnstable_ThreadState_SetStackProtection(module._PyThreadState_Get(), start, bytes) !== 0) {
      throw new Error(`Python cannot do with a stack of ${bytes} bytes`);
    }
  }

  /** Compiles and runs the program's top level; returns its module dictionary. */
  #load(program: string): number {
    const module = this.#module;
    if (program.includes("\0")) throw new NotPlain("SyntaxError: source code cannot contain null bytes");
    const code = module._Py_CompileStringExFlags(this.#string(program), this.#names.file, fileInput, 0, -1);
    if (code === 0) throw this.#raised();
    const globals = module._PyModule_GetDict(module._PyImport_AddModule(this.#names.module));
    if (module._PyEval_EvalCode(code, globals, globals) === 0) throw this.#raised();
    return globals;
  }

  #call(globals: number, name: string, args: readonly PlainValue[]): PlainValue {
    const module = this.#module;
    const callable = module._PyDict_GetItemString(globals, this.#string(name));
    if (callable === 0) throw new NotPlain(`NameError: the program has no function ${JSON.stringify(name)}`);
    const bytes = marshalArguments(args);
    const tuple = module._PyMarshal_ReadObjectFromString(this.#copyIn(bytes), bytes.length);
    if (tuple === 0) throw this.#raised();
    const value = module._PyObject_Call(callable, tuple, 0);
    if (value === 0) throw this.#raised();
    const marshalled = this.#marshal(value) || this.#marshal(this.#copies.copy(value));
    if (marshalled !== 0) return this.#unmarshal(marshalled);
    throw new NotPlain(
      `the program returned ${this.#typeName(value)}, or a value that holds something like it, which is not plain data`,
    );
  }

  /** Bytes object of a value of exact plain types; 0 for other values, and for none (0). */
  #marshal(value: number): number {
    const marshalled = value === 0 ? 0 : this.#module._PyMarshal_WriteObjectToString(value, marshalVersion);
    if (marshalled !== 0) return marshalled;
    const raised = this.#raised();
    if (raised.kind !== "error") throw raised;
    return 0;
  }

  #unmarshal(marshalled: number): PlainValue {
    const module = this.#module;
    const size = module._PyBytes_Size(marshalled);
    if (size > largestValueBytes) throw new NotPlain(`the value is larger than ${largestValueBytes} bytes`);
    const start = module._PyBytes_AsString(marshalled);
    return unmarshalValue(module.HEAPU8.slice(start, start + size));
  }

  /** Runs source of our own before any program; returns what it binds to `name`. */
  #prepare(source: string, name: string): number {
    const module = this.#module;
    const globals = module._PyDict_New();
    const code = module._Py_CompileStringExFlags(this.#string(source), this.#names.file, fileInput, 0, -1);
    if (code === 0 || module._PyEval_EvalCode(code, globals, globals) === 0) throw new Error("Python did not start");
    return module._PyDict_GetItemString(globals, this.#string(name));
  }

  #plainCopies(): PlainCopies {
    const module = this.#module;
    const border = {
      enter: (value: PlainValue): number => {
        const bytes = marshalArguments([value]);
        const tuple = module._PyMarshal_ReadObjectFromString(this.#copyIn(bytes), bytes.length);
        return tuple === 0 ? 0 : module._PyTuple_GetItem(tuple, 0);
      },
      leave: (object: number): PlainValue | null => {
        const marshalled = module._PyMarshal_WriteObjectToString(object, marshalVersion);
        return marshalled === 0 ? null : this.#unmarshal(marshalled);
      },
    };
    return new PlainCopies(module, border, this.#prepare(knownSource, "known"));
  }

  /** The raised exception as data. Runs the exception's `__str__`, under the same limits as the program. */
  #raised(): Raised {
    const module = this.#module;
    const error = module._PyErr_GetRaisedException();
    if (error === 0) return new Raised("error", "the interpreter failed without saying why");
    const type = this.#typeName(error);
    const is = (exception: number): boolean =>
      module._PyErr_GivenExceptionMatches(error, module.HEAPU32[exception >>> 2]) !== 0;
    if (is(module._PyExc_MemoryError)) return new Raised("memory", "the program ran out of memory");
    const text = module._PyObject_Str(error);
    const characters = text === 0 ? 0 : module._PyUnicode_AsUTF8(text);
    const message = characters === 0 ? "" : this.#readString(characters);
    const detail = message === "" ? type : `${type}: ${message}`;
    return is(module._PyExc_SystemExit) ? new Raised("exit", detail) : new Raised("error", detail);
  }

  /** What any thrown value means for the program. */
  #ending(error: unknown): Ending {
    // A killed program stays killed, whatever it made of the exception that killed it.
    const killed = this.#firewall.killed;
    if (killed !== null) return { kind: killed.kind, detail: killed.message };
    if (error instanceof Raised) return { kind: error.kind, detail: error.message };
    if (error instanceof NotPlain) return { kind: "error", detail: error.message };
    if (error instanceof Killed) return { kind: error.kind, detail: error.message };
    if (isStackOverflow(error)) {
      return { kind: "error", detail: "RecursionError: the program recursed deeper than the stack is", broken: true };
    }
    const text = error instanceof Error ? error.message : String(error);
    return { kind: "crash", detail: `the interpreter broke: ${text.slice(0, 200)}` };
  }

  #typeName(object: number): string {
    const { HEAPU32 } = this.#module;
    return this.#readString(HEAPU32[(HEAPU32[(object + typeOffset) >>> 2] + typeNameOffset) >>> 2]);
  }

  #break(): number {
    return this.#module.HEAPU32[this.#module._emscripten_get_sbrk_ptr() >>> 2];
  }

  /** Copies bytes into the interpreter; never freed, since memory is put back as a whole. */
  #copyIn(bytes: Uint8Array): number {
    const address = this.#module._malloc(bytes.length + 1);
    if (address === 0) throw new Raised("memory", "the memory limit was reached");
    this.#module.HEAPU8.set(bytes, address);
    this.#module.HEAPU8[address + bytes.length] = 0;
    return address;
  }

  #string(text: string): number {
    return this.#copyIn(Buffer.from(text, "utf8"));
  }

  #readString(address: number): string {
    const { HEAPU8 } = this.#module;
    const limit = Math.min(address + 500, HEAPU8.length);
    let end = address;
    while (end < limit && HEAPU8[end] !== 0) end++;
    return Buffer.from(HEAPU8.subarray(address, end)).toString("utf8");
  }
}

interface Ending {
  readonly kind: Exclude<ProgramStatus, "ok">;
  readonly detail: string;
  /** True for an error that left the interpreter in mid-air; it must be put back before it is used. */
  readonly broken?: boolean;
}

/** A Python exception that reached the top. */
class Raised extends Error {
  readonly kind: Ending["kind"];

  constructor(kind: Ending["kind"], detail: string) {
    super(detail);
    this.kind = kind;
  }
}
