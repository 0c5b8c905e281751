// A report as Markdown, with its pictures as SVG files beside it: what a repository or an issue shows as it is.
import { comparePictures, compareTable, differences, groupRuns } from "./compare-pictures.ts";
import { marksOf, noticesOf } from "./notices.ts";
import type { Mark, NumberTable, Picture } from "./pictures.ts";
import type { ReportData, ReportedRun } from "./report-data.ts";
import { standaloneStyle } from "./report-style.ts";
import { evaluationTable, kindTable, questionTable, settingsTable, standing } from "./report-tables.ts";
import { runPictures } from "./run-pictures.ts";
import { drawGrid, drawLines, type SvgNode, svgText } from "./svg.ts";
import { visible } from "./visible.ts";

export interface MarkdownReport {
  readonly text: string;
  /** SVG files by the name under which the text links to them. */
  readonly pictures: ReadonlyMap<string, string>;
}

const size = { width: 640, height: 300 };

/**
 * @param folder where the pictures will be, relative to the report
 * @param made when the report was made, in words
 */
export function reportMarkdown(
  title: string,
  { compared, runs }: ReportData,
  folder: string,
  made: string,
): MarkdownReport {
  const pictures = new Map<string, string>();
  const show = (prefix: string, shown: readonly Picture[], marks: readonly Mark[]): string[] =>
    shown.flatMap((picture) => {
      const name = `${prefix}${picture.id}.svg`.replaceAll(/[^A-Za-z0-9._-]+/g, "-");
      pictures.set(name, svgFile(picture, marks));
      return [
        `**${plainText(picture.title)}.** ${plainText(picture.about)}`,
        `![${plainText(picture.title)}](${folder}/${name})`,
      ];
    });
  const blocks = [`# ${plainText(title)}`, `Made by sqlm, ${plainText(made)}.`];
  if (compared.length > 1) {
    const groups = groupRuns(compared);
    const [table, settings] = [compareTable(groups), differences(groups)];
    blocks.push("## Side by side");
    for (const {
      name,
      runs: [first],
    } of groups) {
      for (const { tone, text } of noticesOf(first.state))
        if (tone === "control") blocks.push(`> ${plainText(`${name}. ${text}`)}`);
    }
    if (table.rows.length > 0)
      blocks.push(markdownTable(table), "Mean ± standard deviation over seeds, last evaluation of each run.");
    blocks.push(...show("compared-", comparePictures(groups), []));
    if (settings.rows.length > 0) blocks.push("### Settings that differ", markdownTable(settings));
    blocks.push(compared.map(({ state }) => `- ${plainText(standing(state))}`).join("\n"));
  }
  for (const [i, run] of runs.entries())
    blocks.push(...runBlocks(run, (shown, marks) => show(`run-${i + 1}-`, shown, marks)));
  return { text: `${blocks.join("\n\n")}\n`, pictures };
}

function runBlocks(
  { numbers, kinds, taughtMost, surelyWrong }: ReportedRun,
  show: (pictures: readonly Picture[], marks: readonly Mark[]) => string[],
): string[] {
  const { state } = numbers;
  const marks = marksOf(state);
  const evaluation = evaluationTable(state);
  const happened = marks.filter(({ kind }) => kind !== "checkpoint" && kind !== "evaluation");
  return [
    `## ${plainText(state.run)}`,
    plainText(standing(state)),
    ...noticesOf(state, numbers.steps.metrics).map(({ text }) => `> ${plainText(text)}`),
    ...(evaluation === null ? [] : ["### Held-out questions", markdownTable(evaluation)]),
    ...runPictures(numbers).flatMap((group) => [`### ${group.title}`, ...show(group.pictures, marks)]),
    ...(taughtMost.length === 0
      ? []
      : ["### Questions that taught most", markdownTable(questionTable(taughtMost), [1, 4])]),
    ...(surelyWrong.length === 0
      ? []
      : ["### Most sure of a wrong answer", markdownTable(questionTable(surelyWrong), [1, 4])]),
    ...(kinds.kinds.length === 0 ? [] : ["### What it asks", markdownTable(kindTable(kinds), [0, 6])]),
    ...(happened.length === 0
      ? []
      : [
          "### What happened on the way",
          happened.map(({ step, kind, text }) => `- step ${step}, ${kind}: ${plainText(text)}`).join("\n"),
        ]),
    "### Settings",
    markdownTable(settingsTable(state), [1]),
  ];
}

function svgFile(picture: Picture, marks: readonly Mark[]): string {
  const drawn = picture.kind === "lines" ? drawLines(picture, marks, size) : drawGrid(picture, marks, size);
  // In a file of its own a picture has no legend beside it.
  const legend: SvgNode[] =
    picture.kind === "grid"
      ? []
      : picture.lines.map(({ name, tone }, i) => ({
          tag: "text",
          attributes: {
            x: 60 + (i % 3) * 195,
            y: size.height + 14 + Math.floor(i / 3) * 17,
            class: `tone-${tone % 8} name`,
          },
          children: [`— ${name}`],
        }));
  const height = size.height + Math.ceil(legend.length / 3) * 17 + 6;
  const root: SvgNode = {
    tag: "svg",
    attributes: { ...drawn.attributes, xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${size.width} ${height}` },
    children: [
      { tag: "style", attributes: {}, children: [`${standaloneStyle()}.name{fill:var(--own);font-size:12px}`] },
      ...drawn.children,
      ...legend,
    ],
  };
  // Inside <style> character references are text of the sheet in HTML, and references in XML, which a file is.
  return `${svgText(root)}\n`;
}

/** @param model columns that may hold what a model wrote */
function markdownTable({ header, rows }: NumberTable, model: readonly number[] = []): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(header.map(plainText)),
    line(header.map(() => "---")),
    ...rows.map((row) => line(row.map((cell, i) => (model.includes(i) ? codeText(cell) : plainText(cell))))),
  ].join("\n");
}

/** Text in which no character is markup, of Markdown or of HTML. */
function plainText(text: string): string {
  const markup = /[&<>"'`\\*_~[\]|#!(){}+]/g;
  return visible(text)
    .replaceAll("\n", " ")
    .replaceAll(markup, (character) => `&#${character.charCodeAt(0)};`);
}

/** Text in code, between more backticks than it has in a row; a pipe would end the table's cell. */
function codeText(text: string): string {
  if (text === "") return "";
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const inside = visible(text).replaceAll("\n", " ").replaceAll("|", "\\|");
  return longest > 0 ? `${fence} ${inside} ${fence}` : `${fence}${inside}${fence}`;
}
