// A control chart (CUSUM, Page 1954): adds up how far a number has left what it was at first, so that a small shift that stays
// is found as surely as a large one. Pure numbers.

/** State of a chart, plain JSON. */
export interface ControlChart {
  /** The first looks, until there are `referenceLooks`. */
  readonly reference: readonly number[];
  /** What has been added up since, in standard deviations. */
  readonly sum: number;
}

export const emptyChart: ControlChart = { reference: [], sum: 0 };

/** Looks that say what is usual. */
export const referenceLooks = 30;

/** What is taken off each look, in standard deviations: shifts above twice of it are what the chart is made for. */
const allowance = 0.5;

/**
 * The chart after one more look: the reference grows, and once it is whole S ← max(0, S + z − ½) with z = (x − mean)/SD of the
 * reference. An alarm is due where the sum reaches a threshold h; of independent normal looks against a known mean and SD one comes by
 * chance every 930, 19,000 and 141,000 at h = 5, 8 and 10. With 30 reference looks mean and SD are known only roughly and chance alarms are
 * more frequent, which the tests count. Restart a chart after its alarm.
 * @param leastDeviation the SD is taken to be at least this, for numbers that hardly vary at first
 */
export function chart(state: ControlChart, value: number, leastDeviation: number): ControlChart {
  const { reference, sum } = state;
  if (reference.length < referenceLooks) return { reference: [...reference, value], sum };
  const z = (value - meanOf(reference)) / Math.max(leastDeviation, deviationOf(reference));
  return { reference, sum: Math.max(0, sum + z - allowance) };
}

/** The chart as after an alarm: what is usual is kept, what was added up is not. */
export function restart({ reference }: ControlChart): ControlChart {
  return { reference, sum: 0 };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
