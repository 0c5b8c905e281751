// How the multiplication topic writes products, for people and for the model: numbers with their digits reversed, and
// before the marked result whatever working the solver likes. Nothing here computes a product; see multiplication-truth.ts.
import type { Question, Reading } from "../types.ts";

/** What each role's prompt begins with; no other topic uses these, so one model can know several topics. */
export const multiplicationMarks = { propose: "M", solve: "m" } as const;

/** Stands before the result; what comes before it is working. */
export const answerMark = "#";

/** Longest operand, in digits. */
export const maxFactorDigits = 3;

/** Two whole numbers in normal digit order, without leading zeros. */
export interface Product {
  readonly left: string;
  readonly right: string;
}

export const reverseDigits = (digits: string): string => [...digits].reverse().join("");

/** A product for people, e.g. `123*45=`. */
const productText = ({ left, right }: Product): string => `${left}*${right}=`;

/** A product for the model, e.g. `321*54=`. */
export const writeProduct = ({ left, right }: Product): string => `${reverseDigits(left)}*${reverseDigits(right)}=`;

/** The question that a product asks. Its difficulty is the digits of both operands together, 2 to 6. */
export function productQuestion(product: Product): Question {
  const { left, right } = product;
  const leftFirst = Number(left) >= Number(right);
  return {
    text: productText(product),
    key: leftFirst ? `${left}*${right}` : `${right}*${left}`,
    difficulty: left.length + right.length,
  };
}

/** Reads a product in normal digit order, strictly. */
export function readProduct(text: string): Reading<Product> {
  const match = /^([0-9]+)\*([0-9]+)=$/.exec(text);
  if (match === null) return { ok: false, reason: "not of the form a*b=" };
  const [, left, right] = match;
  for (const factor of [left, right]) {
    if (factor.length > 1 && factor.startsWith("0")) return { ok: false, reason: "leading zero" };
    if (factor.length > maxFactorDigits) return { ok: false, reason: `operand longer than ${maxFactorDigits} digits` };
  }
  return { ok: true, value: { left, right } };
}

/** Reads a product that the model wrote, digits reversed. */
export const readWrittenProduct = (reply: string): Reading<Product> =>
  readProduct(reply.replace(/[0-9]+/g, reverseDigits));

/** Reads the marked result of a reply into the canonical integer. The working before it is not judged. */
export function readMarkedProduct(reply: string): Reading<string> {
  const parts = reply.split(answerMark);
  if (parts.length === 1) return { ok: false, reason: "no marked answer" };
  if (parts.length > 2) return { ok: false, reason: "more than one marked answer" };
  const [, written] = parts;
  if (!/^[0-9]+$/.test(written)) return { ok: false, reason: "the marked answer is not a number" };
  if (written.length > 2 * maxFactorDigits) return { ok: false, reason: `longer than ${2 * maxFactorDigits} digits` };
  const digits = reverseDigits(written);
  if (digits.length > 1 && digits.startsWith("0")) return { ok: false, reason: "leading zero" };
  return { ok: true, value: digits };
}
