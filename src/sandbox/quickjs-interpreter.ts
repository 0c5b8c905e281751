// One QuickJS (quickjs-emscripten) for programs in JavaScript: a fresh runtime and context for every program, with limits
// on memory, stack and time, and no way out, since nothing of the host is handed in but a function that prints. Leaves
// out: how values are written inside (quickjs-harness.ts) and the process around it (worker.ts).
import type { QuickJSContext, QuickJSHandle, QuickJSWASMModule } from "quickjs-emscripten";
import { isStackOverflow } from "./native-stack.ts";
import { maxDepth, type PlainValue, plainValueProblem } from "./plain-values.ts";
import { quickJsHarness } from "./quickjs-harness.ts";
import type { ProgramStatus } from "./sandbox.ts";
import {
  type Interpreter,
  type Listener,
  largestValueBytes,
  outputLimitBytes,
  type WorkerOutcome,
  type WorkerRequest,
} from "./worker-protocol.ts";

const stackBytes = 256 * 1024;
const mebibyte = 1024 * 1024;
const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
/** Jobs (continuations of promises) between two looks at the clock. */
const jobBatch = 100;

/** Why a call or a program ended without a value. */
class Ended extends Error {
  readonly kind: Exclude<ProgramStatus, "ok">;
  /** True where QuickJS cannot be used any more. */
  readonly broken: boolean;

  constructor(kind: Exclude<ProgramStatus, "ok">, detail: string, broken = kind === "memory" || kind === "crash") {
    super(detail);
    this.kind = kind;
    this.broken = broken;
  }
}

/** WebAssembly memory; its type is not among Node's. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (limits: object) => Memory } }).WebAssembly;
const pageBytes = 64 * 1024;
/** What this build of QuickJS declares: 16 MiB to start with, 2 GiB at most. */
const [initialPages, maximumPages] = [256, 32768];

interface Instance {
  readonly module: QuickJSWASMModule;
  readonly memory: Memory;
}

export class QuickJsInterpreter implements Interpreter {
  readonly #instantiate: () => Promise<Instance>;
  readonly #now: () => number;
  #instance: Instance;
  #clockReads = 0;
  #largestPages = maximumPages;
  #broken = false;

  /**
   * Boots QuickJS from the modules of quickjs-emscripten-core and of one of its builds, given by URL. Replaces this
   * process's clock for good.
   */
  static async boot(coreUrl: string, buildUrl: string): Promise<QuickJsInterpreter> {
    const { newVariant, newQuickJSWASMModuleFromVariant } = (await import(coreUrl)) as {
      newVariant(build: unknown, options: object): unknown;
      newQuickJSWASMModuleFromVariant(build: unknown): Promise<QuickJSWASMModule>;
    };
    const build = (await import(buildUrl)) as { default: unknown };
    const instantiate = async (): Promise<Instance> => {
      const memory = new Memory({ initial: initialPages, maximum: maximumPages });
      const module = await newQuickJSWASMModuleFromVariant(newVariant(build.default, { wasmMemory: memory }));
      return { module, memory };
    };
    return new QuickJsInterpreter(instantiate, await instantiate());
  }

  private constructor(instantiate: () => Promise<Instance>, instance: Instance) {
    this.#instantiate = instantiate;
    this.#instance = instance;
    this.#now = performance.now.bind(performance);
    this.#limitMemory();
    // The library asks the host for the time; programs get 2025-01-01 and 0.1 ms a look, so that equal runs are equal.
    Date.now = () => 1_735_689_600_000 + this.#clockReads++ * 0.1;
  }

  readonly worn = false;

