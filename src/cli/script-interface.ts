// What scripts ask of the sandbox, one JSON object in and one out: `run-program` and `judge`. Whatever comes in, an answer
// comes out that says why there is no result. Leaves out: reading lines and printing (src/cli). Parse lines with
// `parseExactJson`, so that large integers and floats like 2.0 arrive as they were written.
import { z } from "zod";
import { type ProgramOutcome, programLanguages, type Sandbox } from "../sandbox/sandbox.ts";
import type { UnitTest } from "../types.ts";
import { runTests, type TestResult } from "../verify/unit-tests.ts";

/** A number; `parseExactJson` reads `2.0` as a tag. */
const limit = z.union([z.number(), z.object({ $: z.literal("float"), value: z.string() }).transform(untag)]);
const limits = z.object({ seconds: limit.optional(), memoryMiB: limit.optional() });

function untag({ value }: { readonly value: string }): number {
  return Number(value);
}

const runProgramRequest = z.object({
  language: z.enum(programLanguages),
  program: z.string(),
  calls: z.array(z.object({ function: z.string(), args: z.array(z.unknown()) })),
  limits: limits.optional(),
});

const judgeRequest = z.object({
  language: z.enum(programLanguages),
  program: z.string(),
  // What a test lacks is a reason of that test, not of the request.
  tests: z.array(z.looseObject({})),
  limits: limits.optional(),
});

export interface JudgeAnswer {
  readonly passed: number;
  readonly total: number;
  readonly tests: readonly TestResult[];
  /** Why nothing was judged. */
  readonly reason?: string;
}

/** Answers one `run-program` request. A request of the wrong shape has status `error` and a reason. */
export async function runProgram(request: unknown, sandbox: Sandbox): Promise<ProgramOutcome> {
  const parsed = runProgramRequest.safeParse(request);
  if (!parsed.success) {
    return { status: "error", reason: complaint(parsed.error), results: [], output: "", milliseconds: 0 };
  }
  return sandbox.run({ ...parsed.data, limits: given(parsed.data.limits) });
}

/** Answers one `judge` request. A test without an expected value fails with a reason; the others are judged. */
export async function judge(request: unknown, sandbox: Sandbox): Promise<JudgeAnswer> {
  const parsed = judgeRequest.safeParse(request);
  if (!parsed.success) return { passed: 0, total: 0, tests: [], reason: complaint(parsed.error) };
  const { language, program, tests } = parsed.data;
  // runTests checks every field of every test before it uses it.
  const unitTests = tests as unknown as readonly UnitTest[];
  const { results } = await runTests(sandbox, language, program, unitTests, given(parsed.data.limits));
  return { passed: results.filter(({ passed }) => passed).length, total: tests.length, tests: results };
}

/** The limits that were given, without keys that were not. */
function given(limits: { seconds?: number | undefined; memoryMiB?: number | undefined } = {}): {
  seconds?: number;
  memoryMiB?: number;
} {
  return JSON.parse(JSON.stringify(limits)) as { seconds?: number; memoryMiB?: number };
}

function complaint(error: z.ZodError): string {
  const [issue] = error.issues;
  const where = issue.path.length === 0 ? "the request" : issue.path.join(".");
  return `bad request: ${where}: ${issue.message}`;
}
