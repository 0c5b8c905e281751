// One connection for everything that changes. It is let go while nobody looks, and taken up again with a `hello`, upon
// which views ask anew for what they show.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem, StoreChange } from "../api.ts";

export type Change =
  | Exclude<StoreChange, { type: "problem" }>
  | { readonly type: "hello"; readonly lastEvent: number | null };
type Connection = "connecting" | "live" | "lost";

interface LiveState {
  readonly connection: Connection;
  /** Why the store cannot be read. */
  readonly problem: Problem | null;
}

const listeners = new Set<(change: Change) => void>();
const watchers = new Set<(state: LiveState) => void>();
let state: LiveState = { connection: "connecting", problem: null };
let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;

function setState(change: Partial<LiveState>): void {
  state = { ...state, ...change };
  for (const watcher of watchers) watcher(state);
}

function connect(): void {
  clearTimeout(retry);
  source?.close();
  const own = new EventSource("/api/events");
  source = own;
  const on = <Data>(type: string, act: (data: Data) => void): void => {
    own.addEventListener(type, (event) => act(JSON.parse((event as MessageEvent<string>).data) as Data));
  };
  on<{ lastEvent: number | null }>("hello", ({ lastEvent }) => {
    setState({ connection: "live", ...(lastEvent === null ? {} : { problem: null }) });
    tell({ type: "hello", lastEvent });
  });
  for (const type of ["event", "crashed"] as const) on<Change>(type, tell);
  on("reset", () => {
    setState({ problem: null });
    tell({ type: "reset" });
  });
  on<Problem>("problem", (problem) => setState({ problem }));
  own.onerror = () => {
    setState({ connection: "lost" });
    // A browser gives up on some errors; we do not.
    own.close();
    clearTimeout(retry);
    retry = setTimeout(() => {
      if (source === own) connect();
    }, 1000);
  };
}

function tell(change: Change): void {
  for (const listener of listeners) listener(change);
}

/** Begins to listen. Called once. */
export function startLive(): void {
  connect();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(retry);
      source?.close();
      source = null;
    } else if (source === null) connect();
  });
}

export function useLive(): LiveState {
  const [own, setOwn] = useState(state);
  useEffect(() => {
    watchers.add(setOwn);
    setOwn(state);
    return () => {
      watchers.delete(setOwn);
    };
  }, []);
  return own;
}

/** Calls `act` with every change while the view is shown. */
export function useChanges(act: (change: Change) => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const listener = (change: Change): void => latest.current(change);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
}
