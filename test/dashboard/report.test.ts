import { describe, expect, test } from "vitest";
import { readReport } from "../../src/dashboard/report-data.ts";
import { reportHtml } from "../../src/dashboard/report-html.ts";
import { reportMarkdown } from "../../src/dashboard/report-markdown.ts";
import { openReader } from "../../src/store/queries.ts";
import { hostileStep, hostileText, longText, newFolder, recordRun, step, withoutTruth } from "./example-workspace.ts";

async function dataOf(...options: Parameters<typeof recordRun>[1][]) {
  const folder = newFolder();
  const runs: string[] = [];
  for (const one of options) runs.push(await recordRun(folder, one));
  using reader = openReader(folder);
  return { runs, data: readReport(reader, runs) };
}

/** What does something else than show, line feeds aside. */
const invisible = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|[\ud800-\udfff]/u;

describe("an HTML report", () => {
  test("needs nothing from elsewhere and runs nothing", async () => {
    const { runs, data } = await dataOf({ steps: 8 });
    const html = reportHtml(runs[0], data, "today");
    expect(html).not.toMatch(/<script|<link|<iframe|<object|@import|url\(/i);
    expect(html).not.toMatch(/<[^>]*\s(?:src|href)\s*=/i);
    expect(html).toContain(`content="default-src 'none'`);
    // Every picture has its numbers as a table.
    const pictures = html.split("<figure").slice(1);
    expect(pictures.length).toBeGreaterThan(8);
    for (const picture of pictures) {
      expect(picture).toContain("<svg");
      expect(picture).toContain("<table>");
    }
    expect(html).toContain("Questions that taught most");
  });

  test("what a model wrote is text in it", async () => {
    const { runs, data } = await dataOf({
      record: hostileStep,
      steps: 3,
      trial: { experiment: hostileText, variant: hostileText, control: hostileText },
    });
    const html = reportHtml(hostileText, data, "today");
    expect(html).not.toMatch(/<script|<img|javascript:window\.harmed=1\)<\/style/);
    expect(html.match(/<\/style>/g)).toHaveLength(1);
    expect(html.match(/<\/title>/g)?.length).toBeGreaterThan(0);
    expect(html).not.toMatch(invisible);
    expect(html).toContain("&#60;script&#62;");
    // A 100 kB answer is cut.
    expect(html).not.toContain(longText.slice(0, 1000));
    expect(runs).toHaveLength(1);
  });

  test("several runs are compared, controls said", async () => {
    const trial = { experiment: "e", variant: "default", control: null };
    const { data } = await dataOf(
      { trial, config: { seed: 1 } },
      { trial, config: { seed: 2 } },
      { trial: { ...trial, variant: "truth", control: "oracle" } },
    );
    const html = reportHtml("e", data, "today");
    expect(html).toContain("default (2 seeds)");
    expect(html).toContain("right by construction");
    expect(html).toContain("This run by itself");
  });

  test("a run that knows no truth says so", async () => {
    const { data } = await dataOf({ record: (n) => withoutTruth(step(n)) });
    const [run] = data.runs;
    const state = { ...run.numbers.state, evaluations: [], knowsTruth: false };
    const blind = { compared: [], runs: [{ ...run, numbers: { ...run.numbers, state } }] };
    const html = reportHtml("blind", blind, "today");
    expect(html).toContain("nobody knows which answers are right");
    expect(html).not.toContain("labels right where it taught");
  });
});

describe("a Markdown report", () => {
  test("links to pictures that are there, and holds no markup of the model's", async () => {
    const { data } = await dataOf({ record: hostileStep, steps: 3 }, { config: { seed: 2 } });
    const { text, pictures } = reportMarkdown(hostileText, data, "files", "today");
    const linked = [...text.matchAll(/!\[[^\]]*\]\(files\/([^)]+)\)/g)].map(([, name]) => name);
    expect(linked.length).toBeGreaterThan(15);
    expect(new Set(linked)).toEqual(new Set(pictures.keys()));
    for (const svg of pictures.values()) {
      expect(svg.startsWith("<svg")).toBe(true);
      expect(svg).not.toMatch(/NaN|<script|<img/);
    }
    // Outside of code nothing is left that Markdown or HTML would read as markup.
    const outside = text.replaceAll(/(`+)[\s\S]*?[^`]\1(?!`)/g, "");
    expect(outside).not.toMatch(/<(?:script|img)|\]\(javascript/);
    expect(text).not.toMatch(invisible);
    // A row of a table has as many cells as its header.
    for (const table of text.match(/(?:^\|.*\n)+/gm) ?? []) {
      const cells = table
        .trim()
        .split("\n")
        .map((line) => line.replaceAll("\\|", "").split("|").length);
      expect(new Set(cells).size).toBe(1);
    }
  });
});
