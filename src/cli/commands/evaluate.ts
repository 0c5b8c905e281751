// `sqlm evaluate`: accuracy of a model, on a topic's held-out questions or on a benchmark, and beside another model.
import { type Command, Option } from "commander";
import type { WeightSettings } from "../../config/engine.ts";
import { UsageError } from "../../errors.ts";
import { evaluationSamples } from "../../evaluate/evaluate.ts";
import { evaluateBenchmark } from "../benchmark-evaluation.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import type { EvaluationOptions } from "../evaluation.ts";
import { withModelOptions } from "../model-options.ts";
import type { Parts } from "../parts.ts";
import { readNumbers } from "../read-range.ts";
import { evaluateTopic } from "../topic-evaluation.ts";

interface Flags {
  readonly json?: boolean;
  readonly workspace: string;
  readonly adapter?: string;
  readonly base?: string;
  readonly weights: WeightSettings["weights"];
  readonly topic?: string;
  readonly questions?: string;
  readonly levels?: string;
  readonly greedy?: boolean;
  readonly evalFile?: string;
  readonly benchmark?: string;
  readonly limit?: string;
  readonly samples?: string;
  readonly maxAnswerTokens?: string;
  readonly compare?: string;
  readonly answers?: string;
  readonly seed: string;
  readonly threads: string;
  readonly fresh?: boolean;
}

export function evaluateCommand(parts: Parts): Command {
  const command = makeCommand(
    "evaluate",
    "Measure a model on a topic's held-out questions, or on a benchmark. Replies are recorded: what was killed goes on where it was.",
    [
      "sqlm evaluate models/arithmetic",
      "sqlm evaluate RUN --compare start                         what a run has learned, with its own model as it began",
      "sqlm evaluate RUN@50 --compare RUN                        two checkpoints of one run",
      "sqlm evaluate MODEL --benchmark gsm8k-test.jsonl --limit 200",
      "sqlm evaluate RUN --benchmark HumanEval.jsonl.gz --compare start --json",
    ],
  );
  return withModelOptions(withWorkspace(command))
    .argument(
      "<model>",
      "Folder in Hugging Face layout, GGUF file, hub id ORG/NAME[@REVISION], or a run: its name, or RUN@STEP.",
    )
    .option("--topic <name>", "Topic name or path of a topic file (default: the one that the model was trained on).")
    .option("--questions <count>", "Held-out questions a difficulty level (default: 200).")
    .option("--levels <list>", "Difficulty levels to ask, as 2,3 or 2..4 (default: all of the topic's).")
    .option(
      "--greedy",
      "Ask for the most likely answer to each question alone, so for more questions in the same time.",
    )
    .option("--eval-file <file>", "JSON lines {question, answer} for a topic in words (default: those of the run).")
    .option("--benchmark <file>", "JSON lines in the form of GSM8K, MATH-500, HumanEval or MBPP, in place of a topic.")
    .option("--limit <count>", "Questions of the benchmark, drawn alike for every model (default: all).")
    .option("--samples <count>", "Answers sampled to each question of the benchmark; 0 is greedy only (default: 4).")
    .option("--max-answer-tokens <count>", "Longest answer, in tokens (default: the topic's, 512 on a benchmark).")
    .option(
      "--compare <other>",
      "Another model, run, checkpoint or adapter to compare with, question by question; start is the model that the run began with.",
    )
    .option("--answers <file>", "Write every question with its answers into a file of JSON lines.")
    .option("--seed <count>", "Seed of sampling.", "1")
    .option("--fresh", "Ask again what is recorded of an earlier evaluation.")
    .addOption(new Option("--threads <count>", "Threads of the engine; 0 measures and chooses.").default("0"))
    .action(async (model: string, flags: Flags) => {
      const options: EvaluationOptions = {
        parts,
        terminal: terminalOf(flags),
        workspace: flags.workspace,
        weights: flags.weights,
        adapter: flags.adapter,
        base: flags.base,
        compare: flags.compare,
        answers: flags.answers,
        seed: readCount("--seed", flags.seed),
        threads: readCount("--threads", flags.threads),
        fresh: flags.fresh === true,
      };
      refuseIdle(flags);
      if (flags.benchmark === undefined) {
        const questions = readCount("--questions", flags.questions ?? "200", 1);
        const maxAnswerTokens = readCount("--max-answer-tokens", flags.maxAnswerTokens ?? "0");
        const levels = flags.levels === undefined ? undefined : readNumbers("--levels", flags.levels);
        const { topic, evalFile } = flags;
        return evaluateTopic(model, {
          ...{ ...options, topic, evalFile, questions, levels, maxAnswerTokens },
          samples: flags.greedy === true ? 0 : evaluationSamples,
        });
      }
      return evaluateBenchmark(model, {
        ...options,
        benchmark: flags.benchmark,
        limit: flags.limit === undefined ? Number.POSITIVE_INFINITY : readCount("--limit", flags.limit, 1),
        samples: readCount("--samples", flags.samples ?? "4"),
        maxTokens: readCount("--max-answer-tokens", flags.maxAnswerTokens ?? "512", 1),
      });
    });
}

/** Flags of a topic change nothing about a benchmark, and the other way round: whoever types one expects it to. */
function refuseIdle(flags: Flags): void {
  const onBenchmark = flags.benchmark !== undefined;
  const idle = onBenchmark
    ? {
        "--topic": flags.topic,
        "--questions": flags.questions,
        "--levels": flags.levels,
        "--greedy": flags.greedy,
        "--eval-file": flags.evalFile,
      }
    : { "--limit": flags.limit, "--samples": flags.samples };
  const [name] = Object.entries(idle).find(([, value]) => value !== undefined) ?? [];
  if (name === undefined) return;
  throw new UsageError(
    `${name} changes nothing ${onBenchmark ? "beside" : "without"} --benchmark.`,
    onBenchmark
      ? "Leave it out; --limit says how many questions of a benchmark are asked."
      : "Leave it out, or name a benchmark.",
  );
}
