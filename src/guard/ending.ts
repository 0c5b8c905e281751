// A run that ends while its guard is not calm: is its last model worse than the one that was last trusted? Both are asked the same probes
// once more, so neither has been chosen by the looks before. Pure.
import type { VerifiedGroup } from "../types.ts";
import type { Probe } from "./watch.ts";

/** A look at the probes: a group for each, in their order. */
export type EndLook = readonly VerifiedGroup[];

export interface EndComparison {
  /** Probes of which something is taken for right. */
  readonly compared: number;
  /** Mean share of right answers to them, 0 to 1. */
  readonly last: number;
  readonly trusted: number;
  /** Standard error of the difference of the two, over probes. */
  readonly error: number;
  readonly goBack: boolean;
}

/**
 * Compares two models by two and more looks of each at the probes. The first look says what is taken for right, the answers of the others
 * are measured by it, so that none is measured by a vote that it had a part in. Answers tell more than votes: a model that fell from .58
 * to .47 held as many votes as before (docs/decisions/0106). It goes back where the trusted model's share is larger: an alarm is in
 * force, so it is the last one that has to be as good.
 */
export function compareAtEnd(
  probes: readonly Probe[],
  { last, trusted }: { readonly last: readonly EndLook[]; readonly trusted: readonly EndLook[] },
): EndComparison {
  const shares = probes.flatMap((probe, i) => {
    const right = takenForRight(probe, last[0][i], trusted[0][i]);
    if (right === null) return [];
    const share = (looks: readonly EndLook[]): number => mean(looks.slice(1).map((look) => right(look[i])));
    return [{ last: share(last), trusted: share(trusted) }];
  });
  const falls = shares.map((one) => one.trusted - one.last);
  const fall = mean(falls);
  return {
    compared: shares.length,
    last: mean(shares.map((one) => one.last)),
    trusted: mean(shares.map((one) => one.trusted)),
    error: Math.sqrt(mean(falls.map((one) => (one - fall) ** 2)) / Math.max(1, falls.length - 1)),
    goBack: fall > 0,
  };
}

/**
 * The share of a group's answers that are right as far as can be known; null where nothing can. Of a probe that the start solved right is
 * its winner, since a vote that died agrees with itself too; of others what all forms elect for the trusted model, or if they elect
 * nothing for the last one. Programs are right where they pass the tests that the probe came with.
 */
function takenForRight(
  probe: Probe,
  last: VerifiedGroup,
  trusted: VerifiedGroup,
): ((group: VerifiedGroup) => number) | null {
  if (trusted.verdict.kind === "tests") {
    return ({ verdict }) => (verdict.kind === "tests" ? verdict.meanPassFraction : 0);
  }
  const [elected] = [trusted, last].filter(({ verdict }) => verdict.consistent && verdict.winner !== null);
  const right = probe.solved ? probe.winner : (elected?.verdict.winner ?? null);
  if (right === null) return null;
  return ({ answers }) => mean(answers.map(({ value }) => (value === right ? 1 : 0)));
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
