import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ComparedRun, RunState, StepColumns } from "../../src/dashboard/api.ts";
import { comparePictures, compareTable, groupRuns } from "../../src/dashboard/compare-pictures.ts";
import { trendOf } from "../../src/dashboard/kind-trends.ts";
import { controlOf, noticesOf } from "../../src/dashboard/notices.ts";
import { formatValue, type LinePicture, numbersOf, plain } from "../../src/dashboard/pictures.ts";
import { runPictures } from "../../src/dashboard/run-pictures.ts";
import { drawLines, stackedTops, svgText, ticks, valueRange } from "../../src/dashboard/svg.ts";
import { mix, tones } from "../../src/dashboard/tones.ts";
import { openReader } from "../../src/store/queries.ts";
import { runState } from "../../src/store/view-runs.ts";
import { questionGrid, stepColumns } from "../../src/store/view-steps.ts";
import { hostileText, newFolder, recordRun, step, withoutTruth } from "./example-workspace.ts";

const number = fc.double({ noNaN: true, min: -1e9, max: 1e9 });
const column = (length: number) => fc.array(fc.option(number), { minLength: length, maxLength: length });
const picture = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.boolean()).chain(([length, stacked]) =>
  fc.array(column(length), { minLength: 1, maxLength: 5 }).map(
    (columns): LinePicture => ({
      kind: "lines",
      id: "any",
      title: hostileText,
      about: "",
      x: Array.from({ length }, (_, i) => i + 1),
      format: "number",
      range: null,
      stacked,
      dots: false,
      lines: columns.map((values, tone) => ({ name: `line ${tone} ${hostileText}`, values, tone })),
      zone: null,
    }),
  ),
);

describe("what a guard and a climb record", () => {
  const pictured = async (changed: (number: number) => Record<string, number>) => {
    const folder = newFolder();
    const record = (number: number) => {
      const plainStep = step(number);
      return { ...plainStep, metrics: { ...plainStep.metrics, ...changed(number) } };
    };
    const run = await recordRun(folder, { steps: 6, record });
    using reader = openReader(folder);
    const numbers = {
      state: runState(reader, run),
      steps: stepColumns(reader, run),
      difficulty: questionGrid(reader, run, "difficulty"),
      solveRate: questionGrid(reader, run, "solveRate"),
    };
    return runPictures(numbers).flatMap(({ pictures }) => pictures);
  };

  test("probes are drawn over the steps that looked at them", async () => {
    const pictures = await pictured((number) =>
      number % 2 === 0 ? { "probe.agreement": 0.9, "probe.restatementAgreement": number / 10, "probe.lost": 0 } : {},
    );
    const probes = pictures.find(({ id }) => id === "probes") as LinePicture;
    expect(probes.x).toEqual([2, 4, 6]);
    expect(probes.lines.map(({ name, values }) => [name, values])).toEqual([
      ["all forms agree", [0.2, 0.4, 0.6]],
      ["sure within a form", [0.9, 0.9, 0.9]],
      ["solved at first, now another winner", [0, 0, 0]],
    ]);
  });

  test("a frontier is drawn, and nothing of either where nothing is", async () => {
    const climbed = await pictured((number) => ({ climbFrontier: number }));
    expect((climbed.find(({ id }) => id === "climb") as LinePicture).lines[0].values).toEqual([1, 2, 3, 4, 5, 6]);
    const ids = (await pictured(() => ({}))).map(({ id }) => id);
    expect(ids).not.toContain("climb");
    expect(ids).not.toContain("probes");
  });
});

