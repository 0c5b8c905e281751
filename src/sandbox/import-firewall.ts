// The wall around the Python interpreter: every JavaScript function that its WebAssembly can reach passes a gate. While
// a program runs only the functions named here answer; any other call ends the program. The lists belong to exactly one
// Pyodide version (`pyodideVersion`): 268 imported functions and 259 more in its indirect table. Leaves out:
// how the interpreter is driven (python-interpreter.ts).
import { outputLimitBytes } from "./worker-protocol.ts";

/** The version that the lists below were checked against; the worker refuses to start with another. */
export const pyodideVersion = "314.0.7";

export type KillKind = "timeout" | "memory" | "denied" | "output" | "exit" | "crash";

/** Thrown through the interpreter to end a program at once. */
export class Killed extends Error {
  readonly kind: KillKind;

  constructor(kind: KillKind, detail: string) {
    super(detail);
    this.kind = kind;
  }
}

// Functions that may run unchanged: they read the virtual file system or compute.
const allowed = new Set([
  "_PyEM_TrampolineCall_JS",
  "_Py_emscripten_runtime",
  "__syscall_faccessat",
  "__syscall_fstat64",
  "__syscall_getcwd",
  "__syscall_getdents64",
  "__syscall_getuid32_js",
  "__syscall_lstat64",
  "__syscall_newfstatat",
  "__syscall_readlinkat",
  "__syscall_stat64",
  "_gmtime_js",
  "_localtime_js",
  "_mktime_js",
  "_timegm_js",
  "_tzset_js",
  "clock_res_get",
  "emscripten_get_heap_max",
  "emscripten_runtime_keepalive_pop",
  "emscripten_runtime_keepalive_push",
  "environ_get",
  "environ_sizes_get",
  "fd_fdstat_get",
  "fd_pread",
  "fd_read",
  "fd_seek",
]);

const badFileDescriptor = 8;
const notATerminal = -59;
const permittedFcntl = new Set([1, 2, 3]); // F_GETFD, F_SETFD, F_GETFL
// O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND and the part of O_TMPFILE that is not O_DIRECTORY.
const writeFlags = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000;
/** 2025-01-01, where every program's clock starts. */
const clockStart = 1_735_689_600_000;
/** Milliseconds that pass at every look at the clock, so that loops which wait for a time do end. */
const clockStep = 0.1;

/** The part of the global WebAssembly that is used; Node's types leave it out. */
interface WebAssemblyApi {
  instantiate(source: unknown, imports?: Imports): Promise<Instance | { readonly instance: Instance }>;
  Instance: new (module: object, imports?: Imports) => Instance;
  Memory: new (descriptor: { initial: number }) => Memory;
}
type Imports = Record<string, object>;
interface Instance {
  readonly exports: Readonly<Record<string, unknown>>;
}
interface Memory {
  readonly buffer: ArrayBuffer;
}

type HostFunction = (...args: never[]) => unknown;
type Answer = (...args: number[]) => unknown;

/** The gate, its clock, its random numbers and its output. One for each interpreter. */
export class ImportFirewall {
  /** True while a program runs. */
  locked = false;
  /** Set when the program was ended by force; once set, every import ends it again. */
  killed: Killed | null = null;
  /** performance.now() at which the program ends. */
  deadline = Number.POSITIVE_INFINITY;
  heapLimitBytes = Number.POSITIVE_INFINITY;
  /** The interpreter's memory; known once it is instantiated. */
  memory: Memory | null = null;
  #output: Buffer[] = [];
  #outputBytes = 0;
  #clockReads = 0;
  #randomState = 1;
  readonly #special: ReadonlyMap<string, (original: Answer) => Answer>;

