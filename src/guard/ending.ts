// A run that ends while its guard is not calm: does its last model hold less than the one that was last trusted? Both are asked the
// same probes once more, so neither has been chosen by the looks before. Pure.
import { atMostByChance } from "../binomial.ts";
import type { VerifiedGroup } from "../types.ts";
import type { Probe } from "./watch.ts";

/** Chance of going back from a model that is as good. */
const level = 0.05;

export interface EndComparison {
  /** Probes that each model holds, and how many there are. */
  readonly last: number;
  readonly trusted: number;
  readonly of: number;
  /** One-sided sign test of the probes that one of the two holds: the chance of this many for the trusted one if both are equal. */
  readonly chance: number;
  readonly goBack: boolean;
}

/**
 * Compares two models by their answers to the probes, a group each in the probes' order. A probe may be there several times, for several
 * looks: where the models are equal, each look that one of the two holds is as likely the one's as the other's.
 */
export function compareAtEnd(
  probes: readonly Probe[],
  last: readonly VerifiedGroup[],
  trusted: readonly VerifiedGroup[],
): EndComparison {
  const held = (groups: readonly VerifiedGroup[]): boolean[] => groups.map((group, i) => holds(probes[i], group));
  const [ofLast, ofTrusted] = [held(last), held(trusted)];
  const lost = ofTrusted.filter((one, i) => one && !ofLast[i]).length;
  const gained = ofLast.filter((one, i) => one && !ofTrusted[i]).length;
  // As many lost as this or more: by symmetry, no more gained than these.
  const chance = atMostByChance(gained, lost + gained);
  const count = (ones: readonly boolean[]): number => ones.filter(Boolean).length;
  return { last: count(ofLast), trusted: count(ofTrusted), of: probes.length, chance, goBack: chance <= level };
}

/** All forms elect one winner, and it is that of the start where the start was sure: a vote that died agrees with itself too. */
function holds({ solved, winner }: Probe, { verdict }: VerifiedGroup): boolean {
  return verdict.consistent && (!solved || verdict.winner === winner);
}
