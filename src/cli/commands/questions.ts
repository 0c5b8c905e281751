// `sqlm questions`: the questions that a run asked, filtered, with their votes; `--answers` prints the answers too.
import { type Command, Option } from "commander";
import { didYouMean, UsageError } from "../../errors.ts";
import {
  type AnswerRow,
  answersTo,
  findQuestions,
  openReader,
  type QuestionFilter,
  type QuestionRow,
  runInfo,
} from "../../store/queries.ts";
import { findRefused } from "../../store/refused.ts";
import { groupSignals } from "../../types.ts";
import { decoderOf } from "../checkpoint-of.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { formatNumber, formatShare, formatTable, oneLine } from "../format.ts";
import { readRange } from "../read-range.ts";
import type { Terminal } from "../terminal.ts";

interface QuestionsOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly agreement?: string;
  readonly difficulty?: string;
  readonly steps?: string;
  readonly verdict?: string;
  readonly label?: "right" | "wrong";
  readonly text?: string;
  readonly sort: "step" | "agreement" | "difficulty";
  readonly descending?: boolean;
  readonly answers?: boolean;
  readonly refused?: boolean;
  readonly reason?: string;
  readonly limit: string;
  readonly skip: string;
}

export function questionsCommand(): Command {
  const command = makeCommand("questions", "Show the questions that a run asked, and how their answers voted.", [
    "sqlm questions RUN --verdict tie,inconsistent",
    "sqlm questions RUN --agreement 0.5..0.7 --label wrong --sort difficulty --descending",
    "sqlm questions RUN --label wrong --answers --limit 3",
    "sqlm questions RUN --difficulty 4 --steps 60.. --text 99 --limit 50",
    "sqlm questions RUN --refused                     what was no question to ask, and why",
  ]);
  return withWorkspace(command)
    .argument("<run>", "Name of the run, its beginning, or latest.")
    .option("--agreement <range>", "Share of the leading answer: 0.5..0.9, 0.9.., ..0.5 or one value.")
    .option("--difficulty <range>", "Difficulty, a range as above.")
    .option("--steps <range>", "Steps, a range as above.")
    .option("--verdict <names>", `What came of the vote, separated by commas: ${groupSignals.join(", ")}.`)
    .addOption(new Option("--label <name>", "What the hidden checker says of the label.").choices(["right", "wrong"]))
    .option("--text <part>", "Part of the question's text.")
    .addOption(new Option("--sort <name>", "Order.").choices(["step", "agreement", "difficulty"]).default("step"))
    .option("--descending", "Greatest first.")
    .option("--answers", "Show the answers to each question too.")
    .option("--refused", "Show the proposals that were not asked instead, with what was written and why.")
    .option(
      "--reason <kinds>",
      `With --refused, only these, separated by commas (default: all but surplus): ${refusalKinds.join(", ")}.`,
    )
    .option("--limit <count>", "Questions to show.", "20")
    .option("--skip <count>", "Questions to leave out first.", "0")
    .action(async (given: string, options: QuestionsOptions) => {
      const terminal = terminalOf(options);
      const filter = readFilter(options);
      const kinds = readKinds(options);
      using reader = openReader(options.workspace);
      const { run } = runInfo(reader, given);
      if (options.refused === true) {
        const refusedFilter = { ...filter, ...(kinds === undefined ? {} : { kinds }) };
        showRefused(terminal, run, findRefused(reader, run, refusedFilter, await decoderOf(reader, run)));
        return;
      }
      const { total, questions } = findQuestions(reader, run, filter);
      const rows = questions.map((row) => [
        String(row.step),
        String(row.question.difficulty),
        oneLine(row.question.text, 60),
        formatShare(row.agreement),
        describeVotes(row),
        row.signal,
        row.labelRight === null ? "-" : row.labelRight ? "right" : "wrong",
      ]);
      if (rows.length > 0) {
        const header = ["step", "difficulty", "question", "agreement", "votes", "verdict", "label"];
        terminal.say(formatTable(header, rows, terminal.tableColumns));
      }
      terminal.say(`${questions.length} of ${total} questions.`);
      if (options.answers !== true) {
        terminal.result({ run, total, questions });
        return;
      }
      const decode = await decoderOf(reader, run);
      const answered = questions.map((row) => ({
        ...row,
        answers: answersTo(reader, run, row.step, row.position, decode),
      }));
      for (const { step, question, answers } of answered) {
        terminal.say(`\nstep ${step}: ${oneLine(question.text, 100)}`);
        terminal.say(answerTable(answers, terminal.tableColumns));
      }
      terminal.result({ run, total, questions: answered });
    });
}

