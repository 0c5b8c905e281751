// Whether looking costs anything: a run of a million answers in the dashboard, how soon a step that was recorded is seen,
// and whether a run is slower while someone watches. `npm run bench -- dashboard`, or `node bench/dashboard.ts [answers]`.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPage } from "../src/cli/dashboard-page.ts";
import { runConfigSchema } from "../src/config/config.ts";
import { readPageFiles } from "../src/dashboard/page-files.ts";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { selfPlay } from "../src/self-play.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import { exampleStep } from "../src/testing/example-step.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import { startBrowser, type WatchedPage, whyNoBrowser } from "../test/dashboard/chromium.ts";

export interface DashboardBench {
  readonly answers: number;
  /** Sizes of the page's files, each compressed, together. */
  readonly pageKilobytes: number;
  /** Median of five replies after one, in milliseconds, as a page gets them. */
  readonly replyMilliseconds: Readonly<Record<string, number>>;
  /** The slowest of the filters among them. */
  readonly slowestFilterMilliseconds: number;
  /** From the address to the first paint of a run's page, and until its first picture is drawn; null without a browser. */
  readonly firstPaintMilliseconds: number | null;
  readonly firstPictureMilliseconds: number | null;
  /** From the return of `append` to the step being on the page: median and slowest of twenty; null without a browser. */
  readonly liveMilliseconds: { readonly median: number; readonly slowest: number } | null;
  /** A step's seconds with an open page over those without, each pair in turn: median and quartiles of the ratios. */
  readonly watchedOverUnwatched: { readonly median: number; readonly low: number; readonly high: number };
}

const questionsPerStep = 96;
const groupSize = 16;

export async function benchDashboard(answers = 1_000_000): Promise<DashboardBench> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-bench-dashboard-"));
  const browser = whyNoBrowser === null ? await startBrowser() : null;
  try {
    const page = await findPage(() => {});
    const bytes = [...readPageFiles(page).values()].reduce((sum, file) => sum + (file.gzip ?? file.bytes).length, 0);
    await using workspace = openWorkspace(folder);
    const steps = Math.ceil(answers / (questionsPerStep * groupSize));
    await using run = workspace.createRun(runConfigSchema.parse({ steps: steps + 100 }));
    run.append({ type: "run-start", run: run.run, fromStep: 0, steps: steps + 100 });
    const records = Array.from({ length: 8 }, (_, i) => recordOf(i));
    for (let step = 1; step <= steps; step++) run.append({ type: "step-end", record: { ...records[step % 8], step } });
    using dashboard = await startDashboard(folder);
    const replyMilliseconds = await timeReplies(dashboard.url, run.run, steps);
    const watched = browser === null ? null : await browser.open();
    const paint = watched === null ? null : await timePaint(watched, `${dashboard.url}#/run/${run.run}`);
    const live =
      watched === null
        ? null
        : await timeLive(watched, (i) =>
            run.append({ type: "step-end", record: { ...records[i % 8], step: steps + 1 + i } }),
          );
    await watched?.page.close();
    const filters = Object.entries(replyMilliseconds).filter(([name]) => name.startsWith("filter"));
    return {
      answers: steps * questionsPerStep * groupSize,
      pageKilobytes: Math.round(bytes / 1000),
      replyMilliseconds,
      slowestFilterMilliseconds: Math.max(...filters.map(([, milliseconds]) => milliseconds)),
      firstPaintMilliseconds: paint?.paint ?? null,
      firstPictureMilliseconds: paint?.picture ?? null,
      liveMilliseconds: live,
      watchedOverUnwatched: await timeWatched(browser === null ? null : () => browser.open()),
    };
  } finally {
    await browser?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A step of the main job's size, with as many metrics as a real one. */
function recordOf(seed: number) {
  const record = exampleStep(seed, { questions: questionsPerStep, groupSize });
  const metrics = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`metric${i}`, seed + i / 7]));
  return {
    ...record,
    metrics: { ...record.metrics, ...metrics, labelAccuracy: 0.8, difficulty: 3 + seed / 10, accuracy: 0.6 },
  };
}

