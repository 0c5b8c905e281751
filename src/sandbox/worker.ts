// Entry point of a sandbox process: `worker.ts <task> <what the interpreter is loaded from>…`. Reads requests and writes
// results synchronously, so that results leave the process even when the next call never ends. Started by
// worker-process.ts with an empty environment and Node's permission model.
import { constants, readFileSync, readSync, writeSync } from "node:fs";
import { loadPython, snapshotPython } from "./python-boot.ts";
import { PythonInterpreter } from "./python-interpreter.ts";
import { QuickJsInterpreter } from "./quickjs-interpreter.ts";
import { runCalls } from "./run-calls.ts";
import type { Interpreter, WorkerMessage, WorkerRequest } from "./worker-protocol.ts";

/** Writes everything to standard output; waits where the pipe is full. */
function write(bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += writeSync(1, bytes, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}

function send(message: WorkerMessage): void {
  write(Buffer.from(`${JSON.stringify(message)}\n`));
}

/** Yields the lines of standard input, blocking; ends when the owner closes it. */
function* lines(): Generator<string> {
  const chunk = Buffer.alloc(64 * 1024);
  let parts: Buffer[] = [];
  for (;;) {
    let size = 0;
    try {
      size = readSync(0, chunk);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EAGAIN") continue;
      if (code !== "EOF") throw error;
    }
    if (size === 0) return;
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1 && end < size; end = chunk.indexOf(10, start)) {
      parts.push(Buffer.from(chunk.subarray(start, end)));
      yield Buffer.concat(parts).toString("utf8");
      parts = [];
      start = end + 1;
    }
    parts.push(Buffer.from(chunk.subarray(start, size)));
  }
}

/** Takes away what could tell one host from another, and what an interpreter's library might print. */
function forgetHost(): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  process.env["TZ"] = "UTC";
  process.argv = ["node", "sandbox"];
  process.title = "sandbox";
  // Pyodide asks here for the flags of open(2) when it starts; the permission model refuses the real one.
  Object.assign(process, { binding: () => ({ fs: constants }) });
  for (const name of ["log", "error", "warn", "info", "debug", "trace"] as const) console[name] = () => {};
}

const [task, ...sources] = process.argv.slice(2);
forgetHost();
if (task === "python-snapshot") {
  write(await snapshotPython(sources[0]));
  process.exit(0);
}
const interpreter: Interpreter =
  task === "python"
    ? new PythonInterpreter(await loadPython(sources[0], readFileSync(sources[1])), Number(sources[2] ?? 0))
    : await QuickJsInterpreter.boot(sources[0], sources[1]);
send({ kind: "ready" });
for (const line of lines()) {
  const request = JSON.parse(line) as WorkerRequest;
  await interpreter.reset();
  send({ kind: "started" });
  const start = performance.now();
  const outcome = await runCalls(interpreter, request, {
    loaded: () => send({ kind: "loaded" }),
    call: (index, result) => send({ kind: "call", index, result }),
  });
  const milliseconds = performance.now() - start;
  send({ kind: "done", outcome, milliseconds, worn: interpreter.worn });
  await interpreter.reset();
}
