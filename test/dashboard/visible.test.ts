import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { visible, visibleLine, visibleParts } from "../../src/dashboard/visible.ts";
import { hostileText } from "./example-workspace.ts";

/** What does something else than show, line feeds aside. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|[\ud800-\udfff]/u;

describe("text that a model wrote", () => {
  test("has no character left that moves a cursor, turns the text or cannot be seen", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        expect(visible(text).replaceAll("\n", "")).not.toMatch(invisible);
      }),
    );
    expect(visible(hostileText)).not.toMatch(invisible);
  });

  test("keeps what can be seen, in order", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab1<&漢é😀 \n") }), (text) => {
        expect(visible(text)).toBe(text);
      }),
    );
    const parts = visibleParts("a\u202eb\u001b");
    expect(parts.map(({ text }) => text)).toEqual(["a", "⟨U+202E⟩", "b", "⟨ESC⟩"]);
    expect(parts[1].name).toContain("right-to-left override");
    expect(parts[3].name).toContain("commands a terminal");
  });

  test("as one line is one line, and no longer than asked", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.integer({ min: 1, max: 50 }), (text, width) => {
        const line = visibleLine(text, width);
        expect([...line].length).toBeLessThanOrEqual(width);
        expect(line).not.toContain("\n");
      }),
    );
    expect(visibleLine("123456", 4)).toBe("123…");
    expect(visibleLine("x".repeat(1e6), 10)).toBe("xxxxxxxxx…");
  });
});