  constructor() {
    this.#special = new Map<string, (original: Answer) => Answer>([
      [
        "fd_write",
        (original) =>
          (...args) =>
            this.#write(original, args),
      ],
      [
        "fd_read",
        (original) =>
          (...args) =>
            args[0] === 0 ? this.#endOfInput(args[3]) : original(...args),
      ],
      [
        "fd_close",
        (original) =>
          (...args) =>
            this.locked && args[0] <= 2 ? badFileDescriptor : original(...args),
      ],
      ["random_get", () => (address, size) => this.#fillRandom(address, size)],
      [
        "clock_time_get",
        () =>
          (_clock, ...rest) =>
            this.#writeClock(rest[rest.length - 1]),
      ],
      ["emscripten_date_now", () => () => this.#now()],
      ["emscripten_get_now", () => () => this.#now() - clockStart],
      ["_Py_CheckEmscriptenSignals_Helper", (original) => () => this.#checkDeadline(original)],
      ["emscripten_resize_heap", (original) => (size) => this.#resize(original, size)],
      [
        "__syscall_openat",
        (original) =>
          (...args) =>
            this.#open(original, args),
      ],
      [
        "__syscall_fcntl64",
        (original) =>
          (...args) =>
            this.#fcntl(original, args),
      ],
      [
        "__syscall_ioctl",
        (original) =>
          (...args) =>
            this.locked ? notATerminal : original(...args),
      ],
      ...["exit", "proc_exit"].map((name) => this.#ending(name, "exit", "the program ended the process")),
      ...["_abort_js", "__assert_fail"].map((name) => this.#ending(name, "crash", "the interpreter aborted")),
    ]);
  }

  /** Wraps WebAssembly so that whatever is instantiated from now on is behind this gate. Call before loading Pyodide. */
  install(): void {
    const api = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
    const instantiate = api.instantiate.bind(api);
    api.instantiate = async (source, imports) => {
      const result = await instantiate(source, imports === undefined ? imports : this.#guardAll(imports));
      const memory = ("instance" in result ? result.instance : result).exports["memory"];
      if (memory instanceof api.Memory) this.memory = memory;
      return result;
    };
    // Emscripten wraps the functions of its indirect table in small modules of their own.
    api.Instance = new Proxy(api.Instance, {
      construct: (target, [module, imports]: [object, Imports | undefined]) =>
        new target(module, imports === undefined ? imports : this.#guardAll(imports)),
    });
    // Stack switching would hand WebAssembly functions that are not plain functions and so pass no gate.
    for (const name of ["Suspending", "promising", "SuspendError"]) Reflect.deleteProperty(api, name);
  }

  /** Everything that a program may have changed on this side goes back to the start. */
  reset(): void {
    this.killed = null;
    this.#output = [];
    this.#outputBytes = 0;
    this.#clockReads = 0;
    this.#randomState = 1;
  }

  /** What the program printed since `reset`. */
  output(): string {
    return Buffer.concat(this.#output).subarray(0, outputLimitBytes).toString("utf8");
  }

  #guardAll(imports: Imports): Imports {
    const guarded: Imports = {};
    for (const [module, values] of Object.entries(imports)) {
      guarded[module] = new Proxy(values, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? this.#guard(String(name), value as HostFunction) : value;
        },
      });
    }
    return guarded;
  }

  #guard(name: string, original: HostFunction): Answer {
    const answer = original as unknown as Answer;
    const special = this.#special.get(name)?.(answer);
    if (special !== undefined) {
      return (...args) => {
        this.#rethrow();
        return special(...args);
      };
    }
    const open = allowed.has(name);
    return (...args) => {
      if (this.locked) {
        this.#rethrow();
        if (!open) this.#kill("denied", `the program called ${name}`);
      }
      return answer(...args);
    };
  }

  #rethrow(): void {
    if (this.locked && this.killed !== null) throw this.killed;
  }

  #kill(kind: KillKind, detail: string): never {
    this.killed = new Killed(kind, detail);
    throw this.killed;
  }

  #ending(name: string, kind: KillKind, detail: string): [string, (original: Answer) => Answer] {
    const guard =
      (original: Answer): Answer =>
      (...args) =>
        this.locked ? this.#kill(kind, detail) : original(...args);
    return [name, guard];
  }

  #view(): DataView {
    if (this.memory === null) throw new Error("the interpreter's memory is not known yet");
    return new DataView(this.memory.buffer);
  }

  /** fd_write(fd, vectors, count, written): WASI's gathering write. */
  #write(original: Answer, args: readonly number[]): unknown {
    if (!this.locked) return original(...args);
    const [descriptor, vectors, count, written] = args;
    if (descriptor !== 1 && descriptor !== 2) return this.#kill("denied", "the program wrote to a file");
    const view = this.#view();
    let total = 0;
    for (let i = 0; i < count; i++) {
      const start = view.getUint32(vectors + i * 8, true);
      const size = view.getUint32(vectors + i * 8 + 4, true);
      const kept = Math.min(size, Math.max(0, outputLimitBytes - this.#outputBytes));
      if (kept > 0) this.#output.push(Buffer.from(new Uint8Array(view.buffer, start, kept)));
      this.#outputBytes += size;
      total += size;
    }
    if (this.#outputBytes > outputLimitBytes) {
      this.#kill("output", `the program printed more than ${outputLimitBytes} bytes`);
    }
    view.setUint32(written, total, true);
    return 0;
  }

  #endOfInput(read: number): number {
    this.#view().setUint32(read, 0, true);
    return 0;
  }

  #fillRandom(address: number, size: number): number {
    const bytes = new Uint8Array(this.#view().buffer, address, size);
    for (let i = 0; i < size; i++) {
      // xorshift32 (Marsaglia 2003): the same bytes for every program, so that equal runs are identical.
      let x = this.#randomState;
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      this.#randomState = x >>> 0;
      bytes[i] = x & 0xff;
    }
    return 0;
  }

  #now(): number {
    return clockStart + this.#clockReads++ * clockStep;
  }

  #writeClock(address: number): number {
    this.#view().setBigUint64(address, BigInt(Math.round(this.#now() * 1e3)) * 1000n, true);
    return 0;
  }

  #checkDeadline(original: Answer): unknown {
    if (!this.locked) return original();
    if (performance.now() > this.deadline) this.#kill("timeout", "the time limit passed");
    return 0;
  }

  #resize(original: Answer, size: number): unknown {
    if (this.locked && size >>> 0 > this.heapLimitBytes) this.#kill("memory", "the memory limit was reached");
    return original(size);
  }

  #open(original: Answer, args: readonly number[]): unknown {
    if (this.locked && (args[2] & writeFlags) !== 0) this.#kill("denied", "the program opened a file to write");
    return original(...args);
  }

  #fcntl(original: Answer, args: readonly number[]): unknown {
    if (this.locked && !permittedFcntl.has(args[1])) this.#kill("denied", `the program called fcntl ${args[1]}`);
    return original(...args);
  }
}
