// `sqlm evaluate`: accuracy of a model on a topic's held-out questions.
import { type Command, Option } from "commander";
import { UnsupportedError } from "../../errors.ts";
import { openTopic } from "../../topics/registry.ts";
import { modelOrRun } from "../checkpoint-of.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import type { Parts } from "../parts.ts";
import { startProgress } from "../progress.ts";
import { levelTable } from "../step-line.ts";

interface EvaluateCommandOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly topic: string;
  readonly questions: string;
  readonly seed: string;
  readonly threads: string;
}

export function evaluateCommand(parts: Parts): Command {
  const command = makeCommand("evaluate", "Measure a model on a topic's held-out questions.", [
    "sqlm evaluate models/arithmetic --topic arithmetic",
    "sqlm evaluate arithmetic-1 --topic arithmetic --json     the newest checkpoint of a run",
  ]);
  return withWorkspace(command)
    .argument("<model>", "Folder in Hugging Face layout, or the name of a run.")
    .option("--topic <name>", "Topic name or path of a topic file.", "arithmetic")
    .option("--questions <count>", "Held-out questions a difficulty level.", "200")
    .option("--seed <count>", "Seed of questions and sampling.", "1")
    .addOption(new Option("--threads <count>", "Threads of the engine; 0 measures and chooses.").default("0"))
    .action(async (model: string, options: EvaluateCommandOptions) => {
      const terminal = terminalOf(options);
      const questions = readCount("--questions", options.questions, 1);
      const seed = readCount("--seed", options.seed);
      const threads = readCount("--threads", options.threads);
      const topic = await openTopic(options.topic);
      if (topic.hidden === null) {
        throw new UnsupportedError(
          `Topic ${options.topic} has no held-out questions to evaluate on.`,
          "Only a topic with a hidden checker can be evaluated; `sqlm topics` says which have one.",
        );
      }
      const folder = modelOrRun(model, options.workspace);
      await using engine = await parts.openEngine({ model: folder, threads });
      await using player = await engine.openPolicy();
      const progress = startProgress(terminal, "evaluating, level", topic.hidden.levels.length);
      const { levels } = await parts.evaluate(player, topic, { questions, model, seed, onLevel: progress.update });
      progress.end();
      terminal.say(levelTable(levels, terminal.tableColumns));
      terminal.result({ model, topic: options.topic, levels });
    });
}
