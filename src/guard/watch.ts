// What a guard remembers from look to look and what it makes of one: tests and charts over fixed questions (probes), which
// no training sees. Pure; who asks the probes and who acts on alarms is above.
import type { GuardSettings } from "../config/guard.ts";
import { hasLabel } from "../plurality.ts";
import type { Question, Verdict, VerifiedGroup } from "../types.ts";
import { type ControlChart, chart, emptyChart, referenceLooks, restart } from "./control-chart.ts";
import { type EProcess, emptyEProcess, evidence, observe } from "./e-process.ts";
import type { Alarm, Rung } from "./ladder.ts";
import { type ProbeSignals, probeSignals, type QuestionSignals } from "./signals.ts";

/** A fixed question with what the model made of it at first. */
export interface Probe {
  readonly question: Question;
  /** The winner of the vote at first. */
  readonly winner: string | null;
  /** At first the vote was a label to the run's rule, with half of the answers or more. What is lost of these is lost. */
  readonly solved: boolean;
  /** One answer of then, to see how far the model has moved; its log-probability in nats. Null where it cannot be scored. */
  readonly said: {
    readonly promptTokens: readonly number[];
    readonly tokens: readonly number[];
    readonly logprob: number;
  } | null;
}

/** Two tests of one count: a small loss asks for caution, a large one is undone. */
interface Tests {
  readonly caution: EProcess;
  readonly loss: EProcess;
}

const noTests: Tests = { caution: emptyEProcess, loss: emptyEProcess };

/** Plain JSON: it is kept with every checkpoint. */
export interface WatchState {
  readonly probes: readonly Probe[];
  /** The share that is lost by chance, for each test; null until further looks at the model of the start. */
  readonly usual: Readonly<Record<TestName, number>> | null;
  readonly tests: Readonly<Record<TestName, Tests>>;
  readonly charts: Readonly<Record<ChartName, ControlChart>>;
  /** For how many looks in a row something has been low. */
  readonly low: Readonly<Record<string, number>>;
  /** KL to the start at the last look, in nats a token. */
  readonly kl: number | null;
}

const testNames = ["restatement", "first-answer"] as const;
type TestName = (typeof testNames)[number];
const chartNames = ["parting-gap", "confident-split", "top-answer", "unreadable", "answer-length", "kl-slope"] as const;
type ChartName = (typeof chartNames)[number];

/** A look at the probes, and at the questions of the step. */
export interface Look {
  /** A group for each probe, in order. */
  readonly groups: readonly VerifiedGroup[];
  readonly questions: QuestionSignals;
  /** Mean of log π_start − log π over the tokens of what was said at first; null where nothing can be scored. */
  readonly kl: number | null;
}

export type WatchSettings = Pick<GuardSettings, "guardAlpha" | "guardMargin" | "guardThreshold">;

/** Fewer solved probes than this say too little for a test. */
export const leastProbes = 8;

/** A watch over these probes. */
export function beginWatch(probes: readonly Probe[]): WatchState {
  return {
    probes,
    usual: null,
    tests: { restatement: noTests, "first-answer": noTests },
    charts: Object.fromEntries(chartNames.map((name) => [name, emptyChart])) as WatchState["charts"],
    low: {},
    kl: null,
  };
}

/** Whether the vote is a label to the run's rule, by half of the answers or more. */
export function isSolved({ verdict }: Pick<VerifiedGroup, "verdict">): boolean {
  return hasLabel(verdict) && verdict.agreement >= 0.5;
}

/**
 * What each test counts, a 1 for each solved probe that is lost. `restatement`: two of its forms elect different winners. A form that
 * elects none, as small ones often do, is no contradiction. `first-answer`: the vote of all forms does not elect the first winner.
 */
function lost(probes: readonly Probe[], groups: readonly VerifiedGroup[]): Record<TestName, (0 | 1)[]> {
  const solved = probes.flatMap(({ solved, winner }, i) => (solved ? [{ winner, verdict: groups[i].verdict }] : []));
  return {
    restatement: solved.map(({ verdict }) => (contradicts(verdict) ? 1 : 0)),
    "first-answer": solved.map(({ winner, verdict }) => (verdict.winner === winner ? 0 : 1)),
  };
}

/** Forms elect different winners; of tests: the programs' own vote does not confirm them. */
function contradicts(verdict: Verdict): boolean {
  if (verdict.kind === "tests") return !verdict.consistent;
  return new Set(verdict.formWinners.filter((winner) => winner !== null)).size > 1;
}

/**
 * Takes further looks at the model of the start for what is usual: a probe is called solved by the first look, so that only others
 * can say how often solved ones are lost by chance: (count + 2)/(n + 4) of them, which is rather too much than too little, since a test
 * must not take for a loss that the looks were lucky (Agresti and Coull 1998).
 */
