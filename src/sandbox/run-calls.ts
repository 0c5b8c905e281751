// Makes every call of a request, also those after a call that broke the interpreter (as unbounded recursion in C does) or
// used up its memory: the program is then loaded anew for the calls that are left, so what earlier calls left in its
// variables is gone. Leaves
// out: how an interpreter runs a program (python-interpreter.ts, quickjs-interpreter.ts).
import {
  type Interpreter,
  type Listener,
  outputLimitBytes,
  type WorkerOutcome,
  type WorkerRequest,
} from "./worker-protocol.ts";

/** Runs a request to its end within its limits. Never throws for what a program does. */
export async function runCalls(
  interpreter: Interpreter,
  request: WorkerRequest,
  listener: Listener,
  now: () => number = () => performance.now(),
): Promise<WorkerOutcome> {
  const deadline = now() + request.limits.seconds * 1000;
  let made = 0;
  let whole: WorkerOutcome | null = null;
  for (;;) {
    const first = made;
    const seconds = (deadline - now()) / 1000;
    if (whole !== null && seconds <= 0) return join(whole, { status: "timeout", reason: timeoutReason, output: "" });
    const outcome = interpreter.run(
      { ...request, calls: request.calls.slice(first), limits: { ...request.limits, seconds } },
      {
        loaded: () => listener.loaded(),
        call: (index, result) => {
          made = first + index + 1;
          listener.call(first + index, result);
        },
      },
    );
    whole = whole === null ? outcome : join(whole, outcome);
    // Where no call was made, loading itself broke the interpreter, and would again.
    if (!outcome.broken || made === first || made === request.calls.length) return whole;
    await interpreter.reset();
  }
}

const timeoutReason = "the time limit passed";

/** The outcome of two parts of one program: the first trouble counts, and what was printed stays. */
function join(before: WorkerOutcome, after: WorkerOutcome): WorkerOutcome {
  const { status, reason, broken } = before.status === "ok" ? after : before;
  return {
    status,
    output: (before.output + after.output).slice(0, outputLimitBytes),
    ...(reason === undefined ? {} : { reason }),
    ...(broken === undefined ? {} : { broken }),
  };
}
