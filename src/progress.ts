// What a run remembers from step to step beside the weights, how it is kept in checkpoints, and how a run comes back to one.
import { type Cast, loadCast, saveCast } from "./cast.ts";
import { RunStoppedError } from "./errors.ts";
import type { RunEvent } from "./events.ts";
import { type ExploreMemory, keptExploring, nothingExplored, restoredExploring } from "./exploring.ts";
import type { Lacking } from "./guard/collapse.ts";
import { afterReturn, type GuardMemory, trust } from "./guarding.ts";
import type { SelfPlayOptions } from "./run-options.ts";
import type { LoopState, RunStore, SavedCheckpoint } from "./store/store.ts";
import type { Question } from "./types.ts";

/** What changes from step to step, beside the weights. */
export interface Progress {
  step: number;
  /** Step of the newest checkpoint. */
  saved: number;
  readonly seen: Set<string>;
  readonly recent: Question[];
  best: LoopState["best"];
  lacking: Lacking;
  explored: ExploreMemory;
  /** Null where nothing is watched. */
  guard: GuardMemory | null;
}

/** Saves everything that the run is: weights, optimizers and progress. Gives the event of it. */
export async function save({ store, config }: SelfPlayOptions, cast: Cast, progress: Progress): Promise<RunEvent> {
  progress.guard = trust(progress.guard, progress.step, config);
  const { guard } = progress;
  const memory = {
    ...keptExploring({ config }, progress.explored),
    ...(guard !== null && { guard }),
  };
  const state: LoopState = {
    step: progress.step,
    seenKeys: [...progress.seen],
    recent: progress.recent,
    best: progress.best,
    lacking: progress.lacking,
    ...(Object.keys(memory).length > 0 && { memory }),
    ...(guard?.honest == null ? {} : { keep: guard.honest }),
  };
  const { folder } = await store.saveCheckpoint(state, (into, makeFolder) => saveCast(cast, into, makeFolder));
  progress.saved = progress.step;
  return { type: "checkpoint-saved", step: progress.step, folder };
}

/** Progress of the newest checkpoint, its weights loaded; of a run that begins where there is none. */
export async function restore({ store, checkpoint: known }: SelfPlayOptions, cast: Cast): Promise<Progress> {
  const checkpoint = known === undefined ? await store.latestCheckpoint() : known;
  store.rewindTo(checkpoint?.step ?? 0);
  if (checkpoint === null)
    return {
      step: 0,
      saved: 0,
      seen: new Set(),
      recent: [],
      best: null,
      lacking: {},
      explored: nothingExplored,
      guard: null,
    };
  await loadCast(cast, checkpoint.folder);
  const { step, seenKeys, recent, best, lacking = {}, memory } = checkpoint.state;
  const guard = (memory?.["guard"] ?? null) as GuardMemory | null;
  const explored = restoredExploring(memory);
  return { step, saved: step, seen: new Set(seenKeys), recent: [...recent], best, lacking, explored, guard };
}

/** Loads the newest model that the guard trusts, with its optimizer. Steps, questions and the record go on. */
export async function comeBack(store: RunStore, cast: Cast, progress: Progress): Promise<void> {
  const { guard } = progress;
  if (guard?.honest == null) return;
  await loadCast(cast, (await trusted(store, guard.honest)).folder);
  progress.guard = afterReturn(guard);
}

/** The checkpoint of a step that the guard trusts. Throws RunStoppedError where somebody removed it. */
export async function trusted(store: RunStore, step: number): Promise<SavedCheckpoint> {
  const checkpoint = await store.checkpointOf(step);
  if (checkpoint !== null) return checkpoint;
  throw new RunStoppedError(
    `The checkpoint of step ${step}, which the guard would come back to, is gone.`,
    "Put its folder back, or make the run again with --guard note.",
  );
}
