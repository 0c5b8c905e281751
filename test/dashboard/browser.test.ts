// The page in a real browser, as someone sees it who looks at a run.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findPage } from "../../src/cli/dashboard-page.ts";
import { runConfigSchema } from "../../src/config/config.ts";
import { readPageFiles } from "../../src/dashboard/page-files.ts";
import { readReport } from "../../src/dashboard/report-data.ts";
import { reportHtml } from "../../src/dashboard/report-html.ts";
import { type RunningDashboard, serveDashboard } from "../../src/dashboard/serve.ts";
import { openReader } from "../../src/store/queries.ts";
import { migrations } from "../../src/store/schema.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { type Browser, startBrowser, whyNoBrowser } from "./chromium.ts";
import {
  codingStep,
  decode,
  hostileStep,
  newFolder,
  playSteps,
  recordRun,
  step,
  triedStep,
  withoutTruth,
} from "./example-workspace.ts";

let pageFolder: string;
let browser: Browser;
const dashboards: RunningDashboard[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  pageFolder = await findPage(() => {});
  if (whyNoBrowser === null) browser = await startBrowser();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const dashboard of dashboards.splice(0)) await dashboard[Symbol.asyncDispose]();
});

async function serve(workspace: string, port = 0): Promise<RunningDashboard> {
  const options = {
    workspace,
    page: pageFolder,
    host: "127.0.0.1",
    port,
    version: "0",
    openDecoder: async () => decode,
  };
  const dashboard = await serveDashboard(options);
  dashboards.push(dashboard);
  return dashboard;
}

/** A run in another process that records a step every so often; its name. */
async function startRun(
  folder: string,
  steps: number,
  milliseconds: number,
): Promise<{ run: string; child: ChildProcess }> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "live-run-child.ts"), folder, String(steps), String(milliseconds)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  const run = await new Promise<string>((settle) =>
    child.stdout?.once("data", (chunk) => settle(String(chunk).trim())),
  );
  return { run, child };
}

