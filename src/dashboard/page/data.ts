// Asks the server: JSON once, again when asked to, and never two of the same question at a time.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "../api.ts";

export interface Loaded<Value> {
  /** What came last; stays while a newer reply is under way. */
  readonly value: Value | null;
  readonly problem: Problem | null;
  readonly loading: boolean;
  /** Asks again; what is shown stays until the reply is there. */
  readonly reload: () => void;
  /** How long the last reply took, in milliseconds. */
  readonly took: number;
}

const unreachable: Problem = {
  message: "The dashboard does not answer.",
  hint: "It may have ended. Start it again with: sqlm dashboard. This page goes on by itself.",
};

/** The reply to a question. Throws a Problem. */
export async function ask<Value>(path: string, signal?: AbortSignal): Promise<Value> {
  let reply: Response;
  try {
    reply = await fetch(path, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable;
  }
  const text = await reply.text();
  if (reply.ok) return JSON.parse(text) as Value;
  throw problemOf(text, reply.status);
}

function problemOf(text: string, status: number): Problem {
  try {
    const { message, hint } = JSON.parse(text) as Partial<Problem>;
    if (typeof message === "string") return { message, hint: hint ?? "" };
  } catch {
    // Not one of ours.
  }
  return { message: text.slice(0, 200) || `The dashboard answered with ${status}.`, hint: "" };
}

export function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "message" in error && "hint" in error;
}

/** Asks for `path`, and again whenever it changes; null asks nothing. */
export function useData<Value>(path: string | null): Loaded<Value> {
  const [state, setState] = useState<Omit<Loaded<Value>, "reload">>({
    value: null,
    problem: null,
    loading: true,
    took: 0,
  });
  const running = useRef<{ readonly path: string; readonly stop: AbortController; again: boolean } | null>(null);
  const current = useRef(path);
  current.current = path;
  const load = useCallback((): void => {
    const asked = current.current;
    if (asked === null) return;
    if (running.current?.path === asked) {
      running.current.again = true;
      return;
    }
    running.current?.stop.abort();
    const job = { path: asked, stop: new AbortController(), again: false };
    running.current = job;
    setState((before) => ({ ...before, loading: true }));
    const started = performance.now();
    const done = (next: (before: Omit<Loaded<Value>, "reload">) => Omit<Loaded<Value>, "reload">): void => {
      if (running.current !== job) return;
      running.current = null;
      setState(next);
      if (job.again) load();
    };
    ask<Value>(asked, job.stop.signal).then(
      (value) => done(() => ({ value, problem: null, loading: false, took: performance.now() - started })),
      (error: unknown) => {
        if (job.stop.signal.aborted) return;
        const problem = isProblem(error) ? error : { message: String(error), hint: "" };
        done((before) => ({ ...before, problem, loading: false }));
      },
    );
  }, []);
  useEffect(load, [path]);
  useEffect(() => () => running.current?.stop.abort(), []);
  return { ...state, reload: load };
}

/** Of the time, what asking again may take. */
const shareOfTime = 0.1;

/**
 * Calls `work` at once, then at most every `milliseconds` however often it is asked to, and less often where a reply takes
 * long: looking at a run must cost little, however large it is. The last call is never lost.
 * @param took how long the replies to `work` took last
 */
export function useThrottled(work: () => void, milliseconds: number, took = 0): () => void {
  const state = useRef<{ last: number; timer: ReturnType<typeof setTimeout> | null }>({ last: 0, timer: null });
  const latest = useRef(work);
  latest.current = work;
  const pause = useRef(0);
  pause.current = Math.max(milliseconds, took / shareOfTime);
  useEffect(() => () => clearTimeout(state.current.timer ?? undefined), []);
  return useCallback(() => {
    const own = state.current;
    if (own.timer !== null) return;
    const wait = Math.max(0, own.last + pause.current - performance.now());
    own.timer = setTimeout(() => {
      own.timer = null;
      own.last = performance.now();
      latest.current();
    }, wait);
  }, []);
}
