// `sqlm evaluate`: accuracy of a model on a topic's held-out questions.
import { type Command, Option } from "commander";
import { UnsupportedError, UsageError } from "../../errors.ts";
import type { DefinedTopic } from "../../topics/define-topic.ts";
import { openTopic } from "../../topics/registry.ts";
import type { Topic } from "../../topics/topic.ts";
import { chooseModel } from "../checkpoint-of.ts";
import { makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { engineProgress, sayWeights } from "../engine-progress.ts";
import { type ModelCommandOptions, modelSettings, withModelOptions } from "../model-options.ts";
import type { Parts } from "../parts.ts";
import { startProgress } from "../progress.ts";
import { levelTable } from "../step-line.ts";

interface EvaluateCommandOptions extends ModelCommandOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly topic?: string;
  readonly questions: string;
  readonly seed: string;
  readonly threads: string;
}

export function evaluateCommand(parts: Parts): Command {
  const command = makeCommand("evaluate", "Measure a model on a topic's held-out questions.", [
    "sqlm evaluate models/arithmetic",
    "sqlm evaluate RUN --json                                  the newest checkpoint of a run, on its own topic",
    "sqlm evaluate ./my-model --topic arithmetic",
  ]);
  return withModelOptions(withWorkspace(command))
    .argument("<model>", "Folder in Hugging Face layout, GGUF file, hub id ORG/NAME[@REVISION], or the name of a run.")
    .option("--topic <name>", "Topic name or path of a topic file (default: the one that the model was trained on).")
    .option("--questions <count>", "Held-out questions a difficulty level.", "200")
    .option("--seed <count>", "Seed of questions and sampling.", "1")
    .addOption(new Option("--threads <count>", "Threads of the engine; 0 measures and chooses.").default("0"))
    .action(async (model: string, options: EvaluateCommandOptions) => {
      const terminal = terminalOf(options);
      const questions = readCount("--questions", options.questions, 1);
      const seed = readCount("--seed", options.seed);
      const threads = readCount("--threads", options.threads);
      const chosen = await chooseModel(model, options, terminal);
      const topic = await openTopic(chosen.topic);
      if (topic.hidden === null) {
        throw new UnsupportedError(
          `Topic ${chosen.topic} has no held-out questions to evaluate on.`,
          "Only a topic with a hidden checker can be evaluated; `sqlm topics` says which have one.",
        );
      }
      if (chosen.note !== null) terminal.note(chosen.note);
      await using sandbox = topic.topic.verification === "tests" ? await parts.openSandbox() : undefined;
      const onProgress = engineProgress(terminal);
      await using engine = await parts.openEngine({
        model: chosen.folder,
        threads,
        ...modelSettings(options),
        onProgress,
      });
      sayWeights(terminal, engine.capabilities);
      await using player = await engine.openPolicy();
      const progress = startProgress(terminal, "evaluating, level", topic.hidden.levels.length);
      const readings = countReadings(topic);
      const { levels } = await parts.evaluate(player, readings.topic, {
        questions,
        model,
        seed,
        sandbox,
        onLevel: progress.update,
      });
      progress.end();
      terminal.say(levelTable(levels, terminal.tableColumns));
      const { answers, unreadable, lastReason } = readings.counts;
      terminal.result({ model, topic: chosen.topic, levels, answers, unreadable });
      if (answers > 0 && unreadable === answers) {
        // Figures of nothing are no figures: a script must not take them for a bad model.
        throw new UsageError(
          `Not one of ${answers} answers could be read as an answer in topic ${chosen.topic}: ${lastReason}.`,
          "The model speaks another notation: name its own topic with --topic.",
        );
      }
      if (unreadable > answers / 2) {
        terminal.note(`${unreadable} of ${answers} answers could not be read, the last one: ${lastReason}.`);
      }
      if (levels.every(({ passAt1 }) => !(passAt1 > 0))) {
        terminal.note(`No answer was right. Is ${chosen.topic} what this model was trained on? --topic names another.`);
      }
    });
}

/** The topic, counting what it makes of the model's answers. */
function countReadings({ topic, hidden }: DefinedTopic): {
  readonly topic: DefinedTopic;
  readonly counts: { readonly answers: number; readonly unreadable: number; readonly lastReason: string };
} {
  const counts = { answers: 0, unreadable: 0, lastReason: "" };
  const readAnswer: Topic["readAnswer"] = (reply, question) => {
    const reading = topic.readAnswer(reply, question);
    counts.answers++;
    if (!reading.ok) {
      counts.unreadable++;
      counts.lastReason = reading.reason;
    }
    return reading;
  };
  return { topic: { topic: { ...topic, readAnswer }, hidden }, counts };
}
