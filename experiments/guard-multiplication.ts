// Does the guard meet a collapse, and does it leave healthy runs alone? Two ways to make a vote collapse, and a healthy run, each
// watched only (`note`, which changes nothing of the run) and acted on:
//
//   node scripts/bootstrap.mjs scripts/experiment-jobs.ts experiments/guard-multiplication.ts --seeds 21..25 --jobs 4
//   node scripts/bootstrap.mjs scripts/guard-table.ts
import { defineExperiment, type RunConfigInput } from "self-questioning";

const leak: RunConfigInput = { gateLeak: 0.4 };
// Constant, since a rate that falls ends the collapse by itself.
const rate: RunConfigInput = { learningRate: 1e-3, learningRateSchedule: "constant" };

/** `note` changes nothing of a run: what it says of a healthy one is what `act` would have acted on. */
const both = (name: string, config: RunConfigInput) => [
  { name: `${name} watched`, config: { ...config, guard: "note" as const } },
  { name: `${name} guarded`, config: { ...config, guard: "act" as const } },
];

export const experiment = defineExperiment({
  name: "guard-multiplication",
  config: {
    topic: "multiplication",
    steps: 40,
    groupsPerBatch: 32,
    evalEvery: 10,
    evalQuestions: 40,
    saveEvery: 10,
    probeQuestions: 32,
    // A look takes as long as two steps here.
    probeEvery: 4,
    threads: 1,
  },
  variants: [
    ...both("healthy", {}),
    ...both("leak .4", leak),
    ...both("rate 1e-3", rate),
    ...both("leak and rate", { ...leak, ...rate }),
    // As the topic has it by default, which costs a twentieth of the answers.
    { name: "rate 1e-3 guarded every 8", config: { ...rate, guard: "act", probeEvery: 8 } },
    { name: "leak and rate guarded every 8", config: { ...leak, ...rate, guard: "act", probeEvery: 8 } },
  ],
});
