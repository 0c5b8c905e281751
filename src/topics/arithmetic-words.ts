// The topic `arithmetic` for models with a chat template: the same sums as arithmetic.ts, asked in words and with digits in their
// usual order. Answers are bare numbers in a box, which the prompt has opened already (docs/decisions/0058).
import { refuse } from "../reading.ts";
import type { Question, Reading } from "../types.ts";
import { arithmetic, sumsOfOtherDigits } from "./arithmetic.ts";
import { readSum, sumQuestion } from "./arithmetic-notation.ts";
import { arithmeticTruth } from "./arithmetic-truth.ts";
import { defineTopic } from "./define-topic.ts";
import { questionsOf } from "./draw.ts";
import {
  assistant,
  inNotation,
  inWords,
  openedBox,
  otherQuestions,
  readWholeNumber,
  restatementsInWords,
  truthInWords,
  user,
  type Wording,
  withOpenedBox,
} from "./words.ts";

const opening = "What is";
const hint = "Ask for two whole numbers, as in: What is 123 + 456?";

/** How people write the signs, for those of the notation. */
const signs: Readonly<Record<string, string>> = {
  "×": "*",
  "·": "*",
  x: "*",
  "−": "-",
  "–": "-",
  plus: "+",
  minus: "-",
  times: "*",
  "multiplied by": "*",
};

/** `123 + 456` out of the words around it; anything else that is asked is refused. */
export function hearTwoNumbers(words: string): Reading<string> {
  const match =
    /^\s*(?:what\s+is|what's|compute|calculate)?\s*([0-9][0-9,]*)\s*(\+|-|\*|×|·|x|−|–|plus|minus|times|multiplied by)\s*([0-9][0-9,]*)\s*(?:=\s*)?[?.]?\s*$/i.exec(
      words,
    );
  if (match === null) return refuse("not two whole numbers with one sign between them");
  const [, left, sign, right] = match;
  const [a, b] = [left, right].map((number) =>
    /^\d{1,3}(,\d{3})+$/.test(number) ? number.replaceAll(",", "") : number,
  );
  if (/,/.test(a + b)) return refuse("not two whole numbers with one sign between them");
  return { ok: true, value: `${a}${signs[sign.toLowerCase()] ?? sign}${b}=` };
}

const wording: Wording = {
  say: (notation) => `${opening} ${notation.replace(/([-+*])/, " $1 ").replace("=", "?")}`,
  hear: (words) => {
    const heard = hearTwoNumbers(words);
    if (!heard.ok) return heard;
    const sum = readSum(heard.value);
    return sum.ok ? heard : sum;
  },
};

const inSigns = (question: Question): Question => inNotation(wording, "arithmetic", question, hint);

/** What proposers are asked for, with an example of it. Numbers of different lengths: a model copies what it is shown. */
const requests = {
  "+": ["Write an addition.", `${opening} 3475 + 968?`],
  "-": ["Write a subtraction.", `${opening} 521 - 86?`],
  "*": ["Write a multiplication by a number of one digit.", `${opening} 274 * 6?`],
} as const;

const truth = truthInWords(wording, arithmeticTruth, {
  topic: "arithmetic",
  hint,
  levels: [1, 2, 3, 4, 5],
  frontier: 3,
});

export const arithmeticInWords = defineTopic({
  name: arithmetic.topic.name,
  description: arithmetic.topic.description,
  verification: "vote",
  // Two numbers of nine digits, where each digit is a token; ten digits with three commas, and the closing brace.
  maxTokens: { propose: 26, solve: 17 },
  stopText: { propose: "?", solve: "}" },
  // Left to choose, a small model writes additions only.
  proposePrompt: ({ random }) => {
    const asked = random.pick(["+", "-", "*"] as const);
    const shown = (["-", "*", "+"] as const).filter((operator) => operator !== asked);
    const turns = shown.flatMap((operator) => [user(requests[operator][0]), assistant(requests[operator][1])]);
    return [...turns, user(requests[asked][0]), assistant(opening)];
  },
  readQuestion: (reply) => {
    const heard = wording.hear(reply);
    if (!heard.ok) return heard;
    const sum = readSum(heard.value);
    return sum.ok ? { ok: true, value: inWords(wording, sumQuestion(sum.value)) } : sum;
  },
  solvePrompt: (question) => [...solvedTurns, user(wording.say(inSigns(question).text)), assistant(openedBox)],
  readAnswer: (reply) => readWholeNumber(withOpenedBox(reply)),
  // With other digits alone: differences turned around are negative, which is harder, and in both orders a mistake is often the same.
  restatements: (question) =>
    restatementsInWords(wording, otherQuestions(question, sumsOfOtherDigits(inSigns(question)))),
  generator: questionsOf(truth),
  hidden: truth,
});

const solvedTurns = [
  user(`${opening} 34 + 58?`),
  assistant("\\boxed{92}"),
  user(`${opening} 71 * 6?`),
  assistant("\\boxed{426}"),
];
