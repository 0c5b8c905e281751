// Says when self-play has plainly stopped: steps without a readable question, without a readable answer, or in which
// nothing taught. A plain warning of what anyone would see in the record; detectors of subtler things stand beside it.
import type { StepRecord } from "../events.ts";
import { type Completion, type GroupSignal, groupSignals } from "../types.ts";

/** For how many steps in a row each of these was missing; the loop keeps it from step to step. */
export type Lacking = Readonly<Record<string, number>>;

export interface Warning {
  readonly kind: string;
  readonly message: string;
}

type Settings = { readonly learningRate: number };

interface Check {
  readonly kind: string;
  /** Steps in a row at which it is said; doubled from the last on, so that a long run is not filled with it. */
  readonly at: readonly number[];
  readonly missing: (record: StepRecord) => boolean;
  readonly says: (record: StepRecord, steps: number, settings: Settings) => string;
}

const inARow = (steps: number): string => (steps === 1 ? "" : `, as in the ${steps - 1} before it`);

const checks: readonly Check[] = [
  {
    kind: "no-question",
    at: [1, 3, 10],
    missing: ({ groups }) => groups.length === 0,
    says: (record, steps, settings) =>
      `None of the ${record.proposals.length} proposals of step ${record.step} was a question to ask (${refusals(record)})${inARow(steps)}: ` +
      `nothing is learned. ${likeliestCause(record, steps, settings)} Ended with Ctrl-C, the run can be resumed.`,
  },
  {
    kind: "no-answer",
    at: [1, 3, 10],
    missing: ({ groups }) =>
      groups.length > 0 && groups.every(({ answers }) => answers.every(({ value }) => value === null)),
    says: (record, steps, settings) =>
      `No answer of step ${record.step} could be read${inARow(steps)}: nothing is learned from the votes. ` +
      (mostCutOff(record.groups.flatMap(({ answers }) => answers))
        ? longerReplies("answers", "--max-answer-tokens")
        : record.step <= steps
          ? "The model or the topic's reading of answers does not fit: `sqlm questions RUN --answers` shows what was answered, and why it was refused."
          : tooLarge(settings)),
  },
  {
    kind: "nothing-taught",
    at: [10],
    missing: ({ groups }) => groups.length > 0 && groups.every(({ signal }) => signal !== "trained"),
    says: (record, steps) =>
      `No question of the last ${steps} steps taught anything (step ${record.step}: ${signals(record)}). ` +
      "Where all groups are of one mind there is nothing left to learn here; where none is, the questions are too hard.",
  },
];

/** What this step lacks, given what those before it lacked, and what is to be said of it now. Pure. */
export function watchForCollapse(
  record: StepRecord,
  before: Lacking,
  settings: Settings,
): { readonly lacking: Lacking; readonly warnings: readonly Warning[] } {
  const lacking: Record<string, number> = {};
  const warnings: Warning[] = [];
  for (const { kind, at, missing, says } of checks) {
    if (!missing(record)) continue;
    const steps = (before[kind] ?? 0) + 1;
    lacking[kind] = steps;
    if (at.includes(steps) || isDoubling(steps, at[at.length - 1])) {
      warnings.push({ kind, message: says(record, steps, settings) });
    }
  }
  return { lacking, warnings };
}

function isDoubling(steps: number, first: number): boolean {
  return steps > first && Number.isInteger(Math.log2(steps / first));
}

/** `250 malformed, 6 duplicate; most often: no marked question`. */
function refusals({ proposals }: StepRecord): string {
  const kinds = counted(proposals.map(({ refusal }) => refusal?.kind ?? "accepted"));
  const [reason] = counted(proposals.flatMap(({ refusal }) => refusal?.says ?? []));
  const said = kinds.map(([kind, count]) => `${count} ${kind}`).join(", ");
  return reason === undefined ? said : `${said}; most often: ${reason[0]}`;
}

/** Texts with how often they came, most first. */
function counted(texts: readonly string[]): [text: string, count: number][] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

const mostCutOff = (replies: readonly Pick<Completion, "stopReason">[]): boolean =>
  replies.filter(({ stopReason }) => stopReason === "length").length * 2 > replies.length;

const longerReplies = (what: string, flag: string): string =>
  `Most ${what} were cut off at their longest length: allow more with ${flag}, or ask for shorter ones in the topic.`;

function signals({ groups }: StepRecord): string {
  const of = (name: GroupSignal): number => groups.filter(({ signal }) => signal === name).length;
  return groupSignals.flatMap((name) => (of(name) === 0 ? [] : [`${of(name)} ${name}`])).join(", ");
}

function likeliestCause(record: StepRecord, steps: number, settings: Settings): string {
  const malformed = record.proposals.filter(({ refusal }) => refusal?.kind === "malformed").length;
  if (malformed * 2 < record.proposals.length) {
    return "Most were well formed but asked before, or kept for evaluation: the topic may have few questions.";
  }
  if (mostCutOff(record.proposals)) return longerReplies("proposals", "--max-question-tokens");
  // From the first step on: it was never otherwise.
  if (record.step <= steps) {
    return "The model or the topic's reading of questions does not fit: `sqlm questions RUN --refused` shows what was written, and why it was refused. A small model keeps to a form that earlier turns of the prompt show, and seldom to one that is described.";
  }
  return tooLarge(settings);
}

const tooLarge = ({ learningRate }: Settings): string =>
  `Since it was otherwise at the start, the likeliest cause is that updates are too large (learning rate ${learningRate}). ` +
  "Start again with smaller ones: --learning-rate, --grad-clip-norm.";
