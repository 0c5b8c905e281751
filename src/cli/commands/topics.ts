// `sqlm topics`: what there is to learn.
import type { Command } from "commander";
import { builtInTopicNames, openTopic } from "../../topics/registry.ts";
import { makeCommand, terminalOf } from "../command.ts";
import { formatTable } from "../format.ts";

export function topicsCommand(): Command {
  return makeCommand("topics", "List the built-in topics.", ["sqlm topics", "sqlm topics --json"]).action(
    async (options: { json?: boolean }) => {
      const terminal = terminalOf(options);
      const topics = await Promise.all(
        builtInTopicNames.map(async (name) => {
          const { topic, hidden } = await openTopic(name);
          const levels = hidden?.levels ?? [];
          return {
            name,
            verification: topic.verification,
            levels,
            frontier: hidden?.frontier ?? null,
            description: topic.description,
          };
        }),
      );
      terminal.say(
        formatTable(
          ["topic", "judged by", "levels", "description"],
          topics.map(({ name, verification, levels, description }) => [
            name,
            verification,
            levels.join(" "),
            description,
          ]),
          terminal.tableColumns,
        ),
      );
      terminal.say("A topic of your own is a file: sqlm run ./my-topic.ts. One to start from: sqlm init my-topic");
      terminal.result({ topics });
    },
  );
}
