// A benchmark: questions with known answers that nobody here wrote, as JSON lines in the forms in which they are passed around.
// Reading a line is all that happens here; how it is put to a model and judged is in mathematics.ts and programs.ts.
import { canonicalAnswer } from "../answer/answer.ts";
import { UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import type { Question } from "../types.ts";

/** A question with one right answer, as in GSM8K and MATH-500. */
export interface AnsweredItem {
  readonly question: Question;
  /** The right answer, or a text that ends in it. */
  readonly answer: string;
}

/** A function to write, as in HumanEval (`prompt` is its beginning) and MBPP (a task in words). */
export interface ProgramItem {
  readonly question: Question;
  readonly form: "function" | "task";
  /** Python that stands before the tests, for example imports. */
  readonly setup: string;
  /** Statements that raise where the program is wrong. */
  readonly tests: readonly string[];
  /** The function to write; null where only the tests name it. */
  readonly entryPoint: string | null;
}

export type Benchmark =
  | { readonly kind: "mathematics"; readonly items: readonly AnsweredItem[] }
  | { readonly kind: "programs"; readonly items: readonly ProgramItem[] };

/** A line of a file, as config/json-lines-file.ts gives it. */
interface Line {
  readonly place: string;
  readonly value: Readonly<Record<string, unknown>>;
}

const formsHint =
  "Lines may hold {question or problem, answer} as in GSM8K and MATH-500, {prompt, test, entry_point} as in HumanEval, or {text or prompt, test_list} as in MBPP.";

/**
 * Reads the lines of a benchmark, which all have one form. Throws UsageError naming file and line where one has none of the forms,
 * lacks a part, or holds an answer that cannot be read.
 */
export function readBenchmark(lines: readonly Line[]): Benchmark {
  const [first] = lines;
  if (first === undefined) throw new UsageError("The benchmark holds no line.", formsHint);
  const form = formOf(first);
  const other = lines.find((line) => formOf(line) !== form);
  if (other !== undefined) {
    throw new UsageError(`${other.place} has another form than ${first.place}.`, "Give each benchmark its own file.");
  }
  const seen = new Map<string, number>();
  const question = (text: string): Question => {
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    // What is asked twice is drawn twice.
    return { text, key: times === 1 ? text : `${text}\n${times}`, difficulty: 1 };
  };
  if (form === "answer") {
    return { kind: "mathematics", items: lines.map((line) => readAnswered(line, question)) };
  }
  const read = form === "function" ? readFunction : readTask;
  return { kind: "programs", items: lines.map((line) => read(line, question)) };
}

function formOf({ place, value }: Line): "answer" | "function" | "task" {
  if ("test" in value || "entry_point" in value) return "function";
  if ("test_list" in value) return "task";
  if ("answer" in value || "question" in value || "problem" in value) return "answer";
  const keys = Object.keys(value).join(", ");
  throw new UsageError(`${place} is no line of a benchmark: it holds ${keys === "" ? "nothing" : keys}.`, formsHint);
}

function readAnswered({ place, value }: Line, question: (text: string) => Question): AnsweredItem {
  const asked = textOf(place, value, "question" in value ? "question" : "problem");
  const given = value["answer"];
  const answer = typeof given === "number" ? String(given) : textOf(place, value, "answer");
  const read = canonicalAnswer(answer);
  if (!read.ok) throw new UsageError(`${place}: the answer cannot be read as one: ${read.reason}.`, formsHint);
  return { question: question(asked), answer };
}

function readFunction({ place, value }: Line, question: (text: string) => Question): ProgramItem {
  const entryPoint = textOf(place, value, "entry_point");
  if (!/^[A-Za-z_]\w*$/.test(entryPoint)) {
    throw new UsageError(`${place}: entry_point is not the name of a function: ${entryPoint}.`, formsHint);
  }
  const test = textOf(place, value, "test");
  return {
    question: question(textOf(place, value, "prompt")),
    form: "function",
    setup: "",
    // HumanEval's tests are a function of the function that is tested.
    tests: [test, `check(${entryPoint})`],
    entryPoint,
  };
}

function readTask({ place, value }: Line, question: (text: string) => Question): ProgramItem {
  const text = textOf(place, value, "text" in value ? "text" : "prompt");
  const { test_list: tests, test_setup_code: setup = "", test_imports: imports = [] } = value;
  if (!isTexts(tests) || tests.length === 0) {
    throw new UsageError(`${place}: test_list is not a list of statements.`, formsHint);
  }
  if (typeof setup !== "string" || !isTexts(imports)) {
    throw new UsageError(`${place}: test_setup_code must be a text and test_imports a list of texts.`, formsHint);
  }
  return { question: question(text), form: "task", setup: [...imports, setup].join("\n"), tests, entryPoint: null };
}

function textOf(place: string, value: Line["value"], key: string): string {
  const text = value[key];
  if (typeof text === "string" && text.trim() !== "") return text;
  throw new UsageError(`${place} lacks "${key}"${text === undefined ? "" : " (a text that is not empty)"}.`, formsHint);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string" && one.trim() !== "");
}

/**
 * `limit` items, drawn so that every model gets the same and fewer are among more: the beginning of a file may be easier than its
 * end. All of them, in their own order, where there are no more.
 */
export function drawItems<Item>(items: readonly Item[], limit: number): readonly Item[] {
  return limit >= items.length ? items : randomStream("benchmark", items.length).shuffle(items).slice(0, limit);
}
