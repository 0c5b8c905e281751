// A model on a benchmark: questions and tests that others wrote.
import { basename } from "node:path";
import { type Benchmark, drawItems, readBenchmark } from "../benchmark/benchmark.ts";
import { mathematicsExam } from "../benchmark/mathematics.ts";
import { programExam } from "../benchmark/programs.ts";
import { readJsonLines } from "../config/json-lines-file.ts";
import { UnsupportedError } from "../errors.ts";
import { compareExams, type ExamComparison } from "../evaluate/compare.ts";
import { type Exam, type ExamScores, holdExam, type QuestionOutcome, scoresOf } from "../evaluate/exam.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Tokenizer } from "../types.ts";
import { modelNamed } from "./checkpoint-of.ts";
import { type EvaluationOptions, examinedModels, paceOf, unreadableExample, writeAnswers } from "./evaluation.ts";
import { comparisonNote, comparisonTable, passAtKLine, scoreTable } from "./evaluation-tables.ts";
import { type ExaminedModel, examine } from "./examinee.ts";
import { startProgress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

interface BenchmarkOptions extends EvaluationOptions {
  /** Path of the file. */
  readonly benchmark: string;
  readonly limit: number;
  readonly samples: number;
  readonly maxTokens: number;
}

/** Evaluates, compares where asked to, and prints what was found. */
export async function evaluateBenchmark(name: string, options: BenchmarkOptions): Promise<void> {
  const { terminal, parts, compare } = options;
  // Read before any model is opened: a mistake in line 1000 should not be met after an hour.
  const benchmark = limited(readBenchmark(readJsonLines(options.benchmark, "benchmark file")), options.limit);
  const folder = await modelNamed(name, options.workspace, terminal);
  const { examined, other } = await examinedModels(name, folder, options);
  await using sandbox = benchmark.kind === "programs" ? await parts.openSandbox() : undefined;
  const hold = (model: ExaminedModel): Promise<QuestionOutcome[]> => holdBenchmark(model, benchmark, sandbox, options);
  const after = await hold(examined);
  const before = other === null ? null : await hold(other);
  const of = basename(options.benchmark);
  const comparison = before === null ? null : compareExams(before, after);
  if (options.answers !== undefined) {
    writeAnswers(options.answers, [
      { model: name, outcomes: after },
      ...(before === null ? [] : [{ model: other?.name ?? "", outcomes: before }]),
    ]);
  }
  const exams = [
    { name, scores: scoresOf(after), reason: unreadableExample(after) },
    ...(before === null
      ? []
      : [{ name: other?.name ?? "", scores: scoresOf(before), reason: unreadableExample(before) }]),
  ];
  print(terminal, of, exams, comparison);
  terminal.result({
    model: name,
    benchmark: options.benchmark,
    kind: benchmark.kind,
    scores: exams[0].scores,
    ...(comparison === null ? {} : { compare: { model: compare, scores: exams[1].scores, differences: comparison } }),
  });
}

function limited(benchmark: Benchmark, limit: number): Benchmark {
  return benchmark.kind === "mathematics"
    ? { ...benchmark, items: drawItems(benchmark.items, limit) }
    : { ...benchmark, items: drawItems(benchmark.items, limit) };
}

function holdBenchmark(
  model: ExaminedModel,
  benchmark: Benchmark,
  sandbox: Sandbox | undefined,
  options: BenchmarkOptions,
): Promise<QuestionOutcome[]> {
  const { terminal, samples, seed } = options;
  return examine(model, options, async (examinee) => {
    const exam = examOf(benchmark, examinee.tokenizer, options.maxTokens, sandbox);
    const progress = startProgress(terminal, "evaluating, question", exam.questions.length);
    const outcomes = await holdExam(examinee, exam, {
      samples,
      seed,
      pace: paceOf(samples),
      onJudged: (judged) => progress.update(judged.length),
    });
    progress.end();
    return outcomes;
  });
}

function examOf(benchmark: Benchmark, tokenizer: Tokenizer, maxTokens: number, sandbox: Sandbox | undefined): Exam {
  const options = { tokenizer, chat: takesConversations(tokenizer), maxTokens };
  if (benchmark.kind === "mathematics") return mathematicsExam(benchmark.items, options);
  if (sandbox?.languages.includes("python") !== true) {
    throw new UnsupportedError(
      "This benchmark runs Python programs, which this sandbox does not.",
      "`sqlm doctor` says what the sandbox can run here.",
    );
  }
  return programExam(benchmark.items, options, sandbox);
}

/** Whether the model has a chat template; one without gets texts to continue. */
function takesConversations(tokenizer: Tokenizer): boolean {
  try {
    return tokenizer.encodeChat([{ role: "user", content: "1 + 1 = ?" }]).length > 0;
  } catch (error) {
    if (error instanceof UnsupportedError) return false;
    throw error;
  }
}

function print(
  terminal: Terminal,
  benchmark: string,
  exams: readonly { readonly name: string; readonly scores: ExamScores; readonly reason: string | null }[],
  comparison: ExamComparison | null,
): void {
  const width = terminal.tableColumns;
  terminal.say(`${benchmark}, ${exams[0].scores.questions} questions`);
  terminal.say(scoreTable("model", exams, width));
  for (const { name, scores, reason } of exams) {
    const line = passAtKLine(scores);
    if (line !== "") terminal.say(`${name}: ${line}`);
    const { answers, unreadable, cutOff, tooLong } = scores;
    if (unreadable > 0)
      terminal.note(`${name}: ${unreadable} of ${answers} answers could not be read, such as: ${reason}`);
    if (cutOff > 0) {
      terminal.note(
        `${name}: ${cutOff} of ${answers} answers were cut off at their longest length: --max-answer-tokens.`,
      );
    }
    if (tooLong > 0) terminal.note(`${name}: ${tooLong} questions left no room for an answer and count as wrong.`);
  }
  if (comparison === null) return;
  terminal.say(`\n${exams[1].name} → ${exams[0].name}`);
  terminal.say(comparisonTable("benchmark", [{ name: benchmark, comparison }], exams[0].scores.samples, width));
  terminal.say(comparisonNote);
}
