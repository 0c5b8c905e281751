// The algebra topic's questions in words: an equation in a sentence, and stories about who has how many. `say` writes them one
// way; `hear` reads what a model wrote, in any names and things, by a grammar of its own: what it does not know it refuses.
import { randomStream } from "../random.ts";
import { refuse } from "../reading.ts";
import type { Reading } from "../types.ts";
import type { Fact, Problem } from "./algebra-facts.ts";
import { peopleNames, readQuestionText, shortText, unknownNames } from "./algebra-notation.ts";
import type { Wording } from "./words.ts";

/** A worked reply with the answer behind it. */
export const withAnswer = (working: string, answer: number): string => `${working} The answer is \\boxed{${answer}}.`;

/** What equations are put in. */
export const equationOpening = (name: string): string => `What is ${name} if`;

const people = { A: "Ann", B: "Ben", C: "Cleo", D: "Dan" } as const;
const things = ["marbles", "apples", "books", "coins", "stamps", "cards"] as const;

/** How a question in the topic's notation, short or in sentences, is put to an instruct model. */
function say(notation: string): string {
  const read = readQuestionText(notation);
  if (!read.ok) return notation;
  const question = read.value;
  if (question.kind === "problem") return tell(question);
  const text = shortText(question);
  const name = /[a-z]/.exec(text)?.[0] ?? "x";
  return `${equationOpening(name)} ${text.replace(/(?<=[\w)])([-+=])/g, " $1 ")}?`;
}

/** Who stands for this letter of the notation. */
export const personIn = (letter: string): string => people[letter as keyof typeof people];

/** A story in words, also one that is no question of the topic. */
export function tell(problem: Problem): string {
  const thing = randomStream("algebra", "things", shortText(problem)).pick(things);
  const sentence = (fact: Fact): string => {
    const who = personIn(fact.who);
    switch (fact.kind) {
      case "known":
        return `${who} has ${fact.number} ${thing}.`;
      case "times":
        return `${who} has ${fact.number} times as many ${thing} as ${personIn(fact.other)}.`;
      case "total":
        return `${who} and ${personIn(fact.other)} have ${fact.number} ${thing} together.`;
      default:
        return `${who} has ${fact.number} ${fact.kind} ${thing} than ${personIn(fact.other)}.`;
    }
  };
  return `${problem.facts.map(sentence).join(" ")} How many ${thing} does ${personIn(problem.asked)} have?`;
}

/** What was asked, in the topic's short notation. */
function hear(words: string): Reading<string> {
  const text = words.trim().replace(/\s+/g, " ").replace(/[−–]/g, "-");
  const short = /\bhas\b|\bhave\b/.test(text) ? hearProblem(text) : hearEquation(text);
  if (!short.ok) return short;
  const read = readQuestionText(short.value);
  return read.ok ? short : read;
}

