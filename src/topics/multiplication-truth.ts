// What knows the truth about products: results, the working that the seed model is taught, and products drawn for held-out
// evaluation. It feeds evaluation and the seed-model script only; nothing that a reward depends on may import it.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { HiddenTruth } from "./define-topic.ts";
import { drawDistinct, noSuchDifficulty, type SeedLines } from "./draw.ts";
import {
  answerMark,
  maxFactorDigits,
  multiplicationMarks,
  type Product,
  productQuestion,
  readProduct,
  reverseDigits,
  writeProduct,
} from "./multiplication-notation.ts";

/** The exact result as a canonical integer. */
export const productOf = ({ left, right }: Product): string => String(Number(left) * Number(right));

/**
 * The right reply with its working, in the model's notation: one partial product for each digit of the second operand,
 * shifted by its zeros, with a running sum; then the marked result. `123*45`: 615, + 4920 = 5535 is `516+0294=5355#5355`.
 */
export function workedReply(product: Product): string {
  const write = (value: number): string => reverseDigits(String(value));
  let sum = 0;
  let working = "";
  for (const [place, digit] of [...reverseDigits(product.right)].entries()) {
    const partial = Number(product.left) * Number(digit);
    sum += partial * 10 ** place;
    // The zeros of the shift come first, since digits are reversed; 0 shifted stays as many zeros.
    const shifted = "0".repeat(place) + write(partial);
    working += place === 0 ? shifted : `+${shifted}=${write(sum)}`;
  }
  return `${working}${answerMark}${write(sum)}`;
}

/** A product of exactly `difficulty` digits in both operands together (2 to 6). */
function drawProduct(difficulty: number, random: Random): Product {
  const longest = Math.min(maxFactorDigits, difficulty - 1);
  const digits = random.integer(Math.max(1, difficulty - maxFactorDigits), longest);
  return { left: drawFactor(digits, random), right: drawFactor(difficulty - digits, random) };
}

const drawFactor = (digits: number, random: Random): string =>
  String(random.integer(digits === 1 ? 0 : 10 ** (digits - 1), 10 ** digits - 1));

/** Lines of training text for the seed model, one for each role. */
export const multiplicationLines: SeedLines = {
  propose: (difficulty, random) => ({
    prompt: multiplicationMarks.propose,
    reply: writeProduct(drawProduct(difficulty, random)),
  }),
  solve: (difficulty, random) => {
    const product = drawProduct(difficulty, random);
    return { prompt: `${multiplicationMarks.solve}${writeProduct(product)}`, reply: workedReply(product) };
  },
};

/** All characters of the topic's notation, for the seed model's alphabet. */
export const multiplicationCharacters = "Mm*=+#0123456789";

const levels = [2, 3, 4, 5, 6] as const;

/** The hidden half of the topic. `frontier` follows the shipped seed model: three-digit operands, as in the paper. */
export const multiplicationTruth: HiddenTruth = {
  check(question, answer) {
    const product = readProduct(question.text);
    if (!product.ok) {
      throw new UsageError(`"${question.text}" is not a product: ${product.reason}`, "Write it like 123*45=.");
    }
    return answer === productOf(product.value);
  },
  levels,
  frontier: 6,
  heldOut(difficulty, count, random) {
    if (!levels.some((level) => level === difficulty)) {
      throw noSuchDifficulty(
        "Multiplication",
        difficulty,
        "Difficulty is the digits of both operands together, 2 to 6.",
      );
    }
    // There are 55 products of two one-digit numbers: half of them are left to self-play.
    return drawDistinct(Math.min(count, difficulty === 2 ? 27 : count), () =>
      productQuestion(drawProduct(difficulty, random)),
    );
  },
};
