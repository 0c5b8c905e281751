// Who plays which role: what proposes, what solves, and the frozen starting model where one is needed. With shared weights
// proposer and solver are one policy; with separate ones each learns from its own role alone.
import { type LearningSettings, learnsApart, type RewardSettings } from "./config/learn.ts";
import type { Engine, Player, Policy } from "./engine/engine.ts";
import { proposerFolder } from "./types.ts";

export interface Cast extends AsyncDisposable {
  /** What proposes: the solver, a policy of its own, or the starting model where a separate proposer never trains. */
  readonly proposer: Player;
  readonly solver: Policy;
  /** The proposer where it learns apart from the solver; null with shared weights and for one that never trains. */
  readonly ownProposer: Policy | null;
  /** The model as it was before the first step, for the KL penalty; null where there is none. */
  readonly reference: Player | null;
}

type CastSettings = Pick<LearningSettings, "klPenaltyCoef" | "proposerWeights"> & Pick<RewardSettings, "proposerEvery">;

/** Opens the players of a run on the engine's model. Dispose of the cast when done; the engine stays open. */
export async function openCast(engine: Engine, settings: CastSettings): Promise<Cast> {
  const solver = await engine.openPolicy();
  // Frozen before any checkpoint is loaded: they are the starting model, also of a run that goes on.
  const starting = needsStartingModel(settings) ? await solver.freeze() : null;
  const ownProposer = learnsApart(settings) ? await engine.openPolicy() : null;
  return {
    proposer: settings.proposerWeights === "shared" ? solver : (ownProposer ?? starting ?? solver),
    solver,
    ownProposer,
    reference: settings.klPenaltyCoef > 0 ? starting : null,
    async [Symbol.asyncDispose]() {
      for (const player of [ownProposer, starting, solver]) await player?.[Symbol.asyncDispose]();
    },
  };
}

/** True where a step asks the model as it was before the first one: a run that goes on then needs it beside its checkpoint. */
export function needsStartingModel({ klPenaltyCoef, proposerWeights, proposerEvery }: CastSettings): boolean {
  return klPenaltyCoef > 0 || (proposerWeights === "separate" && proposerEvery === 0);
}

/**
 * Writes all that learns, with its optimizers' states.
 * @param makeFolder makes a folder of this name within `folder` and gives its path
 */
export async function saveCast(
  { solver, ownProposer }: Pick<Cast, "solver" | "ownProposer">,
  folder: string,
  makeFolder: (name: string) => Promise<string>,
): Promise<void> {
  await solver.save(folder, { optimizer: true });
  await ownProposer?.save(await makeFolder(proposerFolder), { optimizer: true });
}

/** Reads what saveCast wrote. Throws FileFormatError where the folder does not hold it whole. */
export async function loadCast(
  { solver, ownProposer }: Pick<Cast, "solver" | "ownProposer">,
  folder: string,
): Promise<void> {
  await solver.load(folder, { optimizer: true });
  await ownProposer?.load(`${folder}/${proposerFolder}`, { optimizer: true });
}