function hearEquation(text: string): Reading<string> {
  const match =
    /^(?:what is ([a-z]) (?:if|when|in):? |solve(?: for ([a-z]))?:? |find ([a-z]) (?:if|in):? )?([-+*·×()=\s0-9a-z]+?)(?:,? for ([a-z])|, what is ([a-z]))?[.?]?$/i.exec(
      text,
    );
  if (match === null) return refuse("not an equation");
  const [, whatIs, solveFor, find, written, afterwards, question] = match;
  const compact = written.replace(/\s+/g, "").replace(/(?<=\d)[*·×](?=[a-z(])/gi, "");
  const names = new Set(compact.match(/[a-z]/gi) ?? []);
  const [name] = names;
  if (name === undefined) return refuse("no unknown");
  if (names.size > 1) return refuse("more than one unknown");
  const asked = whatIs ?? solveFor ?? find ?? afterwards ?? question ?? name;
  if (asked !== name) return refuse("asks for another name than the equation's");
  const known = (unknownNames as readonly string[]).includes(name);
  return { ok: true, value: known ? compact : compact.replaceAll(name, "x") };
}

const numberWords = "one two three four five six seven eight nine ten eleven twelve".split(" ");
const number = `(\\d+|${numberWords.join("|")})`;
const name = "([A-Z][a-z]+)";
const thing = "([a-z]+(?: (?!than|as|together|in|altogether|more|fewer|less)[a-z]+)?)";
const together = "(?:together|in total|altogether|in all)";

/** A sentence that is one fact or the question: what it says of whom, and of what things. */
const sentences: readonly (readonly [RegExp, (of: readonly string[]) => Heard])[] = [
  [
    new RegExp(`^${name} has ${number} (more|fewer|less) (?:${thing} )?than ${name}$`),
    ([who, size, more, thing, other]) => ({
      who: [who, other],
      thing,
      write: ([a, b]) => `${a}=${b}${more === "more" ? "+" : "-"}${amount(size)}`,
    }),
  ],
  [
    new RegExp(`^${name} has ${number} ${thing} (more|fewer|less) than ${name}$`),
    ([who, size, thing, more, other]) => ({
      who: [who, other],
      thing,
      write: ([a, b]) => `${a}=${b}${more === "more" ? "+" : "-"}${amount(size)}`,
    }),
  ],
  [
    new RegExp(`^${name} has (?:${number} times|(twice|double)) (?:as many|the number of) (?:${thing} )?as ${name}$`),
    ([who, size, , thing, other]) => ({
      who: [who, other],
      thing,
      write: ([a, b]) => `${a}=${size === undefined ? 2 : amount(size)}${b}`,
    }),
  ],
  [
    new RegExp(`^(?:Together,? )?${name} and ${name} have (?:a total of )?${number} ${thing}?(?: ${together})?$`),
    ([one, two, size, thing]) => ({ who: [one, two], thing, write: ([a, b]) => `${a}+${b}=${amount(size)}` }),
  ],
  [
    new RegExp(`^${name} has ${number} ${thing}$`),
    ([who, size, thing]) => ({ who: [who], thing, write: ([a]) => `${a}=${amount(size)}` }),
  ],
  [
    new RegExp(`^[Hh]ow many ${thing} do(?:es)? ${name} have$`),
    ([thing, who]) => ({ who: [who], thing, write: ([a]) => `${a}?`, asks: true }),
  ],
];

interface Heard {
  readonly who: readonly string[];
  readonly thing: string | undefined;
  /** In short notation, for the letters that stand for the people. */
  write(letters: readonly string[]): string;
  readonly asks?: boolean;
}

const amount = (text: string): string => {
  const index = numberWords.indexOf(text);
  return index < 0 ? text : String(index + 1);
};

/** Words that stand where a name does and mean somebody else each time. */
const pronouns: ReadonlySet<string> = new Set(
  "He She They It Each Everybody Everyone There Who If This That".split(" "),
);

function hearProblem(text: string): Reading<string> {
  const parts = text
    .replace(/[.?!]$/, "")
    .replace(/,? (?:and|but) (?=[A-Z][a-z]+ has\b)/g, ". ")
    .replace(/, (?=how many\b)/g, ". ")
    .split(/\. ?/)
    .map((part) => part.trim().replace(/^If /, "").replace(/,$/, ""));
  const letters = new Map<string, string>();
  const thingsNamed = new Set<string>();
  const facts: string[] = [];
  for (const [index, part] of parts.entries()) {
    const heard = hearSentence(part);
    if (heard === null) return refuse("a sentence that is no fact about who has how many");
    const { who, thing, asks = false } = heard;
    if (who.some((one) => pronouns.has(one))) return refuse("somebody without a name");
    if (asks !== (index === parts.length - 1)) return refuse(asks ? "a fact after the question" : "nothing is asked");
    if (thing !== undefined) thingsNamed.add(thing.replace(/s$/, ""));
    for (const one of who) {
      if (letters.has(one)) continue;
      const letter = peopleNames[letters.size];
      if (letter === undefined) return refuse(`more than ${peopleNames.length} people`);
      letters.set(one, letter);
    }
    facts.push(heard.write(who.map((one) => letters.get(one) ?? "")));
  }
  if (thingsNamed.size > 1) return refuse("more than one kind of thing");
  return { ok: true, value: facts.join(";") };
}

function hearSentence(text: string): Heard | null {
  for (const [pattern, make] of sentences) {
    const match = pattern.exec(text);
    if (match !== null) return make(match.slice(1));
  }
  return null;
}

export const algebraWording: Wording = { say, hear };
