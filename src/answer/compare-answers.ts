// The script function behind `sqlm compare-answers --json`: one JSON object in, one out. Pure; whoever reads lines
// turns a thrown UsageError into that line's error.
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { type AnswerComparison, answersEqual } from "./answer.ts";

const compareAnswersSchema = z.strictObject({
  expected: z.string().describe("The right answer, or a text that ends in it"),
  given: z.string().describe("The answer to judge, or a text that ends in it"),
});

/** Compares the final answers of `{"expected", "given"}`. Throws UsageError when the input has another shape. */
export function compareAnswers(input: unknown): AnswerComparison {
  const parsed = compareAnswersSchema.safeParse(input);
  if (!parsed.success) {
    throw new UsageError(
      `not a pair of answers: ${z.prettifyError(parsed.error).replace(/\s+/g, " ")}`,
      'Give an object such as {"expected": "1/2", "given": "0.5"}.',
      { cause: parsed.error },
    );
  }
  return answersEqual(parsed.data.expected, parsed.data.given);
}
