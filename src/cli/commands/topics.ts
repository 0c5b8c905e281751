// `sqlm topics`: what there is to learn.
import type { Command } from "commander";
import { builtInTopics } from "../../topics/load-topic.ts";
import { makeCommand, terminalOf } from "../command.ts";
import { formatTable } from "../format.ts";

export function topicsCommand(): Command {
  return makeCommand("topics", "List the built-in topics.", ["sqlm topics", "sqlm topics --json"]).action(
    async (options: { json?: boolean }) => {
      const terminal = terminalOf(options);
      const topics = await Promise.all(
        Object.entries(builtInTopics).map(async ([name, load]) => {
          const { topic, hidden } = await load();
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
        ),
      );
      terminal.say("A topic of your own is a file: sqlm run ./my-topic.ts");
      terminal.result({ topics });
    },
  );
}