/** The real command in a process of its own, as a user starts it. */
async function startDashboard(folder: string): Promise<Disposable & { readonly url: string }> {
  const main = join(import.meta.dirname, "..", "src", "cli", "main.ts");
  const child: ChildProcess = spawn(
    process.execPath,
    [main, "dashboard", "--workspace", folder, "--port", "0", "--json"],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const line = await new Promise<string>((resolve) => child.stdout?.once("data", (chunk) => resolve(String(chunk))));
  const { url } = JSON.parse(line) as { url: string };
  return { url, [Symbol.dispose]: () => void child.kill() };
}

async function timeReplies(url: string, run: string, steps: number): Promise<Record<string, number>> {
  const base = `/api/runs/${run}`;
  const questions = `${base}/questions?`;
  const middle = Math.round(steps / 2);
  const paths: Readonly<Record<string, string>> = {
    runs: "/api/runs",
    run: base,
    steps: `${base}/steps`,
    newestStep: `${base}/steps?from=${steps}`,
    difficulty: `${base}/grid/difficulty`,
    solveRates: `${base}/grid/solveRate`,
    kinds: `${base}/kinds`,
    question: `${base}/questions/${middle}/5`,
    step: `${base}/steps/${middle}`,
    "filter: none": questions,
    "filter: text": `${questions}text=123`,
    "filter: text that is nowhere": `${questions}text=zzz`,
    "filter: agreement": `${questions}minAgreement=0.6&maxAgreement=0.7&orderBy=agreement`,
    "filter: difficulty": `${questions}minDifficulty=3&maxDifficulty=3&orderBy=difficulty&order=descending`,
    "filter: signals": `${questions}signals=tie,all-equal`,
    "filter: wrong labels, most agreement": `${questions}label=wrong&orderBy=agreement&order=descending`,
    "filter: taught most": `${questions}orderBy=taught&order=descending`,
    "filter: everything at once": `${questions}text=1&minAgreement=0.3&maxDifficulty=4&signals=trained&label=right&fromStep=${middle}&orderBy=taught`,
    "filter: last page": `${questions}orderBy=difficulty&offset=${steps * questionsPerStep - 50}`,
  };
  const times: Record<string, number> = {};
  for (const [name, path] of Object.entries(paths)) {
    const samples: number[] = [];
    for (let i = 0; i < 6; i++) {
      const start = performance.now();
      const reply = await fetch(new URL(path, url));
      await reply.json();
      if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
      if (i > 0) samples.push(performance.now() - start);
    }
    times[name] = Math.round(median(samples) * 10) / 10;
  }
  return times;
}

async function timePaint({ page }: WatchedPage, url: string): Promise<{ paint: number; picture: number }> {
  const paints: number[] = [];
  const pictures: number[] = [];
  for (let i = 0; i < 4; i++) {
    await page.goto("about:blank");
    await page.goto(url);
    await page.locator("#picture-vote canvas").waitFor();
    const [paint, now] = (await page.evaluate(
      "[performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.now()]",
    )) as [number, number];
    // The first one also starts the browser's own machinery.
    if (i > 0) {
      paints.push(paint);
      pictures.push(now);
    }
  }
  return { paint: Math.round(median(paints)), picture: Math.round(median(pictures)) };
}

/** Appends steps one by one and waits until each is on the page. */
async function timeLive(
  { page }: WatchedPage,
  append: (i: number) => void,
): Promise<{ median: number; slowest: number }> {
  // The page's own clock is that of this machine.
  await page.evaluate(`
    window.seen = new Map();
    new MutationObserver(() => {
      const step = document.querySelector("#picture-vote [role=slider]").getAttribute("aria-valuemax");
      if (!window.seen.has(step)) window.seen.set(step, performance.timeOrigin + performance.now());
    }).observe(document.querySelector("#picture-vote [role=slider]"), { attributes: true });
  `);
  const times: number[] = [];
  const before = Number(await page.locator("#picture-vote [role=slider]").getAttribute("aria-valuemax"));
  for (let i = 0; i < 20; i++) {
    append(i);
    const done = performance.timeOrigin + performance.now();
    const key = JSON.stringify(String(before + 1 + i));
    let seen: number | null = null;
    for (let waited = 0; seen === null && waited < 5000; waited += 50) {
      await page.waitForTimeout(50);
      seen = (await page.evaluate(`window.seen.get(${key}) ?? null`)) as number | null;
    }
    times.push(seen === null ? Number.POSITIVE_INFINITY : seen - done);
    await page.waitForTimeout(1000);
  }
  return { median: Math.round(median(times)), slowest: Math.round(Math.max(...times)) };
}

/**
 * Plays the main job with a dashboard beside it, a page of which is open for every other few steps. Without a browser a
 * client asks as the page does. The dashboard itself runs all the time in both.
 */
async function timeWatched(open: (() => Promise<WatchedPage>) | null): Promise<DashboardBench["watchedOverUnwatched"]> {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-bench-watched-"));
  const [pairs, block] = [10, 4];
  try {
    const steps = 4 + pairs * 2 * block;
    const config = runConfigSchema.parse({ model: "models/arithmetic", steps, evalEvery: 0, evalQuestions: 1 });
    await using engine = await openOnnxEngine({ model: config.model, threads: 1 });
    await using workspace = openWorkspace(folder);
    await using store = workspace.createRun(config);
    using dashboard = await startDashboard(folder);
    const address = `${dashboard.url}#/run/${store.run}`;
    const watched = open === null ? null : await open();
    let client: AbortController | null = null;
    const watch = async (on: boolean): Promise<void> => {
      client?.abort();
      client = null;
      if (watched !== null) await watched.page.goto(on ? address : "about:blank");
      else if (on) {
        client = new AbortController();
        void watchAsPage(dashboard.url, store.run, client.signal);
      }
    };
    const seconds: { readonly on: boolean; readonly value: number }[] = [];
    let on = false;
    let step = 0;
    for await (const event of selfPlay({ topic: arithmetic, engine, store, config })) {
      if (event.type !== "step-end") continue;
      step++;
      // The first steps warm up, and so does the first after each change.
      if (step > 4 && (step - 5) % block !== 0) seconds.push({ on, value: event.record.seconds });
      if (step >= 4 && (step - 4) % block === 0) {
        on = !on;
        await watch(on);
      }
    }
    await watch(false);
    await watched?.page.close();
    const size = block - 1;
    const blocks = Array.from({ length: Math.floor(seconds.length / size) }, (_, i) =>
      seconds.slice(i * size, (i + 1) * size),
    );
    const means = blocks.map((own) => ({ on: own[0].on, value: median(own.map(({ value }) => value)) }));
    const ratios = Array.from({ length: Math.floor(means.length / 2) }, (_, i) => {
      const [a, b] = means.slice(2 * i, 2 * i + 2);
      return a.on ? a.value / b.value : b.value / a.value;
    }).sort((a, b) => a - b);
    const at = (share: number): number => Math.round(ratios[Math.floor(share * (ratios.length - 1))] * 1000) / 1000;
    return { median: at(0.5), low: at(0.25), high: at(0.75) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Listens and asks as an open page does, until it is told to stop. */
async function watchAsPage(url: string, run: string, signal: AbortSignal): Promise<void> {
  try {
    const events = await fetch(new URL("/api/events", url), { signal });
    const decoder = new TextDecoder();
    for await (const chunk of events.body ?? []) {
      if (!decoder.decode(chunk).includes("step-end")) continue;
      for (const path of ["", "/steps?from=1", "/grid/difficulty", "/grid/solveRate"]) {
        await (await fetch(new URL(`/api/runs/${run}${path}`, url), { signal })).arrayBuffer();
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

if (import.meta.main) console.log(JSON.stringify(await benchDashboard(Number(process.argv[2] ?? 1_000_000)), null, 2));
