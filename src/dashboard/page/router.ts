// Addresses of views live behind the `#`: every view can be linked to, reloaded and gone back from, and the server knows
// none of them.
import { useEffect, useState } from "preact/hooks";

export interface Route {
  /** Parts of the path, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

function readRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const parts = path.split("/").filter((part) => part !== "");
  return { path: parts.map(decode), query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Someone typed it.
    return part;
  }
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => readRoute(location.hash));
  useEffect(() => {
    const changed = (): void => setRoute(readRoute(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** The address of a view. Values that are empty are left out. */
export function link(path: readonly (string | number)[], query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${path.map((part) => encodeURIComponent(part)).join("/")}${search === "" ? "" : `?${search}`}`;
}

export const runLink = (run: string): string => link(["run", run]);
export const stepLink = (run: string, step: number): string => link(["run", run, "step", step]);
export const questionLink = (run: string, step: number, position: number): string =>
  link(["run", run, "question", step, position]);
export const questionsLink = (run: string, query: Query = {}): string => link(["run", run, "questions"], query);

export function go(address: string): void {
  location.hash = address;
}

/** Changes the query of the view that is open, without a new entry in the history. */
export function replaceQuery(route: Route, query: Query): void {
  history.replaceState(null, "", link(route.path, query));
  dispatchEvent(new HashChangeEvent("hashchange"));
}
