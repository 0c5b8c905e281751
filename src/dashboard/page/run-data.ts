// What the view of a run shows, kept up to date. All that one change brings is asked for together and shown at once: a
// page that draws itself anew for each reply takes several times the processor, which the run needs. A step that was
// recorded is asked for alone and added to those that are there; what takes longer to count comes now and then.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem, QuestionGrid, QuestionRow, QuestionsReply, RunState, StepColumns } from "../api.ts";
import { ask, isProblem } from "./data.ts";
import { type Change, useChanges } from "./live.ts";

export interface RunData {
  readonly state: RunState | null;
  readonly steps: StepColumns | null;
  readonly difficulty: QuestionGrid | null;
  readonly solveRate: QuestionGrid | null;
  /** The question that taught most, and the wrong winner that was most agreed on. */
  readonly taughtMost: QuestionRow | null;
  readonly mostWrong: QuestionRow | null;
  readonly problem: Problem | null;
}

const nothing: RunData = {
  state: null,
  steps: null,
  difficulty: null,
  solveRate: null,
  taughtMost: null,
  mostWrong: null,
  problem: null,
};

/** Least time between two counts over all questions, in milliseconds; and, of the time, what they may take. */
const countMilliseconds = 5000;
const countShare = 0.02;
/** Changes that come together, such as a step's end and its checkpoint, are asked about once. */
const togetherMilliseconds = 20;
/** Least time between two drawings: steps of half a second are shown two at a time, which nobody misses and the run is spared. */
const drawMilliseconds = 1000;

interface Wanted {
  readonly steps: "new" | "all";
  readonly counts: boolean;
}

export function useRun(run: string): RunData {
  const [data, setData] = useState(nothing);
  const updates = useRef<RunUpdates | null>(null);
  useEffect(() => {
    setData(nothing);
    const own = new RunUpdates(`/api/runs/${encodeURIComponent(run)}`, setData);
    updates.current = own;
    own.want({ steps: "all", counts: true });
    return () => own.stop();
  }, [run]);
  useChanges((change: Change) => {
    if ("run" in change && change.run !== run) return;
    const step = change.type === "event" && change.event === "step-end";
    const start = change.type === "event" && change.event === "run-start";
    // Only a step's end brings steps; what is not an event may have changed all of them.
    const all = change.type !== "event" && change.type !== "crashed";
    updates.current?.want({ steps: all ? "all" : "new", counts: all || step || start });
  });
  return data;
}

/** Asks for what a run's view shows: never twice at a time, and each time for all that is due. */
class RunUpdates {
  readonly #base: string;
  readonly #show: (data: RunData) => void;
  #data = nothing;
  #wanted: Wanted | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Number.POSITIVE_INFINITY;
  #asked = Number.NEGATIVE_INFINITY;
  #asking = false;
  #stopped = false;
  #counted = { at: Number.NEGATIVE_INFINITY, took: 0 };
  #countsDue = false;

  constructor(base: string, show: (data: RunData) => void) {
    this.#base = base;
    this.#show = show;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  want({ steps, counts }: Wanted): void {
    this.#wanted = {
      steps: this.#wanted?.steps === "all" ? "all" : steps,
      counts: counts || this.#wanted?.counts === true,
    };
    this.#askIn(Math.max(togetherMilliseconds, this.#asked + drawMilliseconds - performance.now()));
  }

  /** Sooner than already meant, never later: changes that keep coming must not put it off. */
  #askIn(milliseconds: number): void {
    const due = performance.now() + milliseconds;
    if (this.#asking || this.#stopped || due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), milliseconds);
  }

  async #ask(): Promise<void> {
    const { steps, counts } = this.#wanted ?? { steps: "new", counts: false };
    // Neither what is read to begin with nor a count that was due keeps the next step waiting.
    if (this.#data.state !== null && this.#wanted !== null) this.#asked = performance.now();
    this.#wanted = null;
    this.#due = Number.POSITIVE_INFINITY;
    this.#countsDue ||= counts;
    const pause = Math.max(countMilliseconds, this.#counted.took / countShare);
    const count = this.#countsDue && performance.now() >= this.#counted.at + pause;
    this.#asking = true;
    try {
      // A run is shown as soon as it is known, its pictures as soon as there are steps, and the rest when it is counted.
      const first = this.#data.state === null;
      const parts = [this.#askState(), this.#askSteps(steps), ...(count ? [this.#askCounts()] : [])];
      if (first) await Promise.all(parts.map(async (part) => this.#take(await part)));
      else this.#take(Object.assign({}, ...(await Promise.all(parts))));
      if (this.#data.problem !== null) this.#take({ problem: null });
    } catch (error) {
      this.#take({ problem: isProblem(error) ? error : { message: String(error), hint: "" } });
    } finally {
      this.#asking = false;
    }
    if (this.#wanted !== null) this.#askIn(Math.max(0, this.#asked + drawMilliseconds - performance.now()));
    else if (this.#countsDue) this.#askIn(Math.max(0, this.#counted.at + pause - performance.now()));
  }

  #take(news: Partial<RunData>): void {
    if (this.#stopped) return;
    this.#data = { ...this.#data, ...news };
    this.#show(this.#data);
  }

  async #askState(): Promise<Partial<RunData>> {
    return { state: await ask<RunState>(this.#base) };
  }

  async #askSteps(wanted: "new" | "all"): Promise<Partial<RunData>> {
    const before = wanted === "new" ? this.#data.steps : null;
    // Averages over several steps change with every new one; single steps do not.
    const from = before?.every === 1 ? (before.steps.at(-1) ?? 0) + 1 : 1;
    const got = await ask<StepColumns>(`${this.#base}/steps?from=${from}`);
    if (before === null || from === 1) return { steps: got };
    return { steps: got.every === 1 ? joined(before, got) : await ask<StepColumns>(`${this.#base}/steps?from=1`) };
  }

  async #askCounts(): Promise<Partial<RunData>> {
    const start = performance.now();
    this.#countsDue = false;
    const questions = async (query: string): Promise<QuestionRow | null> =>
      (await ask<QuestionsReply>(`${this.#base}/questions?${query}&order=descending`)).questions[0] ?? null;
    const [difficulty, solveRate, taughtMost, mostWrong] = await Promise.all([
      ask<QuestionGrid>(`${this.#base}/grid/difficulty`),
      ask<QuestionGrid>(`${this.#base}/grid/solveRate`),
      questions("orderBy=taught"),
      questions("label=wrong&orderBy=agreement"),
    ]);
    this.#counted = { at: performance.now(), took: performance.now() - start };
    return { difficulty, solveRate, taughtMost, mostWrong };
  }
}

/** Steps with those that come after them. */
function joined(before: StepColumns, after: StepColumns): StepColumns {
  if (after.steps.length === 0) return before;
  const join = <Columns extends Readonly<Record<string, readonly (number | null)[]>>>(
    a: Columns,
    b: Columns,
  ): Columns => {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    const whole = (columns: Columns, name: string, length: number): readonly (number | null)[] =>
      columns[name] ?? Array.from({ length }, () => null);
    const entries = [...names].map((name) => [
      name,
      [...whole(a, name, before.steps.length), ...whole(b, name, after.steps.length)],
    ]);
    return Object.fromEntries(entries) as Columns;
  };
  return {
    every: 1,
    steps: [...before.steps, ...after.steps],
    metrics: join(before.metrics, after.metrics),
    counts: join(before.counts, after.counts),
    stages: join(before.stages, after.stages),
    memoryBytes: [...before.memoryBytes, ...after.memoryBytes],
  };
}
