// The other process of bench/store.ts: reads a workspace while it is written (`read`), or times queries (`time`).
import { diffRuns } from "../src/store/diff-runs.ts";
import { answersTo, findQuestions, listRuns, metricSeries, openReader, runOverview } from "../src/store/queries.ts";

const [mode, folder, runA, runB] = process.argv.slice(2);
if (mode === "read") await readUntilStopped();
else timeQueries();

async function readUntilStopped(): Promise<void> {
  let stopped = false;
  process.on("message", () => {
    stopped = true;
  });
  using reader = openReader(folder);
  for (let reads = 1; ; reads++) {
    runOverview(reader, runA);
    findQuestions(reader, runA, { minAgreement: 0.9, limit: 50 });
    process.send?.({ reads });
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (stopped) break;
  }
  process.disconnect();
}

function timeQueries(): void {
  using reader = openReader(folder);
  const start = process.memoryUsage().rss;
  const milliseconds = {
    list: time(() => listRuns(reader)),
    overview: time(() => runOverview(reader, runA)),
    metrics: time(() => metricSeries(reader, runA)),
    questions: time(() => findQuestions(reader, runA)),
    questionsFiltered: time(() =>
      findQuestions(reader, runA, { minAgreement: 0.6, maxAgreement: 0.8, text: "12", orderBy: "agreement" }),
    ),
    questionsLastPage: time(() => findQuestions(reader, runA, { offset: 60_000, orderBy: "difficulty" })),
    answers: time(() => answersTo(reader, runA, 10, 5)),
    diff: time(() => diffRuns(reader, runA, runB)),
  };
  const end = process.memoryUsage().rss;
  const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
  process.send?.({
    milliseconds,
    peakMebibytes: mebibytes(process.resourceUsage().maxRSS * 1024),
    growthMebibytes: mebibytes(end - start),
  });
  process.disconnect();
}

/** Median of five after one warm-up. */
function time(work: () => unknown): number {
  work();
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return Math.round(times.sort((a, b) => a - b)[2] * 10) / 10;
}
