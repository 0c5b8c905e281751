import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bar,
  formatBytes,
  formatDuration,
  formatShare,
  formatTable,
  oneLine,
  sparkline,
} from "../../src/cli/format.ts";

// Any code points. (The library's own arbitrary for them takes seconds to set up.)
const anyText = fc.array(fc.integer({ min: 0, max: 0x10ffff })).map((points) => String.fromCodePoint(...points));

describe("text for terminals", () => {
  test("no text of a model can break a line, move the cursor or exceed its width", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 50 }), (text, width) => {
        const line = oneLine(text, width);
        expect([...line].length).toBeLessThanOrEqual(width);
        expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      }),
    );
    expect(oneLine("\u001b[31mred\u202e\n now", 40)).toBe("[31mred now");
  });

  test("tables line up, numbers to the right", () => {
    expect(
      formatTable(
        ["name", "votes"],
        [
          ["975", "16"],
          ["a", "3"],
        ],
      ),
    ).toBe(["name  votes", "────  ─────", "975      16", "a         3"].join("\n"));
    expect(formatTable(["empty"], [])).toBe("empty\n─────");
  });

  test("no line of a table is longer than it may be, and where it may be long nothing is cut", () => {
    const cell = fc.oneof(
      fc.constantFrom(
        "",
        "1",
        ".250",
        "a-rather-long-name-without-any-space",
        "some words of a sentence, and more words",
      ),
      anyText.map((text) => oneLine(text, 100)),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }),
        fc.integer({ min: 12, max: 120 }),
        (rows, columns) => {
          const header = ["a", "second", "errors gone"];
          const lines = formatTable(header, rows, columns).split("\n");
          if (rows.length > 0) expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
          expect(formatTable(header, rows, 1000)).toBe(formatTable(header, rows));
        },
      ),
    );
  });

  test("a table that does not fit has its prose cut, or a line a cell", () => {
    const rows = [["run-20261127", "all of the words that were said of it"]];
    expect(formatTable(["run", "what was said"], rows, 36)).toBe(
      "run           what was said\n────────────  ──────────────────────\nrun-20261127  all of the words that…",
    );
    expect(formatTable(["run", "said"], rows, 20)).toBe(
      "run   run-20261127\nsaid  all of the\n      words that\n      were said of\n      it",
    );
  });

  test("sparklines have a character a value, or fewer, and gaps where there is no number", () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe("▁▂▃▄▅▆▇█");
    expect(sparkline([1, Number.NaN, 1])).toBe("▄ ▄");
    expect(sparkline([])).toBe("");
    fc.assert(
      fc.property(fc.array(fc.double()), fc.integer({ min: 1, max: 30 }), (values, width) => {
        const line = sparkline(values, width);
        expect(line).toHaveLength(Math.min(values.length, width));
        expect(line).toMatch(/^[ ▁▂▃▄▅▆▇█]*$/);
      }),
    );
  });

  test("numbers", () => {
    expect([0.8344, 0, 1, -0.5, null, Number.NaN].map(formatShare)).toEqual([
      ".834",
      ".000",
      "1.000",
      "-.500",
      "-",
      "-",
    ]);
    expect([0.4, 59.6, 200, 7500].map(formatDuration)).toEqual(["0 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]);
    expect([0, 512, 999_999, 3_400_000].map(formatBytes)).toEqual(["0 B", "512 B", "1 MB", "3.4 MB"]);
    expect([-1, 0, 0.5, 2].map((share) => bar(share, 4))).toEqual(["░░░░", "░░░░", "██░░", "████"]);
  });
});