export function setUsual(state: WatchState, looks: readonly (readonly VerifiedGroup[])[]): WatchState {
  const counts = looks.map((groups) => lost(state.probes, groups));
  const share = (name: TestName): number => {
    const ones = counts.flatMap((ofLook) => ofLook[name]);
    return (ones.filter((one) => one === 1).length + 2) / (ones.length + 4);
  };
  return { ...state, usual: { restatement: share("restatement"), "first-answer": share("first-answer") } };
}

/** One look: the new state, what fired, and the numbers for the record. */
export function watch(
  state: WatchState,
  look: Look,
  settings: WatchSettings,
): {
  readonly state: WatchState;
  readonly alarms: readonly Alarm[];
  readonly metrics: Readonly<Record<string, number>>;
} {
  const signals = probeSignals(look.groups);
  const counts = lost(state.probes, look.groups);
  const alarms: Alarm[] = [];
  const tests = { ...state.tests };
  const evidences: Record<string, number> = {};
  for (const name of testNames) {
    const usual = state.usual?.[name];
    if (usual === undefined || counts[name].length < leastProbes) continue;
    // Programs have no winners to compare: what they lose is seen in one test alone.
    const highest = state.probes.every(({ winner }) => winner === null) ? "roll-back" : highestOf[name];
    const tested = test({ name, highest, usual }, state.tests[name], counts[name], settings);
    tests[name] = tested.state;
    evidences[`guard.${name === "restatement" ? "restatement" : "firstAnswer"}Evidence`] = tested.caution;
    if (tested.alarm !== null) alarms.push(tested.alarm);
  }
  const charted = watchCharts(state, signals, look.kl, settings);
  const lows = watchLows(state.low, look.questions);
  return {
    state: { ...state, tests, charts: charted.charts, low: lows.low, kl: look.kl },
    alarms: [...alarms, ...charted.alarms, ...lows.alarms],
    metrics: {
      ...probeMetrics(signals, counts, look),
      ...evidences,
      "guard.chartSum": Math.max(...Object.values(charted.charts).map(({ sum }) => sum)),
    },
  };
}

/** No test has evidence against the vote and no chart is half way to its alarm: a model to come back to. */
export function isHonest({ tests, charts, usual }: WatchState, settings: WatchSettings): boolean {
  return (
    usual !== null &&
    testNames.every((name) => {
      const { caution } = tests[name];
      return caution.looks === 0 || evidence(caution, usual[name] + settings.guardMargin) < 1;
    }) &&
    chartNames.every((name) => charts[name].sum < settings.guardThreshold / 2)
  );
}

/** The watch after a return to an earlier model: evidence of what is undone is dropped, what is usual is kept. */
export function restartWatch(state: WatchState): WatchState {
  const charts = Object.fromEntries(chartNames.map((name) => [name, restart(state.charts[name])]));
  return {
    ...state,
    tests: { restatement: noTests, "first-answer": noTests },
    charts: charts as WatchState["charts"],
    kl: null,
  };
}

/** Evidence from which on a test asks for caution: false in one run of ten at most, and what is done then is taken back. */
const cautious = 10;

/** A loss this many times `guardMargin` beyond what is usual is undone; forgetting for a while is less. */
const lossMargins = 4;

/**
 * Only what the vote has unlearned is undone. Forms contradict each other also while a healthy model forgets for some steps what it then
 * learns again, as seen in multiplication: two fifths of the probes, at 1.0 of the labels right.
 */
const highestOf: Readonly<Record<TestName, Rung>> = { restatement: "teacher", "first-answer": "roll-back" };

const lossOf: Readonly<Record<TestName, string>> = {
  restatement: "have forms that elect different winners",
  "first-answer": "no longer elect the winner of the start",
};

/** Both tests of one count after a look, the alarm that follows, and the evidence for caution as it was before a restart. */
function test(
  { name, highest, usual }: { readonly name: TestName; readonly highest: Rung; readonly usual: number },
  before: Tests,
  counts: readonly (0 | 1)[],
  { guardAlpha, guardMargin }: WatchSettings,
): { readonly state: Tests; readonly alarm: Alarm | null; readonly caution: number } {
  const limits = { caution: usual + guardMargin, loss: usual + lossMargins * guardMargin };
  const state = {
    caution: observe(before.caution, counts, limits.caution),
    loss: observe(before.loss, counts, limits.loss),
  };
  const [caution, loss] = [evidence(state.caution, limits.caution), evidence(state.loss, limits.loss)];
  const ones = counts.filter((one) => one === 1).length;
  const saw = (limit: number, found: number): string =>
    `${ones} of ${counts.length} probes that were solved at the start ${lossOf[name]}; ` +
    `up to ${limit.toFixed(2)} of them may, evidence ${found >= 1000 ? found.toExponential(1) : found.toFixed(0)}`;
  if (loss >= testNames.length / guardAlpha && highest === "roll-back") {
    return {
      state: noTests,
      alarm: { detector: name, message: saw(limits.loss, loss), rung: "roll-back", highest },
      caution,
    };
  }
  if (caution < cautious) return { state, alarm: null, caution };
  // Begun anew, so that what goes on is met again, one rung higher.
  const message = saw(limits.caution, caution);
  return {
    state: { ...state, caution: emptyEProcess },
    alarm: { detector: name, message, rung: "slow", highest },
    caution,
  };
}

