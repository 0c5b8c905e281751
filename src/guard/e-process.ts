// A test that may be looked at after every observation: has a share grown beyond what it may be? Its alarm is false with
// probability α at most over a run of any length. Pure numbers.

/** State of the test, plain JSON. */
export interface EProcess {
  /** Looks so far. */
  readonly looks: number;
  /** One sum A for each bet, in the order of `bets`. */
  readonly sums: readonly number[];
}

/** Stakes λ. Each loses where nothing has changed and grows exponentially where the share is well above `limit`. */
const bets = [0.3, 0.8, 1.6] as const;

export const emptyEProcess: EProcess = { looks: 0, sums: bets.map(() => 0) };

/**
 * The state after one more look at Bernoulli observations. The null hypothesis: given the past, their mean chance of being 1
 * is `limit` at most. For each stake λ with λ·limit < 1, A ← (A + w_t)·Π(1 + λ(x − limit)), w_t = 1/(t(t + 1)): a bet that
 * begins at every look t, so that a change that comes late is found as fast as an early one (e-processes: Ramdas et al.,
 * arXiv 2210.01948; the mixture over onsets after Shin et al., arXiv 2203.03532).
 *
 * Observations of one look may have different chances, as easy and hard questions have: by 1 + y ≤ exp(y) the expected factor is
 * exp(λ·Σ(chance − limit)) ≤ 1 at most, where they are independent of each other given the past.
 */
export function observe(state: EProcess, observations: readonly (0 | 1)[], limit: number): EProcess {
  const looks = state.looks + 1;
  const weight = 1 / (looks * (looks + 1));
  const ones = observations.filter((x) => x === 1).length;
  const sums = bets.map((bet, i) => {
    const factor = (1 + bet * (1 - limit)) ** ones * (1 - bet * limit) ** (observations.length - ones);
    return isSound(bet, limit) ? Math.min(largest, (state.sums[i] + weight) * factor) : 0;
  });
  return { looks, sums };
}

/**
 * The evidence E: mean of the sums of all sound bets, plus the weight of those that have not begun. 1 before the first look;
 * under the null hypothesis P(ever E ≥ 1/α) ≤ α (Ville's inequality). 1 where no bet is sound.
 */
export function evidence({ looks, sums }: EProcess, limit: number): number {
  const sound = sums.filter((_, i) => isSound(bets[i], limit));
  if (sound.length === 0) return 1;
  return sound.reduce((total, sum) => total + sum, 0) / sound.length + 1 / (looks + 1);
}

/** A stake that could lose more than there is would break the bound. */
const isSound = (bet: number, limit: number): boolean => bet * limit < 1;

/** Far above every threshold and far below where numbers end, so that a test that nobody restarts stays finite. */
const largest = 1e150;
