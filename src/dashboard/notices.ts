// What must be known before a run's pictures are believed: that it is a control, that nobody knows the truth, that it
// broke off. Sentences for the page, for reports and for tests.

import { healthLine, type MetricColumns } from "../guard/health-line.ts";
import { subjectOf } from "../topic-names.ts";
import type { RunState } from "./api.ts";
import type { Mark } from "./pictures.ts";
import { visibleLine } from "./visible.ts";

export interface Notice {
  readonly tone: "control" | "warning" | "note";
  readonly text: string;
}

const controls: Readonly<Record<string, string>> = {
  oracle:
    "its labels come from the hidden truth, so they are right by construction. It shows what perfect labels would reach.",
  "shuffled-vote":
    "rewards are shuffled within each group, so they say nothing about answers. What it gains does not come from the vote.",
};

/** Whether a starting proposer is a control: a topic given in words keeps it by default (docs/decisions/0097). */
const isControl = ({ topic }: RunState["config"]): boolean => subjectOf(topic) === null;

/** What sets the run apart from self-play as it is, in a few words; null where nothing does. */
export function controlOf({ trial, config }: Pick<RunState, "trial" | "config">): string | null {
  const words = [
    ...(trial?.control == null ? [] : [trial.control]),
    ...(config.solverReward === "format" ? ["format reward"] : []),
    ...(config.proposerEvery === 0 && isControl(config) ? ["frozen proposer"] : []),
  ];
  return words.length === 0 ? null : words.join(", ");
}

/** Sentences about a run, most important first. `metrics` of its steps say how it stands where nobody knows the truth. */
export function noticesOf(state: RunState, metrics?: MetricColumns): Notice[] {
  const { trial, config, status, ended, lastStep, knowsTruth, supersededSteps } = state;
  const notices: Notice[] = [];
  if (trial?.control != null) {
    const what = controls[trial.control] ?? "it changed what the loop was told.";
    notices.push({ tone: "control", text: `This run is a control (${visibleLine(trial.control, 40)}): ${what}` });
  }
  if (config.solverReward === "format") {
    notices.push({
      tone: "control",
      text: "This run pays every readable answer alike: its votes are counted, and teach nothing.",
    });
  }
  if (config.proposerEvery === 0) {
    notices.push({
      tone: isControl(config) ? "control" : "note",
      text:
        config.proposerWeights === "separate"
          ? "The proposer of this run is frozen: its questions come from the starting model."
          : "The proposer of this run is never trained: its questions change only as its weights learn to answer.",
    });
  }
  if (!knowsTruth) {
    notices.push({ tone: "note", text: [withoutTruth(state), healthLine(metrics ?? {}) ?? ""].join(" ").trim() });
  }
  if (status === "crashed") {
    const text = `Its process was killed after step ${lastStep}. Go on with: sqlm resume ${state.run}`;
    notices.push({ tone: "warning", text });
  }
  if (ended?.message != null) {
    notices.push({
      tone: "warning",
      text: `It had to stop after step ${lastStep}: ${visibleLine(ended.message, 400)}`,
    });
  }
  if (supersededSteps > 0) {
    const steps = supersededSteps === 1 ? "1 step was" : `${supersededSteps} steps were`;
    notices.push({ tone: "note", text: `${steps} done again after it had been killed; only what counts is shown.` });
  }
  return notices;
}

function withoutTruth({ evaluations }: RunState): string {
  return evaluations.length === 0
    ? "This topic has no checker: nobody knows which answers are right. Agreement is not accuracy."
    : "Nobody knows which answers to its own questions are right; what it can do is measured on the questions of the eval file, which training never sees.";
}

/** What happened, by step: evaluations, checkpoints that are kept, guard events, anomalies, going on. */
export function marksOf(state: RunState): Mark[] {
  const marks: Mark[] = [
    ...state.checkpoints.map(({ step }): Mark => ({ step, kind: "checkpoint", text: "checkpoint" })),
    ...state.evaluations.map(({ step }): Mark => ({ step, kind: "evaluation", text: "evaluated" })),
    ...state.resumedAt.map((step): Mark => ({ step, kind: "resumed", text: "gone on with" })),
    ...state.guardEvents.map(
      ({ step, detector, action, message }): Mark => ({
        step,
        kind: "guard",
        text: visibleLine(`${detector} → ${action}: ${message}`, 300),
      }),
    ),
    ...state.anomalies.map(
      ({ step, kind, message }): Mark => ({ step, kind: "anomaly", text: visibleLine(`${kind}: ${message}`, 300) }),
    ),
  ];
  return marks.sort((a, b) => a.step - b.step);
}
