// The topic `addition`: sums of two numbers of up to 24 digits, for a model that continues characters. It is made for the climb: its
// shipped model was taught answers of up to three digits, and a question is asked for with as many letters as it should have columns.
import { UsageError } from "../errors.ts";
import type { Question, Restatement } from "../types.ts";
import {
  type Addition,
  additionMarks,
  additionQuestion,
  lettersOf,
  maxAddendDigits,
  readAddition,
  readColumns,
  readResult,
  writeAsked,
  writeRequest,
} from "./addition-notation.ts";
import { additionTruth } from "./addition-truth.ts";
import { defineTopic } from "./define-topic.ts";

const levels = Array.from({ length: maxAddendDigits }, (_, i) => i + 1);

/** Longest sums that the shipped model was taught, and that are asked for where nothing climbs. */
const taughtDigits = 3;

export const addition = defineTopic({
  name: "addition",
  description: "Sums of two numbers of up to 24 digits, written in columns, for a model that climbs.",
  verification: "vote",
  // A column of a question is three tokens, one of an answer four and the last three; each reply ends with one more.
  maxTokens: { propose: 3 * maxAddendDigits + 1, solve: 4 * maxAddendDigits + 4 },
  proposePrompt: ({ random, level }) => writeRequest(level ?? random.integer(1, taughtDigits), random),
  levels,
  readQuestion: (reply) => {
    const sum = readColumns(reply);
    return sum.ok ? { ok: true, value: additionQuestion(sum.value) } : sum;
  },
  solvePrompt: (question) => {
    const sum = sumIn(question);
    return `${additionMarks.solve}${writeAsked(sum, lettersOf(sum))}`;
  },
  readAnswer: (reply, question) => readResult(reply, lettersOf(sumIn(question))),
  restatements: (question) => equivalentSums(sumIn(question)),
  // Chosen without a run of it (docs/decisions/0076); it has been played since (0099).
  settings: {
    steps: 200,
    groupsPerBatch: 48,
    groupSize: 12,
    proposalsPerQuestion: 1.25,
    climb: "on",
    bandHigh: 0.95,
    guard: "act",
    probeEvery: 8,
  },
  generator: { levels, draw: additionTruth.heldOut },
  hidden: additionTruth,
});

/** Operands swapped, and one operand moved by 1 in every digit, which changes every digit and every carry. Each form draws its own letters. */
function equivalentSums({ left, right }: Addition): Restatement[] {
  const ones = BigInt("1".repeat(right.length));
  const up = String(BigInt(right) + ones).length === right.length;
  const move = up ? ones : -ones;
  const moved = additionQuestion({ left, right: String(BigInt(right) + move) });
  const forms = [{ question: moved, toOriginal: (answer: string) => String(BigInt(answer) - move) }];
  if (left === right) return forms;
  return [{ question: additionQuestion({ left: right, right: left }), toOriginal: (answer) => answer }, ...forms];
}

function sumIn(question: Question): Addition {
  const sum = readAddition(question.text);
  if (sum.ok) return sum.value;
  throw new UsageError(
    `"${question.text}" is not a question of addition: ${sum.reason}.`,
    `Write two whole numbers of up to ${maxAddendDigits} digits like 123+45=.`,
  );
}
