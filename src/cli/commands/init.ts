// `sqlm init`: a topic, its settings and its test to start from. They work as they are; what they say is in templates/.
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { describeThrown, UsageError } from "../../errors.ts";
import { packageRoot } from "../../model/find-model.ts";
import { makeFolder } from "../../store/make-folder.ts";
import { makeCommand, terminalOf } from "../command.ts";
import { ownCommand, packageName } from "../own-command.ts";

export function initCommand(): Command {
  const command = makeCommand("init", "Write a topic, a config and a test to start from.", [
    "sqlm init my-topic           into a folder, which is made where there is none",
    "sqlm init                    here",
  ]);
  return command
    .argument("[folder]", "Folder to write into.", ".")
    .action((given: string, options: { readonly json?: boolean }) => {
      const terminal = terminalOf(options);
      const folder = resolve(given);
      const files = writeTemplates(folder);
      terminal.say(`Written to ${folder}: ${files.join(", ")}`);
      const here = relative(process.cwd(), folder);
      if (here !== "") terminal.say(`First: cd ${here}`);
      terminal.say(`See what the topic reads: ${ownCommand(["check", "topic.ts"])}`);
      terminal.say(`Run its tests:            ${ownCommand(["test"])}`);
      terminal.say(`Let a model play it:      ${ownCommand(["run"])}`);
      terminal.say(`Types in your editor:     npm install --save-dev ${packageName()}`);
      terminal.result({ folder, files: files.map((name) => join(folder, name)) });
    });
}

/** Copies every template; throws UsageError, before any is written, where one of their names is taken. */
function writeTemplates(folder: string): readonly string[] {
  const from = join(packageRoot, "templates", "topic");
  const files = readdirSync(from).sort();
  const taken = files.find((name) => existsSync(join(folder, name)));
  if (taken !== undefined) {
    throw new UsageError(`${join(folder, taken)} is there already.`, "Name another folder: sqlm init my-topic.");
  }
  try {
    makeFolder(folder);
    for (const name of files) cpSync(join(from, name), join(folder, name), { force: false, errorOnExist: true });
  } catch (cause) {
    throw new UsageError(
      `${folder} cannot be written: ${describeThrown(cause)}.`,
      "Name a folder that is yours to write.",
      { cause },
    );
  }
  return files;
}
