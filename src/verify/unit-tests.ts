import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Answer, Question, TestsVerdict } from "../types.ts";
export async function verifyByTests(
  _s: Sandbox,
  _l: string,
  _q: Question,
  _a: readonly Answer[],
): Promise<TestsVerdict> {
  throw new Error("not merged");
}
