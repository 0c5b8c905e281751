import { describe, expect, it } from "vitest";
import { referenceLooks } from "../../src/guard/control-chart.ts";
import {
  beginWatch,
  isHonest,
  isSolved,
  type Look,
  type Probe,
  restartWatch,
  setUsual,
  watch,
} from "../../src/guard/watch.ts";
import { randomStream } from "../../src/random.ts";
import type { VerifiedGroup } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

const settings = { guardAlpha: 0.01, guardMargin: 0.05, guardThreshold: 10 };
const probes = 48;

/** A group of three forms, answered like this. */
function group(forms: readonly string[], length = 2): VerifiedGroup {
  const answers = forms.flatMap((letters, form) =>
    [...letters].map((value) => ({
      ...{ promptTokens: [1], tokens: Array<number>(length).fill(7), logprobs: Array<number>(length).fill(-1) },
      ...{ stopReason: "stop" as const, text: value, form, value },
    })),
  );
  return { proposal: 0, question: { text: "1+1=", key: forms.join(), difficulty: 1 }, answers, verdict: vote(answers) };
}

const right = () => group(["aaaa", "aaaa", "aaab"]);
const moved = () => group(["bbbb", "bbbb", "bbba"]);
const split = () => group(["aaaa", "aaaa", "bbbb"]);
const questions = { middleShare: 0.5, kinds: 3, kindGini: 0.1 };

const begun = (() => {
  const start = Array.from(
    { length: probes },
    (): Probe => ({ question: right().question, winner: "a", solved: isSolved(right()), said: null }),
  );
  const usual = [Array.from({ length: probes }, right), Array.from({ length: probes }, right)];
  return setUsual(beginWatch(start), usual);
})();

/** Looks in which each probe is lost with this chance, until an alarm of this rung comes. */
function looksUntil(rung: string, chance: number, lost: () => VerifiedGroup): number {
  const random = randomStream("watch", rung, chance);
  let state = begun;
  for (let look = 1; look <= 60; look++) {
    const groups = Array.from({ length: probes }, () => (random.next() < chance ? lost() : right()));
    const seen = watch(state, { groups, questions, kl: null }, settings);
    state = seen.state;
    if (seen.alarms.some((alarm) => alarm.rung === rung)) return look;
  }
  return Number.POSITIVE_INFINITY;
}

describe("a watch", () => {
  it("says nothing while as much is lost as is usual, and trusts the model", () => {
    expect(looksUntil("slow", 0.02, moved)).toBe(Number.POSITIVE_INFINITY);
    expect(isHonest(begun, settings)).toBe(true);
    expect(isHonest(beginWatch(begun.probes), settings)).toBe(false);
  });

  it("asks for caution within five looks where .15 more are lost, and undoes within three where half are", () => {
    expect(looksUntil("slow", 0.17, moved)).toBeLessThanOrEqual(5);
    expect(looksUntil("roll-back", 0.5, moved)).toBeLessThanOrEqual(3);
  });

  it("never undoes because forms contradict each other while the vote keeps its winners", () => {
    expect(looksUntil("slow", 0.5, split)).toBe(1);
    expect(looksUntil("roll-back", 0.9, split)).toBe(Number.POSITIVE_INFINITY);
  });

  it("doubts a model after one bad look, and begins anew after a return", () => {
    const groups = Array.from({ length: probes }, (_, i) => (i % 8 === 0 ? moved() : right()));
    const seen = watch(begun, { groups, questions, kl: null }, settings).state;
    expect(isHonest(seen, settings)).toBe(false);
    expect(isHonest(restartWatch(seen), settings)).toBe(true);
    expect(JSON.parse(JSON.stringify(seen))).toEqual(seen);
  });

  it.each([
    ["answer-length", { length: 9 }, null],
    ["kl-slope", {}, 1],
  ] as const)(
    "charts %s once it knows what is usual, and says so when that is left",
    (detector, { length }: { length?: number }, jump) => {
      let state = begun;
      const heard: string[] = [];
      const look = (kl: number, long?: number): void => {
        const groups = Array.from({ length: probes }, () => group(["aaaa", "aaaa", "aaab"], long));
        const one: Look = { groups, questions, kl };
        const seen = watch(state, one, settings);
        state = seen.state;
        heard.push(...seen.alarms.map((alarm) => `${alarm.detector} ${alarm.rung} ${alarm.highest}`));
      };
      for (let i = 0; i <= referenceLooks; i++) look(0.01 * i);
      expect(heard).toEqual([]);
      for (let i = 1; i <= 3; i++) look(0.01 * referenceLooks + i * (jump ?? 0.01), length);
      expect(heard).toContain(`${detector} slow teacher`);
    },
  );

  it("notes rates that heap at 0 and 1 for three looks, then more and more seldom", () => {
    let state = begun;
    const said: number[] = [];
    for (let look = 1; look <= 24; look++) {
      const groups = Array.from({ length: probes }, right);
      const seen = watch(state, { groups, questions: { ...questions, middleShare: 0.1 }, kl: null }, settings);
      state = seen.state;
      if (seen.alarms.some(({ detector, rung }) => detector === "solve-rates" && rung === "note")) said.push(look);
    }
    expect(said).toEqual([3, 6, 12, 24]);
  });
});
