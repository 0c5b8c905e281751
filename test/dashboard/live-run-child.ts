// A run that goes on, to be looked at and killed: `node live-run-child.ts FOLDER STEPS MILLISECONDS`. Prints its name first.
import { runConfigSchema } from "../../src/config/config.ts";
import { openWorkspace } from "../../src/store/workspace.ts";
import { exampleEvaluation, exampleStep } from "../../src/testing/example-step.ts";

const [folder, stepsText, millisecondsText] = process.argv.slice(2);
const steps = Number(stepsText);
await using workspace = openWorkspace(folder);
await using run = workspace.createRun(runConfigSchema.parse({ steps }));
run.append({ type: "run-start", run: run.run, fromStep: 0, steps });
run.append({ type: "evaluation-end", step: 0, evaluation: exampleEvaluation(0) });
console.log(run.run);
for (let step = 1; step <= steps; step++) {
  await new Promise((resolve) => setTimeout(resolve, Number(millisecondsText)));
  const record = exampleStep(step, { questions: 8, groupSize: 6 });
  const metrics = { ...record.metrics, difficulty: 3 + step / 100, labelAccuracy: 0.8, "groups.trained": 5 };
  run.append({ type: "step-end", record: { ...record, metrics } });
}
run.append({ type: "run-end", step: steps, reason: "finished" });
