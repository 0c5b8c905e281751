// A report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere. Every text goes through
// one function that escapes it.
import { comparePictures, compareTable, differences, groupRuns } from "./compare-pictures.ts";
import { marksOf, type Notice, noticesOf } from "./notices.ts";
import { type Mark, type NumberTable, numbersOf, type Picture } from "./pictures.ts";
import type { ReportData, ReportedRun } from "./report-data.ts";
import { reportStyle } from "./report-style.ts";
import { evaluationTable, kindTable, questionTable, settingsTable, standing } from "./report-tables.ts";
import { runPictures } from "./run-pictures.ts";
import { drawGrid, drawLines, escapeHtml, svgText } from "./svg.ts";

const size = { width: 460, height: 240 };
/** Rows of a picture's table in a report. */
const tableRows = 60;

/** @param made when the report was made, in words */
export function reportHtml(title: string, data: ReportData, made: string): string {
  const { compared, runs } = data;
  const body = [
    `<header><h1>${escapeHtml(title)}</h1><p class="faint">Made by sqlm, ${escapeHtml(made)}.</p></header>`,
    ...(compared.length > 1 ? [comparison(data)] : []),
    ...runs.map((run) => runSection(run, compared.length > 1)),
  ];
  // The file may be opened anywhere: it says itself that nothing in it may run or load.
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${reportStyle()}</style>
</head>
<body>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}

function comparison({ compared, runs }: ReportData): string {
  const groups = groupRuns(compared);
  const table = compareTable(groups);
  const settings = differences(groups);
  const notices = groups.flatMap(({ name, runs: [first] }) =>
    noticesOf(first.state)
      .filter(({ tone }) => tone === "control")
      .map((notice) => ({ ...notice, text: `${name}. ${notice.text}` })),
  );
  const standings = compared.map(({ state }) => `<li>${escapeHtml(standing(state))}</li>`).join("");
  return [
    "<section><h2>Side by side</h2>",
    noticeList(notices),
    table.rows.length === 0
      ? "<p>None of these runs has been evaluated twice.</p>"
      : `${htmlTable(table)}<p class="faint">Mean ± standard deviation over seeds, last evaluation of each run.</p>`,
    `<p class="faint">Lines are means over seeds, bands go from the lowest to the highest. Controls are dashed.</p>`,
    cards(comparePictures(groups), []),
    ...(settings.rows.length > 0 ? [`<h3>Settings that differ</h3>${htmlTable(settings)}`] : []),
    `<h3>Runs</h3><ul>${standings}</ul>`,
    ...(runs.length === 0 ? [`<p class="faint">Each run by itself: sqlm report RUN.</p>`] : []),
    "</section>",
  ].join("\n");
}

function runSection({ numbers, kinds, taughtMost, surelyWrong }: ReportedRun, folded: boolean): string {
  const { state } = numbers;
  const marks = marksOf(state);
  const evaluation = evaluationTable(state);
  const happened = marks.filter(({ kind }) => kind !== "checkpoint" && kind !== "evaluation");
  const inside = [
    `<p>${escapeHtml(standing(state))}</p>`,
    noticeList(noticesOf(state, numbers.steps.metrics)),
    ...(evaluation === null ? [] : ["<h3>Held-out questions</h3>", htmlTable(evaluation)]),
    ...runPictures(numbers).flatMap((group) => [`<h3>${escapeHtml(group.title)}</h3>`, cards(group.pictures, marks)]),
    ...questions("Questions that taught most", taughtMost),
    ...questions("Most sure of a wrong answer", surelyWrong),
    ...(kinds.kinds.length === 0 ? [] : ["<h3>What it asks</h3>", htmlTable(kindTable(kinds))]),
    ...(happened.length === 0
      ? []
      : [
          "<h3>What happened on the way</h3>",
          `<ul>${happened.map(({ step, kind, text }) => `<li>step ${step}, ${kind}: ${escapeHtml(text)}</li>`).join("")}</ul>`,
        ]),
    `<details><summary>Settings</summary>${htmlTable(settingsTable(state))}</details>`,
  ].join("\n");
  // Alone, its name is the title of the report.
  if (!folded) return `<section>${inside}</section>`;
  return `<section><h2>${escapeHtml(state.run)}</h2><details><summary>This run by itself</summary>${inside}</details></section>`;
}

function questions(title: string, rows: ReportedRun["taughtMost"]): string[] {
  return rows.length === 0 ? [] : [`<h3>${title}</h3>`, htmlTable(questionTable(rows), "model")];
}

function noticeList(notices: readonly Notice[]): string {
  return notices.map(({ tone, text }) => `<p class="notice notice-${tone}">${escapeHtml(text)}</p>`).join("\n");
}

function cards(pictures: readonly Picture[], marks: readonly Mark[]): string {
  return `<div class="cards">${pictures.map((picture) => card(picture, marks)).join("\n")}</div>`;
}

function card(picture: Picture, marks: readonly Mark[]): string {
  const drawn = picture.kind === "lines" ? drawLines(picture, marks, size) : drawGrid(picture, marks, size);
  const legend =
    picture.kind === "grid"
      ? ""
      : `<ul class="legend">${picture.lines
          .map(
            ({ name, tone, dashed }) =>
              `<li><span class="swatch${dashed === true && !picture.stacked ? " dashed" : ""} tone-${tone % 8}"></span>${escapeHtml(name)}</li>`,
          )
          .join("")}</ul>`;
  return [
    `<figure class="card"><figcaption><h4>${escapeHtml(picture.title)}</h4><p>${escapeHtml(picture.about)}</p></figcaption>`,
    `${legend}${svgText(drawn)}`,
    `<details><summary>Numbers</summary>${htmlTable(numbersOf(picture, tableRows))}</details></figure>`,
  ].join("");
}

/** @param kind `model` where cells may hold what a model wrote, whose direction of writing is kept to the cell */
function htmlTable({ header, rows }: NumberTable, kind: "words" | "model" = "words"): string {
  const cell = (text: string): string =>
    kind === "model" ? `<td><bdi dir="ltr">${escapeHtml(text)}</bdi></td>` : `<td>${escapeHtml(text)}</td>`;
  const head = header.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("");
  const body = rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n");
  // What scrolls must be reached by the keyboard.
  return `<div class="scroll" tabindex="0" role="region" aria-label="Table: ${escapeHtml(header.join(", "))}"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
