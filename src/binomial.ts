// The one distribution that every sign test needs.

/** P(X ≤ `most`) of a binomial X of `trials` at one half. In logarithms, so that it does not vanish for thousands of trials. */
export function atMostByChance(most: number, trials: number): number {
  let logTerm = -trials * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= most; k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((trials - k) / (k + 1));
  }
  return Math.min(1, tail);
}
