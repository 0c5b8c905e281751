// Who plays which role: the policies that propose and solve, and the frozen starting model where one is needed. With shared
// weights proposer and solver are the same policy.
import type { LearningSettings } from "./config/learn.ts";
import type { Engine, Player, Policy } from "./engine/engine.ts";

export interface Cast extends AsyncDisposable {
  readonly proposer: Policy;
  readonly solver: Policy;
  /** The model as it was before the first step, for the KL penalty; null where there is none. */
  readonly reference: Player | null;
}

/** Opens the players of a run on the engine's model. Dispose of the cast when done; the engine stays open. */
export async function openCast(
  engine: Engine,
  { klPenaltyCoef }: Pick<LearningSettings, "klPenaltyCoef">,
): Promise<Cast> {
  const policy = await engine.openPolicy();
  // Frozen before any checkpoint is loaded: the reference is the starting model, also of a run that goes on.
  const reference = klPenaltyCoef > 0 ? await policy.freeze() : null;
  return {
    proposer: policy,
    solver: policy,
    reference,
    async [Symbol.asyncDispose]() {
      await reference?.[Symbol.asyncDispose]();
      await policy[Symbol.asyncDispose]();
    },
  };
}
