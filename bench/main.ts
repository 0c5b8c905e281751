// `npm run bench` prints what each part reaches, as ratios to what the machine can do where there is such a measure.
// `-- --json` prints one object on the last line instead; `-- engine store` runs only the named benches. `-- real` is run only where it
// is named: it takes long and needs checkpoints (see real.ts for its options).
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { didYouMean } from "../src/errors.ts";
import { benchDashboard, type DashboardBench } from "./dashboard.ts";
import { benchEngine, type EngineBench } from "./engine.ts";
import { benchReal, type RealPart, realParts, type WeightForm } from "./real.ts";
import type { Precision } from "./real-peers.ts";
import { benchSandbox, type SandboxBenchmark } from "./sandbox.ts";
import { benchStep } from "./step.ts";
import { benchStore, type StoreBench } from "./store.ts";
import { benchTinker, type TinkerBench } from "./tinker.ts";

type Row = readonly [what: string, value: string];

/** What a bench adds to the JSON object, and the lines that it adds to the table. */
interface BenchResult {
  readonly json: Readonly<Record<string, unknown>>;
  readonly rows: readonly Row[];
}

/** What only the bench of real models reads. */
interface BenchOptions {
  readonly model: string;
  readonly parts: string;
  readonly weights: string;
  readonly peers: string;
  readonly rounds: string;
}

/** Benches that run only where they are named. */
const onlyNamed: ReadonlySet<string> = new Set(["real"]);

/** One entry a bench: add yours here. */
const benches: Readonly<Record<string, (options: BenchOptions) => Promise<BenchResult>>> = {
  engine: async () => {
    const result = await benchEngine();
    return { json: { ...result }, rows: engineRows(result) };
  },
  step: async () => {
    const result = await benchStep();
    return {
      json: { step: result },
      rows: [
        ["self-play: one step of the main job", `${result.stepMilliseconds.toFixed(0)} ms`],
        ["of it recording", `${result.storeMilliseconds.toFixed(1)} ms, ${(result.storeShare * 100).toFixed(1)} %`],
      ],
    };
  },
  sandbox: async () => {
    const result = await benchSandbox();
    return { json: { sandbox: result }, rows: sandboxRows(result) };
  },
  store: async () => {
    const result = await benchStore();
    return { json: { store: result }, rows: storeRows(result) };
  },
  tinker: async () => {
    const result = await benchTinker();
    return { json: { tinker: result }, rows: tinkerRows(result) };
  },
  dashboard: async () => {
    const result = await benchDashboard();
    return { json: { dashboard: result }, rows: dashboardRows(result) };
  },
  real: async ({ model, parts, weights, peers, rounds }) => {
    const result = await benchReal({
      model,
      parts: chosen<RealPart>("--parts", parts, realParts),
      weights: chosen<WeightForm>("--weights", weights, ["f32", "int8"]),
      peers: chosen<Precision>("--peers", peers, ["f32", "bf16"]),
      rounds: Math.max(1, Number.parseInt(rounds, 10) || 1),
    });
    if (typeof result === "string")
      return { json: { real: { skipped: result } }, rows: [["real models", `skipped: ${result}`]] };
    const rows = result.map(
      ({ model, what, value, unit }): Row => [`${model}: ${what}`, `${value.toPrecision(3)} ${unit}`],
    );
    return { json: { real: result }, rows };
  },
};

/** Names out of a list, separated by commas; ends the process where one is unknown. */
function chosen<Name extends string>(flag: string, text: string, known: readonly Name[]): Name[] {
  const names = text.split(",");
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined) {
    console.error(`${flag} ${unknown} is unknown.${didYouMean(unknown, known)} Known: ${known.join(", ")}.`);
    process.exit(2);
  }
  return known.filter((one) => names.includes(one));
}

function engineRows({ training, sampling, mainThreadBlockedMs, parameters, threads }: EngineBench): Row[] {
  const model = `${(parameters / 1e6).toFixed(1)} M parameters, ${threads} thread${threads === 1 ? "" : "s"}`;
  return [
    [`training, ${model}`, `${training.gflops.toFixed(1)} GFLOP/s`],
    ["matrix product, same runtime and threads", `${training.gemmGflops.toFixed(1)} GFLOP/s`],
    ["training / matrix product", percent(training.ratio)],
    ["sampling, batch 128", `${Math.round(sampling.tokensPerSecond)} tokens/s`],
    ["forward pass, batch 128", `${Math.round(sampling.forwardTokensPerSecond)} tokens/s`],
    ["sampling / forward pass", percent(sampling.ratio)],
    ["longest block of the main thread", `${mainThreadBlockedMs.toFixed(1)} ms`],
  ];
}