/** Serious or critical findings of axe, as sentences. */
async function seriousFindings(page: Page, rules: "all" | "color-contrast" = "all"): Promise<string[]> {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(axe);
  const only = rules === "all" ? "" : `, runOnly: ["${rules}"]`;
  const { violations } = (await page.evaluate(`axe.run(document, { resultTypes: ["violations"]${only} })`)) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  };
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" ")}`);
}

/** Waits until an expression is true in the page. Playwright's own wait would evaluate it where the policy forbids that. */
async function until(page: Page, expression: string): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 50) {
    if (await page.evaluate(expression)) return;
    await page.waitForTimeout(50);
  }
  throw new Error(`Not within 30 seconds: ${expression}`);
}

const openAll = "for (const one of document.querySelectorAll('details')) one.open = true";

const lastStepOf = async (page: Page): Promise<number> =>
  Number(await page.locator("#picture-vote [role=slider]").getAttribute("aria-valuemax"));

test("the page is small", () => {
  const files = [...readPageFiles(pageFolder).values()];
  const bytes = files.reduce((sum, file) => sum + gzipSync(file.bytes).length, 0);
  expect(bytes).toBeLessThan(150_000);
});

describe.skipIf(whyNoBrowser !== null)(
  `in Chromium${whyNoBrowser === null ? "" : ` (skipped: ${whyNoBrowser})`}`,
  () => {
    test("a live run: points arrive, a question opens, a reload in the middle, the run is killed", async () => {
      const folder = newFolder();
      const { run, child } = await startRun(folder, 2000, 100);
      const dashboard = await serve(folder);
      const { page, complaints, keep } = await browser.open();
      await page.goto(dashboard.url);
      await page.getByRole("link", { name: run }).click();
      await page.locator("#picture-vote canvas").waitFor();
      await until(page, "document.querySelector('#picture-vote [role=slider]')?.ariaValueMax >= 3");
      const before = await lastStepOf(page);
      await until(page, `document.querySelector('#picture-vote [role=slider]').ariaValueMax >= ${before + 5}`);
      expect(await page.locator(".status-running").count()).toBeGreaterThan(0);

      await page.reload();
      await until(page, `document.querySelector('#picture-vote [role=slider]')?.ariaValueMax >= ${before + 8}`);
      await keep("live-run");
      await page.locator("#taught-most").click();
      await page.getByRole("heading", { name: "The vote" }).waitFor();
      expect(await page.locator(".answer").count()).toBe(6);
      await keep("question");

      await page.goBack();
      await page.locator(".status-running").waitFor();
      child.kill("SIGKILL");
      await page.locator(".heading .status-crashed").waitFor();
      await page.getByText("Its process was killed").waitFor();
      expect(complaints).toEqual([]);
      await page.close();
    });

    test("from the address of a run to the question that taught most: one click", async () => {
      const folder = newFolder();
      const run = await recordRun(folder);
      const { page } = await browser.open();
      await page.goto(`${(await serve(folder)).url}#/run/${run}`);
      await page.locator("#taught-most").click();
      await page.getByText("It taught: the sizes").waitFor();
      await page.close();
    });

    test("programs: answers × tests, with what each test is worth", async () => {
      const folder = newFolder();
      const run = await recordRun(folder, { steps: 3, record: codingStep });
      const { page, complaints, keep } = await browser.open();
      await page.goto(`${(await serve(folder)).url}#/run/${run}/question/2/0`);
      await page.getByRole("heading", { name: "Answers × tests" }).waitFor();
      const cells = await page.evaluate(
        "[...document.querySelectorAll('.matrix tbody tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent.trim()))",
      );
      expect(cells).toEqual([
        ["✓", "✓", "✗", "✗", "50 %"],
        ["✓", "✗", "✗", "✗", "25 %"],
        ["✓", "✗", "✗", "✓", "50 %"],
      ]);
      const kinds = await page.evaluate(
        "[...document.querySelectorAll('.matrix thead .status')].map((one) => one.textContent)",
      );
      expect(kinds).toEqual(["trusted", "not confirmed", "nobody passes", "contradictory"]);
      expect(await page.locator(".matrix thead").innerText()).toContain("double(-1) → -2");
      expect(await page.evaluate("window.harmed")).toBeUndefined();
      expect(await seriousFindings(page)).toEqual([]);
      expect(complaints).toEqual([]);
      await keep("tests");
      await page.close();
    });

    test("answers that were tried the other way round say what came of it", async () => {
      const folder = newFolder();
      const run = await recordRun(folder, { steps: 3, record: triedStep });
      const { page, complaints } = await browser.open();
      await page.goto(`${(await serve(folder)).url}#/run/${run}/question/2/0`);
      const said = await page.getByText("Tried the other way round").innerText();
      const { winner } = triedStep(2).groups[0].verdict;
      expect(said).toBe(`Tried the other way round: ${winner} does not hold, 77 holds`);
      expect(complaints).toEqual([]);
      await page.close();
    });

    test("questions are searched and filtered, the address keeps the filter, pages turn", async () => {
      const folder = newFolder();
      const run = await recordRun(folder, { steps: 30 });
      const { page, complaints, keep } = await browser.open();
      await page.goto(`${(await serve(folder)).url}#/run/${run}/questions`);
      await page.getByText("240 questions").waitFor();
      expect(await page.locator(".questions tbody tr").count()).toBe(50);
      await page.getByRole("button", { name: "Next" }).click();
      await page.getByText("51–100 of 240").waitFor();
      await page.getByRole("button", { name: "tie" }).click();
      await until(
        page,
        "[...document.querySelectorAll('.questions tbody tr')].every(r => r.textContent.includes('tie'))",
      );
      expect(page.url()).toContain("signals=tie");
      await page.getByRole("button", { name: "tie" }).click();
      await page.getByLabel("Label").selectOption("wrong");
      await page.getByLabel("Order by").selectOption("agreement");
      await page.getByLabel("Direction").selectOption("descending");
      await until(
        page,
        "[...document.querySelectorAll('.questions tbody tr')].every(r => r.textContent.includes('✗ wrong'))",
      );
      await page.reload();
      await page.locator(".questions tbody tr").first().waitFor();
      expect(await page.getByLabel("Label").inputValue()).toBe("wrong");
      await page.getByLabel("Text").fill("no such text");
      await page.getByText("No question is like that.").waitFor();
      await keep("questions");
      expect(complaints).toEqual([]);
      await page.close();
    });

    test("runs are chosen and compared; an experiment by variant, controls said", async () => {
      const folder = newFolder();
      const trial = { experiment: "controls", variant: "default", control: null };
      await recordRun(folder, { trial, config: { seed: 1 } });
      await recordRun(folder, { trial, config: { seed: 2 } });
      await recordRun(folder, { trial: { ...trial, variant: "truth", control: "oracle" } });
      const { page, complaints, keep } = await browser.open();
      await page.goto((await serve(folder)).url);
      await page.getByText("control: oracle").waitFor();
      for (const box of (await page.getByRole("checkbox").all()).slice(0, 2)) await box.check();
      await page.getByRole("button", { name: "Compare 2" }).click();
      await page.getByRole("heading", { name: "Runs compared" }).waitFor();
      await page.goBack();
      await page
        .getByRole("link", { name: /controls/ })
        .first()
        .click();
      await page.getByText("default (2 seeds)").first().waitFor();
      await page.getByText("right by construction").waitFor();
      await keep("experiment");
      expect(complaints).toEqual([]);
      await page.close();
    });

    test("what a model wrote is text: no script runs, nothing is loaded, nothing turns the page around", async () => {
      const folder = newFolder();
      const trial = { experiment: "<script>window.harmed=1</script>", variant: "\u202evariant", control: null };
      const run = await recordRun(folder, { record: hostileStep, steps: 3, trial });
      const { url } = await serve(folder);
      const { page, complaints, keep } = await browser.open();
      for (const view of [
        "",
        `run/${run}`,
        `run/${run}/questions`,
        `run/${run}/map`,
        `run/${run}/step/1`,
        `run/${run}/question/1/0`,
      ]) {
        await page.goto(`${url}#/${view}`);
        await page.locator("main .heading").first().waitFor();
        await page.waitForLoadState("networkidle", { timeout: 2000 }).catch(() => {});
        await page.waitForTimeout(300);
        await page.evaluate(openAll);
        await page.waitForTimeout(100);
        const text = (await page.evaluate("document.documentElement.outerHTML")) as string;
        expect(text).not.toMatch(/(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069\u200b]/u);
        expect(await page.evaluate("window.harmed")).toBeUndefined();
        expect(await page.locator("main img, main script, main iframe").count()).toBe(0);
      }
      // 100 kB in one answer: cut, and the page stays as wide as it is.
      const answer = page.locator(".answer").nth(3);
      await answer.waitFor();
      expect(
        (await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")) as number,
      ).toBe(0);
      await keep("hostile");
      expect(complaints).toEqual([]);
      await page.close();
    });

    test.each([
      ["light", 1280],
      ["dark", 1280],
      ["light", 390],
    ] as const)("axe finds nothing serious and nothing is too wide: %s, %i pixels", async (theme, width) => {
      const folder = newFolder();
      const trial = { experiment: "e", variant: "a", control: "oracle" };
      const run = await recordRun(folder, { trial });
      const other = await recordRun(folder, { config: { seed: 2 }, record: (n) => withoutTruth(step(n)) });
      const { url } = await serve(folder);
      const { page, complaints, keep } = await browser.open({ width, dark: theme === "dark" });
      const views = {
        runs: "",
        run: `run/${run}`,
        questions: `run/${run}/questions`,
        map: `run/${run}/map`,
        step: `run/${other}/step/2`,
        question: `run/${run}/question/2/1`,
        compare: `compare?runs=${run},${other}`,
      };
      for (const [name, view] of Object.entries(views)) {
        await page.goto(`${url}#/${view}`);
        await page.locator("main .heading").first().waitFor();
        await page.waitForTimeout(400);
        // Colours are all that differs in the dark, and width all that differs on a phone.
        const findings = width < 1000 ? [] : await seriousFindings(page, theme === "dark" ? "color-contrast" : "all");
        expect([name, findings]).toEqual([name, []]);
        const tooWide = await page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        expect([name, tooWide]).toEqual([name, 0]);
        await keep(`${name}-${theme}-${width}`);
      }
      expect(complaints).toEqual([]);
      await page.close();
    });

    test("every picture has its numbers as a table", async () => {
      const folder = newFolder();
      const run = await recordRun(folder);
      const { page } = await browser.open();
      await page.goto(`${(await serve(folder)).url}#/run/${run}`);
      await page.locator("#picture-memory").waitFor();
      const figures = await page.locator("figure").all();
      expect(figures.length).toBeGreaterThan(8);
      for (const figure of figures) {
        await figure.locator("summary").click();
        await figure.locator("table tbody tr").first().waitFor();
        expect(await figure.locator("table thead th").count()).toBeGreaterThan(1);
      }
      await page.close();
    });

    test("the keyboard does what the mouse does", async () => {
      const folder = newFolder();
      const run = await recordRun(folder);
      const { page } = await browser.open();
      await page.goto((await serve(folder)).url);
      await page.getByRole("link", { name: run }).waitFor();
      await page.keyboard.press("/");
      expect(await page.evaluate("document.activeElement.type")).toBe("search");
      await page.keyboard.type("arith");
      await page.keyboard.press("Escape");
      await page.evaluate("document.activeElement.blur()");
      await page.keyboard.press("j");
      await page.keyboard.press("Enter");
      await page.locator("#picture-vote canvas").waitFor();
      const slider = page.locator("#picture-vote [role=slider]");
      await slider.focus();
      await page.keyboard.press("Home");
      await page.keyboard.press("ArrowRight");
      expect(await slider.getAttribute("aria-valuenow")).toBe("2");
      expect(await slider.getAttribute("aria-valuetext")).toContain("step 2: agreement");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Step 2" }).waitFor();
      await page.keyboard.press("n");
      await page.getByRole("heading", { name: "Step 3" }).waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
      await page.keyboard.press("Escape");
      await page.keyboard.press("r");
      await page.getByRole("heading", { name: "Runs" }).waitFor();
      await page.close();
    });

    test("a store that goes away, comes back or is newer, and a dashboard that ends: the page says so and goes on", async () => {
      const folder = newFolder();
      const run = await recordRun(folder);
      const dashboard = await serve(folder);
      const { page } = await browser.open();
      await page.goto(`${dashboard.url}#/run/${run}`);
      await page.locator("#picture-vote canvas").waitFor();
      const path = join(folder, "sqlm.db");
      renameSync(path, join(folder, "aside.db"));
      await page.getByText("there is no workspace here").first().waitFor();
      // What was there stays to be looked at.
      expect(await page.locator("#picture-vote canvas").count()).toBe(1);
      renameSync(join(folder, "aside.db"), path);
      await page.locator(".connection-live").waitFor();
      await page.getByText("there is no workspace here").first().waitFor({ state: "detached" });

      const database = new DatabaseSync(path);
      database.exec("PRAGMA user_version = 99");
      await page.getByText("newer version of sqlm").first().waitFor();
      database.exec(`PRAGMA user_version = ${migrations.length}`);
      database.close();
      await page.locator(".connection-live").waitFor();

      await dashboard[Symbol.asyncDispose]();
      dashboards.pop();
      await page.getByText("not connected").waitFor();
      await serve(folder, dashboard.port);
      await page.locator(".connection-live").waitFor();
      await page.close();
    });

    test("a run that had to stop, one that knows no truth, one without a step: said in words", async () => {
      const folder = newFolder();
      await using workspace = openWorkspace(folder);
      const stopped = workspace.createRun(runConfigSchema.parse({ steps: 9 }));
      stopped.append({ type: "run-start", run: stopped.run, fromStep: 0, steps: 9 });
      playSteps(stopped, 1, 2, (n) => withoutTruth(step(n)));
      stopped.append({ type: "run-end", step: 2, reason: "stopped", message: "The loss of step 3 is NaN." });
      await stopped[Symbol.asyncDispose]();
      await using empty = workspace.createRun(runConfigSchema.parse({ seed: 2 }));
      const { url } = await serve(folder);
      const { page, complaints } = await browser.open();
      await page.goto(`${url}#/run/${stopped.run}`);
      await page.getByText("The loss of step 3 is NaN.").waitFor();
      await page.getByText("nobody knows which answers are right").waitFor();
      await page.getByText("unknown").first().waitFor();
      await page.locator("#picture-vote").getByText("Whether they are right is not known").waitFor();
      await page.goto(`${url}#/run/${empty.run}`);
      await page.getByText("No step has been recorded yet.").waitFor();
      await page.goto(`${url}#/run/nothing`);
      await page.getByText("There is no run nothing.").first().waitFor();
      await page.goto(`${url}#/nowhere/at/all`);
      await page.getByText("There is nothing here").waitFor();
      // A run that is not there is a 404, which a browser writes on the console.
      expect(complaints.filter((text) => !text.includes("404"))).toEqual([]);
      await page.close();
    });

    test("a report opens from a file, without a word of complaint", async () => {
      const folder = newFolder();
      const runs = [
        await recordRun(folder, { record: hostileStep, steps: 4 }),
        await recordRun(folder, { config: { seed: 2 } }),
      ];
      using reader = openReader(folder);
      const path = join(folder, "report.html");
      writeFileSync(path, reportHtml("Two runs", readReport(reader, runs), "today"));
      const { page, complaints, keep } = await browser.open();
      await page.goto(`file://${path}`);
      await page.getByRole("heading", { name: "Two runs" }).waitFor();
      for (const summary of await page.locator("details:not([open]) > summary").all()) {
        if (await summary.isVisible()) await summary.click();
      }
      expect(await page.locator("svg").count()).toBeGreaterThan(10);
      expect(await seriousFindings(page)).toEqual([]);
      expect(await page.evaluate("window.harmed")).toBeUndefined();
      await keep("report");
      expect(complaints).toEqual([]);
      await page.close();
    });
  },
);
