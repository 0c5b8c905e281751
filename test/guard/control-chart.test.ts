import { describe, expect, it } from "vitest";
import { type ControlChart, chart, emptyChart, referenceLooks, restart } from "../../src/guard/control-chart.ts";
import { randomStream } from "../../src/random.ts";

/** Looks after the reference until the sum reaches h, at most `looks`. */
function looksToAlarm(
  seed: number,
  h: number,
  shift: number,
  looks: number,
  reference: number = referenceLooks,
): number {
  const random = randomStream("chart", seed, h, shift);
  let state: ControlChart = emptyChart;
  for (let i = 0; i < reference; i++) state = chart(state, random.normal(), 0);
  for (let look = 1; look <= looks; look++) {
    state = chart(state, random.normal() + shift, 0);
    if (state.sum >= h) return look;
  }
  return Number.POSITIVE_INFINITY;
}

const share = (values: readonly number[], of: (value: number) => boolean): number =>
  values.filter(of).length / values.length;

describe("the control chart", () => {
  it("says nothing while it learns what is usual", () => {
    let state: ControlChart = emptyChart;
    for (let look = 0; look < referenceLooks; look++) state = chart(state, look === 5 ? 100 : 1, 0);
    expect(state.sum).toBe(0);
  });

  it("finds a shift of two standard deviations within 14 looks, nine times in ten, at h = 10", () => {
    const found = Array.from({ length: 200 }, (_, seed) => looksToAlarm(seed, 10, 2, 100));
    expect(share(found, (looks) => looks <= 14)).toBeGreaterThan(0.9);
  });

  it("gives a false alarm in fewer than one chart in ten over 150 looks at h = 10, though mean and SD are estimated", () => {
    const found = Array.from({ length: 400 }, (_, seed) => looksToAlarm(seed, 10, 0, 150));
    expect(share(found, Number.isFinite)).toBeLessThan(0.1);
  });

  it("takes a number that hardly varied at first no more seriously than its least deviation", () => {
    let state: ControlChart = emptyChart;
    for (let look = 0; look < referenceLooks; look++) state = chart(state, 0.5, 0.1);
    for (let look = 0; look < 100; look++) state = chart(state, 0.54, 0.1);
    expect(state.sum).toBe(0);
    for (let look = 0; look < 5; look++) state = chart(state, 0.8, 0.1);
    expect(state.sum).toBeCloseTo(5 * 2.5, 6);
  });

  it("begins again after its alarm with what it knows to be usual", () => {
    let state: ControlChart = emptyChart;
    for (let look = 0; look < referenceLooks + 5; look++) state = chart(state, look, 1);
    expect(restart(state)).toEqual({ reference: state.reference, sum: 0 });
  });
});
