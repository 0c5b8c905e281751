// Light, dark, or as the machine has it. Colours of pictures come from tones.ts, since a canvas must be told them.
import { useEffect, useState } from "preact/hooks";
import { cellShades } from "../svg.ts";
import { mix, type Tones, tones } from "../tones.ts";

export type Theme = "auto" | "light" | "dark";

const dark = matchMedia("(prefers-color-scheme: dark)");
const key = "sqlm-theme";
const watchers = new Set<() => void>();

export function chosenTheme(): Theme {
  try {
    const stored = localStorage.getItem(key);
    return stored === "light" || stored === "dark" ? stored : "auto";
  } catch {
    return "auto";
  }
}

function shownTheme(): "light" | "dark" {
  const chosen = chosenTheme();
  if (chosen !== "auto") return chosen;
  return dark.matches ? "dark" : "light";
}

export function chooseTheme(theme: Theme): void {
  try {
    localStorage.setItem(key, theme);
  } catch {
    // A browser that keeps nothing shows it until it is reloaded.
  }
  applyTheme();
}

/** Sets the theme's colours on the page. */
export function applyTheme(): void {
  const root = document.documentElement;
  const shown = shownTheme();
  root.dataset["theme"] = shown;
  const { lines, cells, axis, grid, zone, marks } = tones[shown];
  const set = (name: string, value: string): void => root.style.setProperty(`--${name}`, value);
  for (const [i, colour] of lines.entries()) set(`tone-${i}`, colour);
  for (let i = 0; i < cellShades; i++) set(`shade-${i}`, mix(cells[0], cells[1], i / (cellShades - 1)));
  set("chart-axis", axis);
  set("chart-grid", grid);
  set("chart-zone", zone);
  for (const [kind, colour] of Object.entries(marks)) set(`mark-${kind}`, colour);
  for (const watcher of watchers) watcher();
}

dark.addEventListener("change", applyTheme);

export function useTones(): Tones {
  const [shown, setShown] = useState(shownTheme);
  useEffect(() => {
    const watcher = (): void => setShown(shownTheme());
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
    };
  }, []);
  return tones[shown];
}