function storeRows(store: StoreBench): Row[] {
  return [
    ["store: answers recorded", `${store.answerRowsPerSecond} rows/s`],
    ["store: one step of 1,536 answers", `${store.stepMilliseconds.toFixed(1)} ms`],
    ...Object.entries(store.queryMilliseconds).map(
      ([name, milliseconds]): Row => [`store: ${name} over ${store.answers} answers`, `${milliseconds.toFixed(1)} ms`],
    ),
  ];
}

function tinkerRows(result: TinkerBench): Row[] {
  const heaps = result.heapMebibytes.map((value) => value.toFixed(0)).join(", ");
  return [
    [
      `tinker client: a sample, ${result.inFlight} in flight`,
      `${result.sampleMilliseconds.toFixed(2)} ms of processor time`,
    ],
    ["tinker client: samples on loopback", `${Math.round(result.samplesPerSecond)} a second`],
    ["tinker client: heap after each round", `${heaps} MiB, at most ${result.highestMebibytes.toFixed(0)}`],
    [
      "tinker client: requests of one step of the main job",
      `${result.stepRequests.toFixed(0)}, ${result.stepMilliseconds.toFixed(0)} ms of processor time`,
    ],
    ["tinker client: of that step in process", percent(result.stepShare)],
  ];
}

function dashboardRows(result: DashboardBench): Row[] {
  const { answers, firstPaintMilliseconds: paint, liveMilliseconds: live, watchedOverUnwatched: watched } = result;
  const unknown = "no browser to measure with";
  return [
    ["dashboard: page, compressed", `${result.pageKilobytes} kB`],
    [`dashboard: first paint, ${answers} answers`, paint === null ? unknown : `${paint} ms`],
    ["dashboard: slowest filter", `${result.slowestFilterMilliseconds.toFixed(0)} ms`],
    ["dashboard: a recorded step is seen", live === null ? unknown : `${live.median} ms, at most ${live.slowest} ms`],
    ["dashboard: a watched run / an unwatched one", `${watched.median} (${watched.low} to ${watched.high})`],
  ];
}

function sandboxRows(results: readonly SandboxBenchmark[]): Row[] {
  return results.map(
    ({ language, sequentialPerSecond, queuedPerSecond }): Row => [
      `sandbox: ${language} programs, one worker`,
      `${sequentialPerSecond.toFixed(0)} to ${queuedPerSecond.toFixed(0)} a second`,
    ],
  );
}

const percent = (ratio: number): string => `${(ratio * 100).toFixed(0)} %`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      model: { type: "string", default: "" },
      parts: { type: "string", default: realParts.join(",") },
      weights: { type: "string", default: "f32,int8" },
      peers: { type: "string", default: "f32,bf16" },
      rounds: { type: "string", default: "3" },
    },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !Object.hasOwn(benches, name));
  if (unknown !== undefined) {
    const known = Object.keys(benches);
    console.error(`There is no bench "${unknown}".${didYouMean(unknown, known)} Known: ${known.join(", ")}.`);
    process.exitCode = 2;
    return;
  }
  const named = positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => !onlyNamed.has(name));
  // Others' work slows what is measured, and not everything alike.
  const [load] = loadavg();
  const json: Record<string, unknown> = { loadBefore: load, cores: availableParallelism() };
  if (load > availableParallelism() / 2) {
    console.error(
      `The machine is busy (load ${load.toFixed(1)} on ${availableParallelism()} cores): expect lower ratios.`,
    );
  }
  for (const name of named) {
    console.error(`Running the ${name} bench...`);
    const result = await benches[name](values);
    Object.assign(json, result.json);
    if (values.json) continue;
    const width = Math.max(...result.rows.map(([what]) => what.length));
    for (const [what, value] of result.rows) console.log(`${what.padEnd(width)}  ${value}`);
  }
  if (values.json) console.log(JSON.stringify(json));
}

await main();