const refusalKinds = ["malformed", "duplicate", "held-out", "surplus"] as const;

/** Kinds given to --reason. Throws UsageError for an unknown one, and for filters that do not go together. */
function readKinds(options: QuestionsOptions): readonly string[] | undefined {
  const { refused, reason } = options;
  if (refused !== true && reason !== undefined) {
    throw new UsageError("--reason is about refused proposals.", "Give --refused with it.");
  }
  const voted = (["agreement", "difficulty", "verdict", "label", "answers"] as const).find(
    (name) => options[name] !== undefined,
  );
  if (refused === true && voted !== undefined) {
    throw new UsageError(
      `--${voted} is about questions that were asked, --refused about those that were not.`,
      "Leave out one of them.",
    );
  }
  return reason?.split(",").map((given) => {
    const kind = refusalKinds.find((name) => name === given.trim());
    if (kind !== undefined) return kind;
    throw new UsageError(
      `Unknown reason "${given}".${didYouMean(given, refusalKinds)}`,
      `Reasons are: ${refusalKinds.join(", ")}.`,
    );
  });
}

function showRefused(
  terminal: Terminal,
  run: string,
  { total, refused, reasons }: ReturnType<typeof findRefused>,
): void {
  if (refused.length > 0) {
    const rows = refused.map(({ step, reason, text, stopReason }) => [
      String(step),
      oneLine(reason, 60),
      oneLine(text, 80) + (stopReason === "length" ? " (cut off)" : ""),
    ]);
    terminal.say(formatTable(["step", "reason", "written"], rows, terminal.tableColumns));
    const counts = reasons.slice(0, 8).map(({ reason, count }) => [oneLine(reason, 80), String(count)]);
    terminal.say(`\n${formatTable(["reason", "count"], counts, terminal.tableColumns)}`);
  }
  terminal.say(`${refused.length} of ${total} refused proposals.`);
  terminal.result({ run, total, reasons, refused });
}

function answerTable(answers: readonly AnswerRow[], columns: number): string {
  const rows = answers.map(({ form, value, reason, reward, advantage, logprobSum, text }) => [
    value === null
      ? `(${oneLine(reason ?? "unreadable", 30)})`
      : `${oneLine(value, 30)}${reason === null ? "" : " (asked for)"}`,
    String(form),
    formatNumber(reward),
    formatNumber(advantage),
    formatNumber(logprobSum),
    oneLine(text ?? "", 60),
  ]);
  return formatTable(["answer", "form", "reward", "advantage", "logprob", "text"], rows, columns);
}

function describeVotes({ verdict }: QuestionRow): string {
  if (verdict.kind === "tests") return `${formatShare(verdict.meanPassFraction)} of tests passed`;
  const shown = verdict.counts.slice(0, 3).map(([value, votes]) => `${oneLine(value, 20)} ×${votes}`);
  return [...shown, ...(verdict.counts.length > 3 ? ["…"] : [])].join(", ");
}

function readFilter(options: QuestionsOptions): QuestionFilter {
  const agreement = readRange("--agreement", options.agreement);
  const difficulty = readRange("--difficulty", options.difficulty);
  const steps = readRange("--steps", options.steps);
  const signals = options.verdict?.split(",").map((given) => {
    const signal = groupSignals.find((name) => name === given.trim());
    if (signal === undefined) {
      throw new UsageError(`Unknown verdict "${given}".`, `Verdicts are: ${groupSignals.join(", ")}.`);
    }
    return signal;
  });
  return Object.fromEntries(
    Object.entries({
      minAgreement: agreement.low,
      maxAgreement: agreement.high,
      minDifficulty: difficulty.low,
      maxDifficulty: difficulty.high,
      fromStep: steps.low,
      toStep: steps.high,
      signals,
      labelRight: options.label === undefined ? undefined : options.label === "right",
      text: options.text,
      orderBy: options.sort,
      descending: options.descending === true,
      limit: readCount("--limit", options.limit, 1),
      offset: readCount("--skip", options.skip),
    }).filter(([, value]) => value !== undefined),
  );
}
