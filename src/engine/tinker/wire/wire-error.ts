// What both sides of the protocol throw of a message that is none.
import { SqlmError } from "../../../errors.ts";

/** A message is not what the Tinker protocol says: cut off, malformed, or of a kind that is not taken. Nothing of it was used. */
export class WireError extends SqlmError {
  /** The message that was expected, for example `SampleResponse`. */
  readonly expected: string;

  constructor(expected: string, problem: string, options?: { cause?: unknown }) {
    super(
      `${expected}: ${problem}`,
      "The other side speaks another protocol or another version of it: check the base URL, and that nothing between the two changes messages.",
      options,
    );
    this.expected = expected;
  }
}
