import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnswerRequest, answerLines, type JsonLinesOptions } from "../../src/cli/json-lines.ts";

/** The answers to these bytes, given in these pieces. */
async function answers(
  pieces: Iterable<Uint8Array>,
  answer: AnswerRequest,
  options?: JsonLinesOptions,
): Promise<unknown[]> {
  const lines: string[] = [];
  async function* input(): AsyncGenerator<Uint8Array> {
    yield* pieces;
  }
  await answerLines(input(), (line) => void lines.push(line), answer, options);
  return lines.map((line) => JSON.parse(line) as unknown);
}

const echo: AnswerRequest = (request) => ({ got: request["n"] });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("JSON lines", () => {
  test("one answer a line, in order, however the bytes are cut and however long answers take", async () => {
    const values = fc.array(
      fc.oneof(fc.integer(), fc.string({ unit: fc.constantFrom("a", "\n", "\u2028", "é", "𝄞", '"') })),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(
        values,
        fc.array(fc.nat({ max: 40 })),
        fc.integer({ min: 1, max: 4 }),
        async (ns, cuts, concurrency) => {
          const whole = bytes(ns.map((n) => `${JSON.stringify({ n })}\n`).join(""));
          const pieces: Uint8Array[] = [];
          let start = 0;
          for (const cut of cuts) {
            pieces.push(whole.subarray(start, start + cut));
            start += cut;
          }
          pieces.push(whole.subarray(start));
          const slow: AnswerRequest = async ({ n }) => {
            if (typeof n === "number" && n % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
            return { got: n };
          };
          expect(await answers(pieces, slow, { concurrency })).toEqual(ns.map((got) => ({ got })));
        },
      ),
    );
  });

  test("what is no request gets an answer with the reason, and the next line is read", async () => {
    const text = '{"n":1}\n\n[1]\nnull\n{"n":\n"x"\n{"n":2}';
    expect(await answers([bytes(text)], echo)).toEqual([
      { got: 1 },
      { error: expect.stringContaining("not JSON") },
      { error: "the line is not a JSON object" },
      { error: "the line is not a JSON object" },
      { error: expect.stringContaining("not JSON") },
      { error: "the line is not a JSON object" },
      { got: 2 },
    ]);
  });

  test("line separators inside of strings do not end a line", async () => {
    expect(await answers([bytes('{"n":"a\u2028b\u2029c"}\r\n')], echo)).toEqual([{ got: "a\u2028b\u2029c" }]);
  });

  test("invalid UTF-8 and lines that are too long are refused", async () => {
    const long = bytes(`{"n":"${"x".repeat(100)}"}\n{"n":3}\n`);
    const broken = Uint8Array.of(0xff, 0xfe, 10);
    expect(await answers([broken, long.subarray(0, 60), long.subarray(60)], echo, { maxBytes: 50 })).toEqual([
      { error: "the line is not valid UTF-8" },
      { error: "the line is longer than 50 bytes" },
      { got: 3 },
    ]);
  });

  test("an answer that throws is an answer with the reason", async () => {
    const fails: AnswerRequest = () => {
      throw new Error("the sandbox broke");
    };
    expect(await answers([bytes("{}\n{}\n")], fails)).toEqual([
      { error: "the sandbox broke" },
      { error: "the sandbox broke" },
    ]);
  });

  test("an answer is written before the next request comes", async () => {
    const written: string[] = [];
    async function* client(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 3; n++) {
        yield bytes(`{"n":${n}}\n`);
        // A client that waits for its answer; it would wait for ever if answers came at the end.
        while (written.length <= n) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await answerLines(client(), (line) => void written.push(line), echo, { concurrency: 2 });
    expect(written).toEqual(['{"got":0}', '{"got":1}', '{"got":2}']);
  });

  test("no more requests are in work at once than asked for", async () => {
    let inWork = 0;
    let most = 0;
    const count: AnswerRequest = async () => {
      most = Math.max(most, ++inWork);
      await new Promise((resolve) => setImmediate(resolve));
      inWork--;
      return {};
    };
    await answers([bytes("{}\n".repeat(20))], count, { concurrency: 3 });
    expect(most).toBe(3);
  });

  test("a failed write ends the work with its error", async () => {
    const input = (async function* () {
      yield bytes("{}\n{}\n{}\n");
    })();
    const write = async (): Promise<void> => {
      throw new Error("nobody listens");
    };
    await expect(answerLines(input, write, echo)).rejects.toThrow("nobody listens");
  });
});