  /** Takes a new QuickJS where the last one broke, or has more memory to begin with than a fresh one. */
  async reset(): Promise<void> {
    if (!this.#broken && this.#instance.memory.buffer.byteLength === initialPages * pageBytes) return;
    this.#instance = await this.#instantiate();
    this.#broken = false;
    this.#limitMemory();
  }

  run(request: WorkerRequest, listener: Listener): WorkerOutcome {
    this.#clockReads = 0;
    this.#largestPages = initialPages + (request.limits.memoryMiB * mebibyte) / pageBytes;
    const deadline = this.#now() + request.limits.seconds * 1000;
    const session = new Session(this.#instance.module, () => this.#now() > deadline);
    const outcome = session.run(request, listener);
    if (outcome.broken === true) this.#broken = true;
    try {
      session.close();
    } catch {
      this.#broken = true;
    }
    return outcome;
  }

  /** QuickJS's own memory limit counts no bytes in WebAssembly, so the limit is set where memory grows. */
  #limitMemory(): void {
    const { memory } = this.#instance;
    const grow = memory.grow.bind(memory);
    memory.grow = (pages) => {
      if (memory.buffer.byteLength / pageBytes + pages > this.#largestPages) throw new RangeError("memory limit");
      return grow(pages);
    };
  }
}

/** One program in one runtime. */
class Session {
  readonly #context: QuickJSContext;
  readonly #handles: QuickJSHandle[] = [];
  readonly #decode: QuickJSHandle;
  readonly #encode: QuickJSHandle;
  readonly #describe: QuickJSHandle;
  readonly #late: () => boolean;
  #output = "";
  #killed: Ended | null = null;

  constructor(module: QuickJSWASMModule, late: () => boolean) {
    this.#late = late;
    const runtime = module.newRuntime();
    const context = runtime.newContext();
    this.#context = context;
    const print = this.#keep(context.newFunction("print", (text) => this.#print(context.getString(text))));
    const harness = this.#keep(
      context.unwrapResult(context.evalCode(quickJsHarness, "harness.js", { type: "global" })),
    );
    const depth = this.#keep(context.newNumber(maxDepth));
    const parts = this.#keep(context.unwrapResult(context.callFunction(harness, context.undefined, print, depth)));
    this.#decode = this.#keep(context.getProp(parts, "decode"));
    this.#encode = this.#keep(context.getProp(parts, "encode"));
    this.#describe = this.#keep(context.getProp(parts, "describe"));
    runtime.setMaxStackSize(stackBytes);
    runtime.setInterruptHandler(() => this.#interrupted());
  }

  close(): void {
    for (const handle of this.#handles.reverse()) handle.dispose();
    const { runtime } = this.#context;
    this.#context.dispose();
    runtime.dispose();
  }

  run(request: WorkerRequest, listener: Listener): WorkerOutcome {
    let status: ProgramStatus = "ok";
    let reason: string | undefined;
    let broken = false;
    try {
      const exported = this.#load(request.program);
      listener.loaded();
      for (const [index, call] of request.calls.entries()) {
        try {
          listener.call(index, { value: this.#call(exported, call.function, call.args) });
        } catch (error) {
          const ending = this.#ending(error);
          const whole = ending.kind !== "error";
          listener.call(index, { error: whole ? `${ending.kind}: ${ending.message}` : ending.message });
          if (whole) [status, reason] = [ending.kind, ending.message];
          broken = ending.broken;
          if (whole || broken) break;
        }
      }
    } catch (error) {
      const ending = this.#ending(error);
      [status, reason] = [ending.kind, ending.message];
    }
    const output = this.#output;
    return { status, output, ...(reason === undefined ? {} : { reason }), ...(broken ? { broken } : {}) };
  }

  /** Runs the program's top level; returns the module's namespace when it is an ES module. */
  #load(program: string): QuickJSHandle | null {
    const type = /^\s*export\s/m.test(program) ? "module" : "global";
    const result = this.#settle(this.#value(this.#context.evalCode(program, "program.js", { type })));
    return type === "module" ? result : null;
  }

  #call(exported: QuickJSHandle | null, name: string, args: readonly PlainValue[]): PlainValue {
    const context = this.#context;
    const missing = new Ended("error", `ReferenceError: the program has no function ${JSON.stringify(name)}`);
    if (!identifier.test(name)) throw missing;
    // Evaluated as an identifier, since top-level `const` and `class` are no properties of the global object.
    const callable =
      exported === null
        ? this.#value(context.evalCode(`typeof ${name} === "undefined" ? undefined : ${name}`, "call.js"))
        : this.#keep(context.getProp(exported, name));
    if (context.typeof(callable) === "undefined") throw missing;
    const text = this.#keep(context.newString(JSON.stringify(args)));
    const list = this.#value(context.callFunction(this.#decode, context.undefined, text));
    const values = args.map((_, index) => this.#keep(context.getProp(list, index)));
    const value = this.#settle(this.#value(context.callFunction(callable, context.undefined, values)));
    const written = context.getString(this.#value(context.callFunction(this.#encode, context.undefined, value)));
    if (written.length > largestValueBytes) {
      throw new Ended("error", `the value is larger than ${largestValueBytes} bytes`);
    }
    const plain: unknown = JSON.parse(written);
    const problem = plainValueProblem(plain);
    if (problem !== null) throw new Ended("error", problem);
    return plain as PlainValue;
  }

  /** Runs pending jobs; where `handle` is a promise, until it is settled. */
  #settle(handle: QuickJSHandle): QuickJSHandle {
    const { runtime } = this.#context;
    for (;;) {
      const jobs = runtime.executePendingJobs(jobBatch);
      if (jobs.error) {
        jobs.error.dispose();
        this.#checkAlive();
      } else if (jobs.value === 0) break;
      if (this.#interrupted()) this.#checkAlive();
    }
    const state = this.#context.getPromiseState(handle);
    if (state.type === "fulfilled") return state.notAPromise ? handle : this.#keep(state.value);
    if (state.type === "pending") throw new Ended("error", "the promise never settles");
    throw this.#thrown(this.#keep(state.error));
  }

  #value(result: ReturnType<QuickJSContext["evalCode"]>): QuickJSHandle {
    if (result.error) throw this.#thrown(this.#keep(result.error));
    return this.#keep(result.value);
  }

  #thrown(error: QuickJSHandle): Ended {
    this.#checkAlive();
    const described = this.#context.callFunction(this.#describe, this.#context.undefined, error);
    if (described.error) {
      described.error.dispose();
      this.#checkAlive();
      return new Ended("error", "the program threw something that cannot be described");
    }
    const text = this.#context.getString(this.#keep(described.value)).slice(0, 500);
    return text === "InternalError: out of memory"
      ? new Ended("memory", "the memory limit was reached")
      : new Ended("error", text);
  }

  #ending(error: unknown): Ended {
    if (this.#killed !== null) return this.#killed;
    if (error instanceof Ended) return error;
    if (isStackOverflow(error)) return new Ended("error", "InternalError: stack overflow", true);
    return new Ended("crash", `the interpreter broke: ${error instanceof Error ? error.message : String(error)}`);
  }

  #print(text: string): void {
    this.#output += text;
    if (this.#output.length <= outputLimitBytes) return;
    this.#output = this.#output.slice(0, outputLimitBytes);
    this.#killed ??= new Ended("output", `the program printed more than ${outputLimitBytes} characters`);
    throw this.#killed;
  }

  /** Asked by QuickJS every so often; true ends the program in a manner that it cannot catch. */
  #interrupted(): boolean {
    if (this.#killed === null && this.#late()) this.#killed = new Ended("timeout", "the time limit passed");
    return this.#killed !== null;
  }

  #checkAlive(): void {
    if (this.#killed !== null) throw this.#killed;
  }

  #keep(handle: QuickJSHandle): QuickJSHandle {
    this.#handles.push(handle);
    return handle;
  }
}
