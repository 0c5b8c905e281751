// How an answer to a question of `algebra` in words is tried the other way round (docs/decisions/0089, 0108). Solving takes many steps and
// trying takes one at a time, so a model that is often wrong in the first is mostly right in the second.
import type { ChatMessage, InverseCheck, Question } from "../types.ts";
import { chainOf, type Known, type Problem, type Relation, turnedRound } from "./algebra-facts.ts";
import { readQuestionText } from "./algebra-notation.ts";
import { personIn, tell, withAnswer } from "./algebra-sentences.ts";
import { assistant, user } from "./words.ts";

/** Worked exchanges for sides in which a number stands for the unknown. */
const inserted = {
  plain: [
    ["What is 4x + 6 if x = 5?", withAnswer("4 * 5 + 6 = 20 + 6 = 26.", 26)],
    ["What is 7x - 5 if x = 8?", withAnswer("7 * 8 - 5 = 56 - 5 = 51.", 51)],
  ],
  parentheses: [
    ["What is 3(x + 5) + 4 if x = 2?", withAnswer("3 * (2 + 5) + 4 = 3 * 7 + 4 = 21 + 4 = 25.", 25)],
    ["What is 6(x - 2) - 3 if x = 9?", withAnswer("6 * (9 - 2) - 3 = 6 * 7 - 3 = 42 - 3 = 39.", 39)],
  ],
} as const;

/** Asks what a side comes to where the answer stands for the unknown; the working is opened with its first term. */
function insertedPrompt(side: string, name: string, answer: string): readonly ChatMessage[] {
  const [, coefficient = "", opened = ""] = new RegExp(`^(-?\\d+)?(\\()?${name}`).exec(side) ?? [];
  const shown = inserted[side.includes("(") ? "parentheses" : "plain"];
  return [
    ...shown.flatMap(([words, working]) => [user(words), assistant(working)]),
    user(`What is ${side} if ${name} = ${answer}?`),
    ...(coefficient === "" ? [] : [assistant(`${coefficient} * ${opened}${answer}`)]),
  ];
}

/** Worked exchanges of one fact each: who has how many. */
const oneFact = {
  more: [
    "Mia has 14 shells. Leo has 9 more shells than Mia. How many shells does Leo have?",
    withAnswer("Leo has 14 + 9 = 23 shells.", 23),
  ],
  fewer: [
    "Mia has 31 shells. Leo has 8 fewer shells than Mia. How many shells does Leo have?",
    withAnswer("Leo has 31 - 8 = 23 shells.", 23),
  ],
  times: [
    "Mia has 14 shells. Leo has 3 times as many shells as Mia. How many shells does Leo have?",
    withAnswer("Leo has 3 * 14 = 42 shells.", 42),
  ],
  part: [
    "Leo has 42 shells. Leo has 3 times as many shells as Mia. How many shells does Mia have?",
    withAnswer("Mia has 42 / 3 = 14 shells.", 14),
  ],
  total: [
    "Max has 40 pens. Max and Zoe have 52 pens together. How many pens does Zoe have?",
    withAnswer("Zoe has 52 - 40 = 12 pens.", 12),
  ],
} as const;

/**
 * Asks how many somebody has by one fact, `known` being how many the other one has. What can be said from both sides is said of the one
 * who is asked for: told of the other one, "fewer" was subtracted again.
 */
function oneFactPrompt(told: Relation, known: Known): readonly ChatMessage[] {
  const asked = told.who === known.who ? told.other : told.who;
  const fact = told.who === asked ? told : turnedRound(told);
  const [words, working] = oneFact[fact.kind === "times" && told.who !== asked ? "part" : fact.kind];
  const question = tell({ kind: "problem", facts: [known, fact], asked });
  return [user(words), assistant(working), user(question), assistant(`${personIn(asked)} has`)];
}

/**
 * A story is told from both its ends: what the answer says of the one before must be what the number that is given says of the same person.
 * A longer chain would take more than one fact at once, which is what is to be learned.
 */
function toldFromTheEnd(story: Problem, answer: string): InverseCheck | null {
  const chain = chainOf(story);
  const [known, ...relations] = chain.ok ? chain.value : [];
  const [first, second] = relations.filter((fact) => fact.kind !== "known");
  if (known?.kind !== "known" || first === undefined || relations.length > 2 || !/^\d{1,4}$/.test(answer)) return null;
  const end: Known = { kind: "known", who: story.asked, number: Number(answer) };
  if (second === undefined) return { prompts: [oneFactPrompt(first, end)], expected: String(known.number) };
  return { prompts: [oneFactPrompt(first, known), oneFactPrompt(second, end)], expected: null };
}

/**
 * How an answer to a question of this text in words, and this in notation, is tried; null where it cannot be. A story is told from both
 * ends. Both sides of an equation must come to one number where the answer stands for the unknown; a side that is a number says which. Nothing
 * is computed here: the model does that.
 */
export function triedAnswer({ text }: Question, notation: string, answer: string): InverseCheck | null {
  const read = readQuestionText(notation);
  if (read.ok && read.value.kind === "problem") return toldFromTheEnd(read.value, answer);
  const [, name, ...sides] = /^What is ([a-z]) if ([^=]+) = ([^=]+)\?$/.exec(text) ?? [];
  if (name === undefined) return null;
  const unknown = sides.filter((side) => side.includes(name));
  const numbers = sides.filter((side) => !side.includes(name));
  // A sum of numbers would have to be worked out.
  if (numbers.some((side) => !/^-?\d+$/.test(side))) return null;
  return { prompts: unknown.map((side) => insertedPrompt(side, name, answer)), expected: numbers[0] ?? null };
}
