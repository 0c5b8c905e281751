// How each topic's seed model is made: its size, its alphabet, the mixture of its training text, and when to stop. The
// stopping points were chosen by looking at evaluations of snapshots: half right at the topic's frontier.
import type { Random } from "../src/random.ts";
import { additionCharacters } from "../src/topics/addition-notation.ts";
import { additionLines } from "../src/topics/addition-truth.ts";
import { algebraCharacters, algebraLines } from "../src/topics/algebra-truth.ts";
import { roleMarks } from "../src/topics/arithmetic.ts";
import { operators, writeNumber, writeSum } from "../src/topics/arithmetic-notation.ts";
import { drawSum, truth } from "../src/topics/arithmetic-truth.ts";
import { codingCharacters, codingLines } from "../src/topics/coding-truth.ts";
import type { SeedLine, SeedLines } from "../src/topics/draw.ts";
import { multiplicationCharacters, multiplicationLines } from "../src/topics/multiplication-truth.ts";

/** Items with the probability of each; they sum to 1. */
type Shares<Item> = readonly (readonly [item: Item, share: number])[];

export interface SeedRecipe {
  readonly characters: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly maxPositions: number;
  readonly steps: number;
  /** Lines in a step; 256 where left out. */
  readonly batch?: number;
  /** The learning rate falls linearly from its peak to this share of it. A high one leaves the model unsure, not wrong. */
  readonly finalLearningRate: number;
  readonly drawLine: (random: Random) => SeedLine;
}

/** Share of the proposer's lines, the rest are the solver's. */
const proposeShare = 0.25;

const tiny = { hiddenSize: 64, intermediateSize: 176, layers: 4, heads: 4 };
const small = { hiddenSize: 128, intermediateSize: 352, layers: 4, heads: 4 };
const medium = { hiddenSize: 160, intermediateSize: 432, layers: 4, heads: 5 };

/** Difficulties from `first` on: most of what is easy, little beyond the frontier, so that accuracy falls smoothly. */
function difficulties(first: number, shares: readonly number[]): Shares<number> {
  return shares.map((share, index) => [first + index, share]);
}

// Harder operations are drawn more often, and longer, so that all three are half learned at the same time.
const arithmeticOperators: Shares<(typeof operators)[number]> = [
  ["+", 0.2],
  ["-", 0.4],
  ["*", 0.4],
];
const sumDifficulties = difficulties(1, [0.25, 0.33, 0.32, 0.09, 0.01]);
const productDifficulties = difficulties(1, [0.18, 0.3, 0.38, 0.12, 0.02]);
export const seedRecipes: Readonly<Record<string, SeedRecipe>> = {
  arithmetic: {
    ...small,
    characters: `${roleMarks.propose}${roleMarks.solve}=${operators.join("")}0123456789`,
    maxPositions: 64,
    steps: 1000,
    finalLearningRate: 1,
    drawLine: (random) => {
      const operator = drawShare(arithmeticOperators, random);
      const shares = operator === "*" ? productDifficulties : sumDifficulties;
      const sum = drawSum(operator, drawShare(shares, random), random);
      return random.next() < proposeShare
        ? { prompt: roleMarks.propose, reply: writeSum(sum) }
        : { prompt: `${roleMarks.solve}${writeSum(sum)}`, reply: writeNumber(truth(sum)) };
    },
  },
  addition: {
    ...tiny,
    characters: additionCharacters,
    maxPositions: 192,
    steps: 1600,
    batch: 64,
    finalLearningRate: 1,
    drawLine: linesOf(
      additionLines,
      // Questions without answers, also long ones: what is to be climbed is the solver's.
      difficulties(
        1,
        Array.from({ length: 16 }, () => 1 / 16),
      ),
      difficulties(1, [0.2, 0.3, 0.5]),
      0.15,
    ),
  },
  multiplication: {
    ...medium,
    characters: multiplicationCharacters,
    maxPositions: 64,
    steps: 500,
    finalLearningRate: 1,
    drawLine: linesOf(
      multiplicationLines,
      difficulties(2, [0.3, 0.44, 0.2, 0.05, 0.01]),
      difficulties(2, [0.1, 0.2, 0.35, 0.25, 0.1]),
    ),
  },
  algebra: {
    ...medium,
    characters: algebraCharacters,
    maxPositions: 160,
    steps: 900,
    finalLearningRate: 1,
    drawLine: linesOf(algebraLines, difficulties(1, [0.5, 0.44, 0.05, 0.01]), difficulties(1, [0.2, 0.35, 0.35, 0.1])),
  },
  coding: {
    ...small,
    characters: codingCharacters,
    maxPositions: 256,
    steps: 900,
    finalLearningRate: 1,
    drawLine: linesOf(
      codingLines,
      difficulties(1, [0.25, 0.35, 0.3, 0.1]),
      difficulties(1, [0.4, 0.45, 0.13, 0.02]),
      // Five right tests are harder to write than one short program.
      0.85,
    ),
  },
};

/** Draws the role, then the difficulty by that role's shares. Proposers start easy: harder questions are theirs to find. */
function linesOf(
  lines: SeedLines,
  propose: Shares<number>,
  solve: Shares<number>,
  share = proposeShare,
): (random: Random) => SeedLine {
  return (random) =>
    random.next() < share
      ? lines.propose(drawShare(propose, random), random)
      : lines.solve(drawShare(solve, random), random);
}

/** Draws an item with the probability beside it. */
function drawShare<Item>(shares: Shares<Item>, random: Random): Item {
  let rest = random.next();
  for (const [item, share] of shares) {
    rest -= share;
    if (rest < 0) return item;
  }
  return shares[shares.length - 1][0];
}