describe("drawings", () => {
  test("any numbers draw finite coordinates, and text in them is text", () => {
    fc.assert(
      fc.property(picture, (any) => {
        const svg = svgText(
          drawLines(any, [{ step: 2, kind: "guard", text: hostileText }], { width: 400, height: 200 }),
        );
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
        expect(svg).not.toContain("<script");
        expect(svg).not.toContain("<img");
      }),
    );
  });

  test("every value lies in the axis; stacks add up", () => {
    fc.assert(
      fc.property(picture, (any) => {
        const positive = {
          ...any,
          lines: any.lines.map((line) => ({ ...line, values: line.values.map((v) => v && Math.abs(v)) })),
        };
        const [low, high] = valueRange(positive);
        const shown = positive.stacked ? stackedTops(positive) : positive.lines.map(({ values }) => values);
        for (const value of shown.flat()) {
          if (value === null) continue;
          expect(value).toBeGreaterThanOrEqual(low);
          expect(value).toBeLessThanOrEqual(high);
        }
        const tops = stackedTops(positive).at(-1) ?? [];
        for (const [i, top] of tops.entries()) {
          if (top === null) continue;
          const sum = positive.lines.reduce((total, { values }) => total + (values[i] ?? 0), 0);
          expect(top).toBeCloseTo(sum, -3);
        }
      }),
    );
  });

  test("ticks are round and inside", () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(3, 3)).toEqual([3]);
    fc.assert(
      fc.property(number, fc.double({ noNaN: true, min: 1e-6, max: 1e6 }), (low, size) => {
        const found = ticks(low, low + size);
        expect(found.length).toBeLessThanOrEqual(12);
        for (const tick of found) {
          expect(tick).toBeGreaterThanOrEqual(low - 1e-6 * (Math.abs(low) + size));
          expect(tick).toBeLessThanOrEqual(low + size + 1e-6 * (Math.abs(low) + size));
        }
      }),
    );
  });

  test("values read as people write them; the table has every line", () => {
    expect(formatValue(0.25, "share")).toBe(".250");
    expect(formatValue(null, "share")).toBe("–");
    expect(formatValue(0.0042, "seconds")).toBe("4.2 ms");
    expect(formatValue(1.19e9, "bytes")).toBe("1.19 GB");
    expect(plain(0)).toBe("0");
    fc.assert(
      fc.property(picture, (any) => {
        const { header, rows } = numbersOf(any);
        expect(header).toHaveLength(any.lines.length + 1);
        expect(rows).toHaveLength(any.x.length);
      }),
    );
  });

  test("lines and marks stand out from their ground, on light and on dark", () => {
    // Relative luminance and contrast, WCAG 2.2; 3 is asked of what is no text.
    const luminance = (colour: string): number => {
      const [r, g, b] = [1, 3, 5].map((at) => {
        const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a: string, b: string): number => {
      const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
      return (light + 0.05) / (dark + 0.05);
    };
    for (const [theme, ground] of [
      ["light", "#ffffff"],
      ["dark", "#171c28"],
    ] as const) {
      for (const colour of tones[theme].lines) expect(contrast(colour, ground)).toBeGreaterThan(3);
      expect(contrast(tones[theme].axis, ground)).toBeGreaterThan(4.5);
    }
    expect(mix("#000000", "#ffffff", 0.5)).toBe("#808080");
  });
});

describe("pictures of a run", () => {
  async function numbersOfRun(options: Parameters<typeof recordRun>[1]) {
    const folder = newFolder();
    const run = await recordRun(folder, options);
    using reader = openReader(folder);
    return {
      state: runState(reader, run),
      steps: stepColumns(reader, run),
      difficulty: questionGrid(reader, run, "difficulty"),
      solveRate: questionGrid(reader, run, "solveRate"),
    };
  }
  const idsOf = (groups: ReturnType<typeof runPictures>): string[] =>
    groups.flatMap(({ pictures }) => pictures.map(({ id }) => id));

  test("show what was recorded, under questions that people ask", async () => {
    const numbers = await numbersOfRun({});
    const groups = runPictures(numbers);
    expect(groups[0].title).toBe("Is it learning?");
    expect(idsOf(groups)).toEqual(
      expect.arrayContaining(["held-out", "vote", "levels", "difficulty", "solve-rates", "signals", "time", "memory"]),
    );
    const heldOut = groups[0].pictures[0] as LinePicture;
    expect(heldOut.lines[0].low?.[0]).toBeLessThan(heldOut.lines[0].values[0] ?? 0);
    expect(idsOf(groups)).not.toContain("kl");
  });

  test("without truth say so, and draw nothing that would need it", async () => {
    const { state, ...numbers } = await numbersOfRun({ record: (n) => withoutTruth(step(n)) });
    // The example evaluates; a topic without a checker cannot.
    const blind = { ...state, evaluations: [], knowsTruth: false };
    const groups = runPictures({ state: blind, ...numbers });
    const vote = groups.flatMap(({ pictures }) => pictures).find(({ id }) => id === "vote") as LinePicture;
    expect(vote.title).toBe("Agreement");
    expect(vote.lines.map(({ name }) => name)).toEqual(["agreement"]);
    expect(vote.about).toContain("not known");
    expect(idsOf(groups)).not.toContain("levels");
    expect(
      noticesOf(blind)
        .map(({ text }) => text)
        .join(" "),
    ).toContain("nobody knows");
  });

  test("a control is shown as one", async () => {
    const { state } = await numbersOfRun({ trial: { experiment: "e", variant: "truth", control: "oracle" } });
    const [first] = noticesOf(state);
    expect(first).toMatchObject({ tone: "control" });
    expect(first.text).toContain("right by construction");
    const shuffled = await numbersOfRun({ trial: { experiment: "e", variant: "s", control: "shuffled-vote" } });
    expect(noticesOf(shuffled.state)[0].text).toContain("shuffled");
    const format = await numbersOfRun({ config: { solverReward: "format" } });
    expect(noticesOf(format.state)[0].text).toContain("teach nothing");
    const frozen = await numbersOfRun({ config: { proposerEvery: 0 } });
    expect(controlOf(frozen.state)).toBe("frozen proposer");
    expect(noticesOf(frozen.state)[0].text).toContain("change only as its weights learn to answer");
    const apart = await numbersOfRun({ config: { proposerEvery: 0, proposerWeights: "separate" } });
    expect(noticesOf(apart.state)[0].text).toContain("come from the starting model");
    // A topic in words is played like that by default.
    const words = { ...apart.state, config: { ...apart.state.config, topic: "plain:tides" } };
    expect(controlOf(words)).toBeNull();
    expect(noticesOf(words)[0]).toMatchObject({ tone: "note" });
  });
});

