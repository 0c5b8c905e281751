// `sqlm report`: runs, or an experiment, as one file to send to someone.
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { Command } from "commander";
import { didYouMean, UsageError } from "../../errors.ts";
import { openReader, type Reader, runInfo } from "../../store/queries.ts";
import { findExperiments, findRuns } from "../../store/view-runs.ts";
import { makeCommand, terminalOf, withWorkspace } from "../command.ts";

interface ReportOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly experiment?: string;
  readonly out?: string;
  readonly markdown?: boolean;
}

export function reportCommand(): Command {
  const command = makeCommand("report", "Write a report of runs: one HTML file, or Markdown with its pictures.", [
    "sqlm report arithmetic-20260101-120000-s1",
    "sqlm report RUN RUN RUN --out seeds.html",
    "sqlm report --experiment arithmetic-controls --out controls.md",
  ]);
  return withWorkspace(command)
    .argument("[runs...]", "Names of runs; several are compared.")
    .option("--experiment <name>", "All runs of an experiment, by variant over seeds.")
    .option("--out <file>", "File to write: .html, or .md with its pictures in a folder beside it.")
    .option("--markdown", "Markdown, where --out does not say.")
    .action(async (names: string[], options: ReportOptions) => {
      const terminal = terminalOf(options);
      using reader = openReader(options.workspace);
      const runs = runsOf(reader, names, options.experiment);
      const title = options.experiment ?? (runs.length === 1 ? runs[0] : `${runs.length} runs compared`);
      const out = fileOf(options, title);
      const markdown = extname(out) === ".md";
      const { readReport } = await import("../../dashboard/report-data.ts");
      const data = readReport(reader, runs);
      const made = `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`;
      mkdirSync(dirname(out), { recursive: true });
      if (markdown) {
        const { reportMarkdown } = await import("../../dashboard/report-markdown.ts");
        const folder = `${basename(out, ".md")}-pictures`;
        const { text, pictures } = reportMarkdown(title, data, folder, made);
        mkdirSync(join(dirname(out), folder), { recursive: true });
        for (const [name, svg] of pictures) writeFileSync(join(dirname(out), folder, name), svg);
        writeFileSync(out, text);
      } else {
        const { reportHtml } = await import("../../dashboard/report-html.ts");
        writeFileSync(out, reportHtml(title, data, made));
      }
      terminal.say(`Wrote ${out}, ${runs.length === 1 ? "one run" : `${runs.length} runs`}.`);
      terminal.result({ file: out, runs });
    });
}

/** The runs that were named, or those of an experiment, oldest first. Throws UsageError. */
function runsOf(reader: Reader, names: readonly string[], experiment: string | undefined): string[] {
  if (experiment === undefined) {
    if (names.length === 0) {
      throw new UsageError("No run was named.", "Give one or more; `sqlm list` shows all. Or --experiment NAME.");
    }
    return [...new Set(names)].map((name) => runInfo(reader, name).run);
  }
  if (names.length > 0) throw new UsageError("Both runs and an experiment were named.", "Give one of them.");
  const found: string[] = [];
  for (;;) {
    const { total, runs } = findRuns(reader, { experiment, limit: 200, offset: found.length });
    found.push(...runs.map(({ run }) => run));
    if (found.length >= total || runs.length === 0) break;
  }
  if (found.length > 0) return found.reverse();
  const known = findExperiments(reader).map((row) => row.experiment);
  throw new UsageError(
    `No run is of an experiment "${experiment}".${didYouMean(experiment, known)}`,
    known.length === 0 ? "No run here is of any." : `There are: ${known.join(", ")}.`,
  );
}

function fileOf({ out, markdown }: ReportOptions, title: string): string {
  if (out === undefined)
    return `report-${title.replaceAll(/[^A-Za-z0-9._-]+/g, "-")}.${markdown === true ? "md" : "html"}`;
  const kind = extname(out);
  if (kind === ".html" || kind === ".htm") return out;
  if (kind === ".md") return out;
  throw new UsageError(`${out}: a report is .html or .md.`, "Give --out a name that ends in one of them.");
}
