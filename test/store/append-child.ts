// A process that appends to a run until it is done, to be killed on the way: `node append-child.ts FOLDER STEPS`.
// It goes on from the newest checkpoint, as the loop does, and prints a line once something is acknowledged.
import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { runConfigSchema } from "../../src/config/config.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation, exampleStep } from "../../src/testing/example-step.ts";

const [folder, stepsText] = process.argv.slice(2);
const steps = Number(stepsText);
const say = (line: string): number => writeSync(1, `${line}\n`);

await using workspace = openWorkspace(folder);
const existing = workspace.list().at(0);
await using run =
  existing === undefined
    ? workspace.createRun(runConfigSchema.parse({ steps, keepCheckpoints: 2 }))
    : workspace.openRun(existing.run);
const checkpoint = await run.latestCheckpoint();
const fromStep = checkpoint?.step ?? 0;
run.rewindTo(fromStep);
let best = checkpoint?.state.best ?? null;
const seenKeys = [...(checkpoint?.state.seenKeys ?? [])];
run.append({ type: "run-start", run: run.run, fromStep, steps });
if (fromStep === 0) run.append({ type: "evaluation-end", step: 0, evaluation: exampleEvaluation(0) });
for (let step = fromStep + 1; step <= steps; step++) {
  const record = exampleStep(step, { questions: 24, groupSize: 8 });
  run.append({ type: "step-end", record });
  say(`step ${step}`);
  seenKeys.push(...record.groups.map((group) => group.question.key));
  if (step % 10 === 0) {
    run.append({ type: "evaluation-end", step, evaluation: exampleEvaluation(step) });
    best = { step, passAt1: step };
    run.append({ type: "guard", step, detector: "example", action: "none", message: "as it was" });
  }
  if (step % 5 !== 0) continue;
  const saved = await run.saveCheckpoint({ step, seenKeys, recent: [], best }, async (target) => {
    // The weights of a step come from all steps before it, as in training.
    writeFileSync(join(target, "model.safetensors"), `${seenKeys.join(" ")}\n`.repeat(50));
    writeFileSync(join(target, "config.json"), JSON.stringify({ model_type: "llama", hidden_size: 8 }));
  });
  run.append({ type: "checkpoint-saved", step, folder: saved.folder });
  say(`checkpoint ${step}`);
}
run.append({ type: "run-end", step: steps, reason: "finished" });
say("done");
