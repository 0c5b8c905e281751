// What the view of a run shows, kept up to date: a step that was recorded is asked for alone and added to those that are
// there; what takes longer to count comes now and then.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem, QuestionGrid, RunState, StepColumns } from "../api.ts";
import { ask, isProblem, type Loaded, useData, useThrottled } from "./data.ts";
import { type Change, useChanges } from "./live.ts";

export interface RunData {
  readonly state: Loaded<RunState>;
  readonly steps: StepColumns | null;
  readonly problem: Problem | null;
  readonly difficulty: QuestionGrid | null;
  readonly solveRate: QuestionGrid | null;
}

/** Least time between two counts over all questions, in milliseconds. */
const gridMilliseconds = 2000;

export function useRun(run: string): RunData {
  const base = `/api/runs/${encodeURIComponent(run)}`;
  const state = useData<RunState>(base);
  const difficulty = useData<QuestionGrid>(`${base}/grid/difficulty`);
  const solveRate = useData<QuestionGrid>(`${base}/grid/solveRate`);
  const { steps, problem, add, reload } = useSteps(base);
  const count = useThrottled(
    () => {
      difficulty.reload();
      solveRate.reload();
    },
    gridMilliseconds,
    difficulty.took + solveRate.took,
  );
  const restate = useThrottled(state.reload, 400, state.took);
  useChanges((change: Change) => {
    if ("run" in change && change.run !== run) return;
    restate();
    if (change.type === "event" && change.event !== "run-start") {
      if (change.event === "step-end") add();
    } else if (change.type !== "crashed") reload();
    if (change.type !== "event" || change.event === "step-end" || change.event === "run-start") count();
  });
  return { state, steps, problem, difficulty: difficulty.value, solveRate: solveRate.value };
}

interface StepsState {
  readonly steps: StepColumns | null;
  readonly problem: Problem | null;
}

function useSteps(base: string): StepsState & { readonly add: () => void; readonly reload: () => void } {
  const [state, setState] = useState<StepsState>({ steps: null, problem: null });
  const have = useRef<StepColumns | null>(null);
  const work = useRef({ running: false, wanted: "nothing" as "nothing" | "new" | "all" });
  const mounted = useRef(true);
  const next = async (): Promise<void> => {
    const own = work.current;
    if (own.running || own.wanted === "nothing") return;
    const before = own.wanted === "new" ? have.current : null;
    own.running = true;
    own.wanted = "nothing";
    try {
      // Averages over several steps change with every new one; single steps do not.
      const from = before?.every === 1 ? (before.steps.at(-1) ?? 0) + 1 : 1;
      const got = await ask<StepColumns>(`${base}/steps?from=${from}`);
      if (!mounted.current) return;
      have.current = before === null || from === 1 || got.every !== 1 ? got : joined(before, got);
      if (from > 1 && got.every !== 1) own.wanted = "all";
      setState({ steps: have.current, problem: null });
    } catch (error) {
      if (mounted.current) {
        setState({ steps: have.current, problem: isProblem(error) ? error : { message: String(error), hint: "" } });
      }
    } finally {
      own.running = false;
    }
    await next();
  };
  const want = (what: "new" | "all"): void => {
    const own = work.current;
    if (own.wanted !== "all") own.wanted = what;
    void next();
  };
  useEffect(() => {
    mounted.current = true;
    have.current = null;
    setState({ steps: null, problem: null });
    want("all");
    return () => {
      mounted.current = false;
    };
  }, [base]);
  return { ...state, add: () => want("new"), reload: () => want("all") };
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
