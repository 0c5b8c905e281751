// How each topic's seed model is made: its size, its alphabet, the mixture of its training text, and when to stop. The
// stopping points were chosen by looking at evaluations of snapshots: half right at the topic's frontier.
import type { Random } from "../src/random.ts";
import { algebraCharacters, drawAlgebraLine } from "../src/topics/algebra-truth.ts";
import { roleMarks } from "../src/topics/arithmetic.ts";
import { operators, writeNumber, writeSum } from "../src/topics/arithmetic-notation.ts";
import { drawSum, truth } from "../src/topics/arithmetic-truth.ts";
import { codingCharacters, drawCodingLine } from "../src/topics/coding-truth.ts";
import type { SeedLine } from "../src/topics/draw.ts";
import { drawMultiplicationLine, multiplicationCharacters } from "../src/topics/multiplication-truth.ts";

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
  /** The learning rate falls linearly from its peak to this share of it. A high one leaves the model unsure, not wrong. */
  readonly finalLearningRate: number;
  readonly drawLine: (random: Random) => SeedLine;
}

/** Share of the proposer's lines, the rest are the solver's. */
const proposeShare = 0.25;

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
const multiplicationDifficulties = difficulties(2, [0.1, 0.2, 0.35, 0.25, 0.1]);
const algebraDifficulties = difficulties(1, [0.3, 0.35, 0.25, 0.1]);
const codingDifficulties = difficulties(1, [0.3, 0.4, 0.22, 0.08]);

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
  multiplication: {
    ...medium,
    characters: multiplicationCharacters,
    maxPositions: 64,
    steps: 700,
    finalLearningRate: 0.5,
    drawLine: (random) => drawMultiplicationLine(drawShare(multiplicationDifficulties, random), proposeShare, random),
  },
  algebra: {
    ...medium,
    characters: algebraCharacters,
    maxPositions: 160,
    steps: 1200,
    finalLearningRate: 0.5,
    drawLine: (random) => drawAlgebraLine(drawShare(algebraDifficulties, random), proposeShare, random),
  },
  coding: {
    ...medium,
    characters: codingCharacters,
    maxPositions: 256,
    steps: 1000,
    finalLearningRate: 0.5,
    drawLine: (random) => drawCodingLine(drawShare(codingDifficulties, random), proposeShare, random),
  },
};

/** Draws an item with the probability beside it. */
function drawShare<Item>(shares: Shares<Item>, random: Random): Item {
  let rest = random.next();
  for (const [item, share] of shares) {
    rest -= share;
    if (rest < 0) return item;
  }
  return shares[shares.length - 1][0];
}
