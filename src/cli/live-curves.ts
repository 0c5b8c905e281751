// The live picture in a terminal: how often labels are right, how hard the questions are and how far votes agree, as small
// curves beside the number of the step. Pure, but for what it remembers.
import type { StepRecord } from "../events.ts";
import { formatShare, sparkline } from "./format.ts";

interface Curve {
  readonly name: string;
  readonly metric: string;
  readonly format: (value: number) => string;
}

// In the order in which they are left out last. What nobody knows (labels, where a topic has no checker) is not drawn.
const curves: readonly Curve[] = [
  { name: "labels right", metric: "labelAccuracy", format: formatShare },
  { name: "agreement", metric: "agreement", format: formatShare },
  { name: "difficulty", metric: "difficulty", format: (value) => value.toFixed(2) },
];

/** Narrowest and widest curve, in characters. */
const widths = { least: 6, most: 24 };

export interface LiveCurves {
  add(record: Pick<StepRecord, "metrics">): void;
  /** `start` and as many curves as fit on one line of a terminal of this width. */
  line(start: string, columns: number): string;
}

export function liveCurves(): LiveCurves {
  const values = new Map<string, number[]>();
  return {
    add: ({ metrics }) => {
      for (const { metric } of curves) {
        const value = metrics[metric];
        if (value === undefined) continue;
        values.set(metric, [...(values.get(metric) ?? []), value]);
      }
    },
    line: (start, columns) => {
      const known = curves.flatMap(({ name, metric, format }) => {
        const own = values.get(metric) ?? [];
        const last = own.at(-1);
        return last === undefined ? [] : [{ name, own, value: format(last) }];
      });
      for (let shown = known.length; shown > 0; shown--) {
        const parts = known.slice(0, shown);
        // One column stays free: a full line would make some terminals scroll.
        const words = parts.reduce((sum, { name, value }) => sum + name.length + value.length + 4, start.length);
        const width = Math.min(widths.most, Math.floor((columns - 1 - words) / shown));
        if (width < widths.least) continue;
        return [start, ...parts.map(({ name, own, value }) => `${name} ${sparkline(own, width)} ${value}`)].join("  ");
      }
      return start;
    },
  };
}
