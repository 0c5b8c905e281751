// Plays experiments with many processes: each variant with each seed is a process of its own, so that a machine with many cores
// is used by runs of one thread. They share a workspace; what is in its record is not played again.
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts FILE... --seeds 1,2,3 --jobs 16 [--workspace FOLDER] [--only "VARIANT,VARIANT"]
//
// Afterwards `sqlm experiment FILE --seeds 1,2,3` prints the table from the record.
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { readNumbers } from "../src/cli/read-range.ts";
import "../src/cli/register.ts";
import type { Experiment } from "../src/evaluate/experiment.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "1,2,3" },
    jobs: { type: "string", default: "2" },
    workspace: { type: "string", default: ".sqlm" },
    only: { type: "string" },
  },
});
const only = values.only?.split(",").map((name) => name.trim());

const jobs: string[][] = [];
const opened = await Promise.all(
  positionals.map(async (file) => {
    const { experiment } = (await import(pathToFileURL(resolve(file)).href)) as { experiment: Experiment };
    return { file, names: experiment.variants.map(({ name }) => name) };
  }),
);
// All experiments and variants with the first seed before the second: what there is after an interruption is comparable.
for (const seed of readNumbers("--seeds", values.seeds)) {
  for (const { file, names } of opened) {
    for (const name of names.filter((one) => only === undefined || only.includes(one))) {
      jobs.push([file, "--seeds", String(seed), "--only", name]);
    }
  }
}

function play(job: readonly string[]): Promise<number> {
  const main = join(root, "src", "cli", "main.ts");
  const bootstrap = join(root, "scripts", "bootstrap.mjs");
  const started = performance.now();
  const child = spawn(process.execPath, [bootstrap, main, "experiment", ...job, "--workspace", values.workspace], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said = (said + text.toString()).slice(-2000);
  });
  return new Promise((done) => {
    child.once("exit", (code) => {
      const seconds = Math.round((performance.now() - started) / 1000);
      const how = code === 0 ? "done" : `ended with ${code}: ${said.trim().split("\n").slice(-4).join(" | ")}`;
      console.log(`${job.join(" ")}: ${how} (${seconds} s)`);
      done(code ?? 1);
    });
  });
}

console.log(`${jobs.length} runs, ${values.jobs} at a time`);
let failed = 0;
const waiting = [...jobs];
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) if ((await play(job)) !== 0) failed++;
  }),
);
if (failed > 0) {
  console.log(`${failed} of ${jobs.length} failed: the same command plays them again.`);
  process.exitCode = 1;
}
