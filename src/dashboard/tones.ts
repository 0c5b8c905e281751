// The colours of pictures, on light and on dark ground, for the page and for reports. Lines are told apart also without
// colour: by their dashes, by the names at their ends and by the table that every picture has.

export interface Tones {
  /** Lines, in the order in which they are used. */
  readonly lines: readonly string[];
  /** Cells of grids from empty to full. */
  readonly cells: readonly [empty: string, full: string];
  readonly axis: string;
  readonly grid: string;
  readonly zone: string;
  readonly marks: Readonly<Record<MarkKind, string>>;
}

export type MarkKind = "evaluation" | "checkpoint" | "guard" | "anomaly" | "resumed";

export const tones: Readonly<Record<"light" | "dark", Tones>> = {
  light: {
    lines: ["#3451b2", "#c2410c", "#0f766e", "#a21caf", "#a16207", "#be123c", "#4d7c0f", "#475569"],
    cells: ["#eef1f8", "#22388f"],
    axis: "#5b6270",
    grid: "#e5e7ee",
    zone: "#0f766e",
    marks: { evaluation: "#8a92a6", checkpoint: "#b9bfcc", guard: "#c2410c", anomaly: "#be123c", resumed: "#a21caf" },
  },
  dark: {
    lines: ["#8ea6ff", "#ff9d5c", "#4fd1c0", "#e58cf2", "#eec04a", "#ff8198", "#a9d65c", "#a7b3c7"],
    cells: ["#1d2333", "#a9bbff"],
    axis: "#9aa3b5",
    grid: "#2a3040",
    zone: "#4fd1c0",
    marks: { evaluation: "#79839a", checkpoint: "#4d566b", guard: "#ff9d5c", anomaly: "#ff8198", resumed: "#e58cf2" },
  },
};

/** A colour between two `#rrggbb`, `share` of the way from `a` to `b`. */
export function mix(a: string, b: string, share: number): string {
  const channel = (at: number): string => {
    const [from, to] = [a, b].map((colour) => Number.parseInt(colour.slice(at, at + 2), 16));
    return Math.round(from + (to - from) * Math.min(1, Math.max(0, share)))
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(1)}${channel(3)}${channel(5)}`;
}