describe("runs side by side", () => {
  const columns = (values: readonly number[]): StepColumns => ({
    every: 1,
    steps: values.map((_, i) => i + 1),
    metrics: { agreement: values },
    counts: { proposals: [], questions: [], answers: [], trained: [], seconds: [] },
    stages: {},
    memoryBytes: [],
  });
  const level = (passAt1: number) => ({
    difficulty: 3,
    passAt1,
    passAt1Interval: [0, 1] as const,
    greedy: 0,
    majAt16: 0,
    questions: 9,
  });
  const compared = (run: string, variant: string, control: string | null, seed: number, after: number): ComparedRun => {
    const state = {
      run,
      status: "finished",
      config: { seed, threads: seed, solverReward: "majority", proposerEvery: 5, topic: "arithmetic" },
      trial: { experiment: "e", variant, control },
      evaluations: [
        { step: 0, levels: [level(0.5)] },
        { step: 2, levels: [level(after)] },
      ],
    };
    return { state: state as unknown as RunState, steps: columns([after, after / 2]) };
  };

  test("seeds of a variant are one line with its range; variants and controls stay apart", () => {
    const groups = groupRuns([
      compared("a1", "default", null, 1, 0.7),
      compared("b1", "truth", "oracle", 1, 0.9),
      compared("a2", "default", null, 2, 0.9),
    ]);
    expect(groups.map(({ name, runs }) => [name, runs.length])).toEqual([
      ["default", 2],
      ["truth (oracle)", 1],
    ]);
    const heldOut = comparePictures(groups)[0];
    expect(heldOut.lines[0].values).toEqual([0.5, 0.8]);
    expect([heldOut.lines[0].low?.[1], heldOut.lines[0].high?.[1]]).toEqual([0.7, 0.9]);
    expect(heldOut.lines[1]).toMatchObject({ dashed: true, values: [0.5, 0.9] });
    const table = compareTable(groups);
    expect(table.rows[0]).toEqual(["default", "3", "2", ".500", ".800 ± .141", "60 ± 28 %"]);
    expect(table.rows[1]).toEqual(["truth (oracle)", "3", "1", ".500", ".900", "80 %"]);
  });
});

test("a kind that is asked no more was given up, one that was not asked before was taken up", () => {
  const asked = [100, 100, 100, 100, 100, 100];
  expect(trendOf([50, 50, 20, 10, 0, 0], asked)).toBe("gave up");
  expect(trendOf([0, 0, 10, 20, 50, 50], asked)).toBe("took up");
  expect(trendOf([50, 50, 50, 50, 50, 50], asked)).toBe("steady");
  expect(trendOf([50, 50, 50, 50, 20, 20], asked)).toBe("less");
  // Shares count, not numbers.
  expect(trendOf([50, 50, 50, 50, 10, 10], [100, 100, 100, 100, 20, 20])).toBe("steady");
  // A handful says nothing.
  expect(trendOf([5, 5, 5, 5, 0, 0], asked)).toBe("few");
  expect(trendOf([], [])).toBe("few");
});