interface ChartRule {
  readonly rung: Rung;
  readonly leastDeviation: number;
  readonly says: string;
}

/** The least deviations are what one tells apart with some hundred answers: a smaller shift is no reason to act. */
const chartRules: Readonly<Record<ChartName, ChartRule>> = {
  "parting-gap": {
    rung: "slow",
    leastDeviation: 0.04,
    says: "forms of a probe agree with themselves more than with each other",
  },
  "confident-split": {
    rung: "slow",
    leastDeviation: 0.03,
    says: "more probes have forms that are sure of different answers",
  },
  "top-answer": { rung: "slow", leastDeviation: 0.05, says: "one answer wins more and more different probes" },
  unreadable: { rung: "slow", leastDeviation: 0.03, says: "more answers to probes cannot be read" },
  "answer-length": { rung: "slow", leastDeviation: 1, says: "answers to probes have another length" },
  "kl-slope": { rung: "slow", leastDeviation: 0.05, says: "the model moves away from the start faster than it did" },
};

function watchCharts(
  state: WatchState,
  signals: ProbeSignals,
  kl: number | null,
  { guardThreshold }: WatchSettings,
): { readonly charts: WatchState["charts"]; readonly alarms: readonly Alarm[] } {
  const charts = { ...state.charts };
  const alarms: Alarm[] = [];
  const lengths = state.charts["answer-length"].reference;
  const usualLength = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
  // A chart is one-sided. Answers may grow or shrink: their distance from the usual is charted, once there is a usual.
  const length =
    lengths.length < referenceLooks ? signals.answerTokens : usualLength + Math.abs(signals.answerTokens - usualLength);
  const values: Readonly<Record<ChartName, number | null>> = {
    "parting-gap": signals.partingGap,
    "confident-split": signals.confidentSplit,
    "top-answer": signals.topAnswerOfKind,
    unreadable: signals.unreadable,
    "answer-length": length,
    "kl-slope": kl === null || state.kl === null ? null : kl - state.kl,
  };
  for (const name of chartNames) {
    const value = values[name];
    if (value === null) continue;
    const { rung, leastDeviation, says } = chartRules[name];
    const least = name === "answer-length" ? Math.max(leastDeviation, usualLength / 20) : leastDeviation;
    charts[name] = chart(charts[name], value, least);
    const { sum } = charts[name];
    if (sum < guardThreshold) continue;
    const message = `${says} (${value.toFixed(3)}; chart at ${sum.toFixed(1)})`;
    alarms.push({ detector: name, message, rung, highest: "teacher" });
    charts[name] = restart(charts[name]);
  }
  return { charts, alarms };
}

/** Looks in a row at which a low number is said; doubled from then on. */
const saidAt = 3;

/** The proposer's own ailments: there is nothing to undo, so they are noted. */
function watchLows(
  before: WatchState["low"],
  { middleShare }: QuestionSignals,
): { readonly low: WatchState["low"]; readonly alarms: readonly Alarm[] } {
  if (middleShare >= 0.2) return { low: {}, alarms: [] };
  const looks = (before["solve-rates"] ?? 0) + 1;
  const due = looks >= saidAt && Number.isInteger(Math.log2(looks / saidAt));
  const message = `${(100 * middleShare).toFixed(0)} % of the questions have a success rate between .2 and .9, for ${looks} looks: there is little to learn from them`;
  return {
    low: { "solve-rates": looks },
    alarms: due ? [{ detector: "solve-rates", message, rung: "note", highest: "note" }] : [],
  };
}

function probeMetrics(
  signals: ProbeSignals,
  counts: Record<TestName, readonly number[]>,
  { questions, kl }: Look,
): Record<string, number> {
  const share = (ones: readonly number[]): number => ones.reduce((sum, one) => sum + one, 0) / ones.length;
  const named = Object.entries(signals).map(([name, value]) => [`probe.${name}`, value] as const);
  return {
    ...Object.fromEntries(named),
    ...(counts.restatement.length === 0
      ? {}
      : { "probe.split": share(counts.restatement), "probe.lost": share(counts["first-answer"]) }),
    ...(kl === null ? {} : { "probe.kl": kl }),
    middleShare: questions.middleShare,
    kinds: questions.kinds,
    kindGini: questions.kindGini,
  };
}
