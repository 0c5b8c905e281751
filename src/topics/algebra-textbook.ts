// Algebra as textbooks put it, for models that were taught from them: the unknown is x and stands on the left, solutions are small
// whole numbers, stories begin with the known number. What the seed model's notation also has (sides exchanged, fractions, facts in any
// order) such a model gets wrong so often that no vote is left (docs/decisions/0058).
import { type Random, randomStream } from "../random.ts";
import type { Question, Restatement } from "../types.ts";
import { addTo, halve } from "./algebra.ts";
import { chainOf, type Fact, type Problem } from "./algebra-facts.ts";
import {
  type AlgebraQuestion,
  type Equation,
  namesOf,
  peopleNames,
  readQuestionText,
  rename,
  type Term,
  toQuestion,
  withDoubledNumbers,
} from "./algebra-notation.ts";
import { drawDistinct, noSuchDifficulty } from "./draw.ts";

const term = (coefficient: number, name: string | null = null, shift = 0): Term => ({ coefficient, name, shift });

const times = (coefficient: number, shift = 0): Term => term(coefficient, "x", shift);

/** An equation of this difficulty, by the steps of its solution, whose solution is 1 to 12. */
function drawEquation(difficulty: number, random: Random): Equation {
  const solution = random.integer(1, 12);
  const factor = random.integer(2, 9);
  const number = random.integer(1, 20) * (random.next() < 0.3 ? -1 : 1);
  const shift = random.integer(1, 9);
  const smaller = random.integer(1, factor - 1);
  const equation = (left: Term[], right: Term[]): Equation => {
    const sideValue = (terms: readonly Term[]): number =>
      terms.reduce((sum, one) => sum + one.coefficient * (one.name === null ? 1 : solution + one.shift), 0);
    const rest = sideValue(left) - sideValue(right);
    return { kind: "equation", left, right: rest === 0 && right.length > 0 ? right : [...right, term(rest)] };
  };
  switch (difficulty) {
    case 1:
      return random.next() < 0.5 ? equation([times(1), term(number)], []) : equation([times(factor)], []);
    case 2:
      return equation([times(factor), term(number)], []);
    case 3:
      return random.next() < 0.5
        ? equation([times(factor), term(number)], [times(smaller)])
        : equation([times(factor, shift), term(number)], []);
    default:
      return equation([times(factor, shift)], [times(smaller)]);
  }
}

/** A story of so many people, told from the one whose number is known to the one asked for; everybody has 1 to 99. */
function drawStory(people: number, random: Random): Problem {
  for (;;) {
    const names = random.shuffle(peopleNames).slice(0, people);
    let value = random.integer(2, 40);
    const facts: Fact[] = [{ kind: "known", who: names[0], number: value }];
    const values = [value];
    for (const [i, who] of names.slice(1).entries()) {
      const kind = random.pick(["more", "fewer", "times", "total"] as const);
      const number = random.integer(2, kind === "times" ? 6 : kind === "total" ? 99 : 30);
      value =
        kind === "times"
          ? value * number
          : kind === "total"
            ? number - value
            : value + (kind === "more" ? number : -number);
      facts.push({ kind, who, other: names[i], number });
      values.push(value);
    }
    if (values.every((one) => one >= 1 && one <= 99)) return { kind: "problem", facts, asked: names[people - 1] };
  }
}

/** A question of exactly this difficulty, 1 to 4; equations and stories alike where there are both. */
function drawTextbook(difficulty: number, random: Random): AlgebraQuestion {
  for (;;) {
    const story = difficulty > 1 && random.next() < 0.5;
    const question = story ? drawStory(difficulty, random) : drawEquation(difficulty, random);
    const drawn = toQuestion(question);
    if (drawn.difficulty === difficulty && readQuestionText(drawn.text).ok) return question;
  }
}

/** Held-out questions. Throws UsageError for a difficulty without questions. */
export function textbookQuestions(difficulty: number, count: number, random: Random): readonly Question[] {
  if (![1, 2, 3, 4].includes(difficulty)) {
    throw noSuchDifficulty("Algebra", difficulty, "Difficulties are 1 to 4.");
  }
  return drawDistinct(count, () => toQuestion(drawTextbook(difficulty, random)));
}

/**
 * What is asked where a proposer wrote this: the unknown is always x, and the people of a story get drawn names, since a proposer in
 * training settles on some (0018).
 */
export function textbookQuestion(proposed: AlgebraQuestion): Question {
  if (proposed.kind === "equation") return toQuestion(rename(proposed, new Map([[namesOf(proposed)[0], "x"]])));
  const names = randomStream("algebra", "names", toQuestion(proposed).key).shuffle(peopleNames);
  return toQuestion(rename(proposed, new Map(peopleNames.map((name, i) => [name, names[i]]))));
}

/** Forms that are as hard as the original. A mistake that is made always in the same way depends on the digits, and these have others. */
export function textbookForms(asked: AlgebraQuestion): readonly Restatement[] {
  const forms = asked.kind === "equation" ? equationsOfOtherDigits(asked) : storiesOfOtherDigits(asked);
  return forms
    .map(({ form, toOriginal }) => ({ question: toQuestion(form), toOriginal }))
    .filter(({ question }) => readQuestionText(question.text).ok);
}

interface Form {
  readonly form: AlgebraQuestion;
  readonly toOriginal: (answer: string) => string;
}

/** The same equation in x − 1, x − 2 and x + 1, multiplied out: its solution is larger by one and two, and smaller by one. */
function equationsOfOtherDigits({ left, right }: Equation): Form[] {
  const slope = (side: readonly Term[]): number =>
    side.reduce((sum, one) => sum + (one.name === null ? 0 : one.coefficient), 0);
  return [1, 2, -1].map((by) => ({
    form: { kind: "equation", left, right: withMore(right, by * (slope(left) - slope(right))) },
    toOriginal: (answer) => addTo(answer, -by),
  }));
}

/** Terms with a number more in all, which is added to the first one among them that is a number. */
function withMore(terms: readonly Term[], more: number): readonly Term[] {
  const index = terms.findIndex(({ name }) => name === null);
  const number = term(more + (terms[index]?.coefficient ?? 0));
  const others = terms.filter((_, i) => i !== index);
  if (number.coefficient === 0 && others.length > 0) return others;
  return index < 0 ? [...terms, number] : terms.toSpliced(index, 1, number);
}

/** Everybody with twice as many; and the one whose number is given with one or two more, which is handed on fact by fact. */
function storiesOfOtherDigits(story: Problem): Form[] {
  const chain = chainOf(story);
  const [known, ...relations] = chain.ok ? chain.value : [];
  const twice: Form = { form: withDoubledNumbers(story), toOriginal: halve };
  if (known?.kind !== "known") return [twice];
  const handedOn = relations.reduce(
    (sum, { kind, number }) => (kind === "times" ? number * sum : kind === "total" ? -sum : sum),
    1,
  );
  const more = [1, 2].map((by): Form => {
    const facts = story.facts.map((fact) => (fact === known ? { ...known, number: known.number + by } : fact));
    return { form: { ...story, facts }, toOriginal: (answer) => addTo(answer, -by * handedOn) };
  });
  return [...more, twice];
}
