// Folds the events of a run into the summary that `sqlm run --json` prints. Pure; a resumed run starts from what the
// store has recorded, so its summary is that of the whole run.
import type { RunEvent, RunSummary } from "../events.ts";
import type { RecordedStep } from "../store/store.ts";
import type { LevelResult } from "../types.ts";

export interface RunProgress {
  readonly evaluations: readonly { readonly step: number; readonly levels: readonly LevelResult[] }[];
  /** Mean difficulty of each step's questions, by step. */
  readonly difficulties: readonly { readonly step: number; readonly mean: number }[];
  readonly checkpoint: string;
  readonly steps: number;
}

export const noProgress: RunProgress = { evaluations: [], difficulties: [], checkpoint: "", steps: 0 };

/** What is known of the run after one more event. */
export function advance(progress: RunProgress, event: RunEvent): RunProgress {
  switch (event.type) {
    case "evaluation-end":
      return addEvaluation(progress, event.step, event.evaluation.levels);
    case "step-end":
      return addStep(progress, event.record);
    case "checkpoint-saved":
      return { ...progress, checkpoint: event.folder };
    default:
      return progress;
  }
}

export function addEvaluation(progress: RunProgress, step: number, levels: readonly LevelResult[]): RunProgress {
  return { ...progress, evaluations: [...progress.evaluations, { step, levels }] };
}

export function addStep(progress: RunProgress, record: RecordedStep): RunProgress {
  const mean = meanDifficulty(record);
  return {
    ...progress,
    steps: record.step,
    difficulties: mean === null ? progress.difficulties : [...progress.difficulties, { step: record.step, mean }],
  };
}

/** Mean difficulty of a step's questions; null when there is none. */
export function meanDifficulty({ groups }: RecordedStep): number | null {
  const difficulties = groups.map(({ question }) => question.difficulty);
  return difficulties.length === 0 ? null : difficulties.reduce((sum, value) => sum + value, 0) / difficulties.length;
}

/**
 * The summary of a run. Ends of `proposedDifficulty` are 0 when no step had a question.
 * @param frontier difficulty at which `best` is measured; null where the topic has no hidden truth
 */
export function summarize(run: string, progress: RunProgress, seconds: number, frontier: number | null): RunSummary {
  const { evaluations, difficulties } = progress;
  const first = evaluations.find(({ step }) => step === 0) ?? null;
  const last = evaluations.at(-1) ?? null;
  let best: RunSummary["best"] = null;
  for (const { step, levels } of evaluations) {
    const passAt1 = levels.find(({ difficulty }) => difficulty === frontier)?.passAt1;
    if (passAt1 !== undefined && (best === null || passAt1 > best.passAt1)) best = { step, passAt1 };
  }
  return {
    run,
    checkpoint: progress.checkpoint,
    steps: progress.steps,
    seconds: Math.round(seconds * 10) / 10,
    frontier,
    before: first === null ? null : { levels: first.levels },
    after: last === null ? null : { levels: last.levels },
    best,
    proposedDifficulty: { first: difficulties[0]?.mean ?? 0, last: difficulties.at(-1)?.mean ?? 0 },
  };
}
