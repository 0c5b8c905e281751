// A server's metrics over several requests: as `combine_fwd_bwd_output_results` of the official SDK (0.38) merges them; the figures
// below are what it gave.
import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeMetrics, recordedMetrics } from "../../../src/engine/tinker/client/metrics.ts";

const part = (data: number, metrics: Record<string, number>) => ({ outputs: Array(data).fill({}), metrics });
const parts = [
  part(3, {
    ...{ "loss:sum": 1.5, "lr:mean": 2, "a:min": 4, "b:max": -1, "c:slack": 1, "h:hash2": 1.844674407370955e19 },
    ...{ "i:unique": 7, "n:later": 1, "only:sum": 1 },
  }),
  part(1, {
    ...{ "loss:sum": -0.25, "lr:mean": 6, "a:min": 3, "b:max": -2, "c:slack": 3, "h:hash2": 4096 },
    ...{ "i:unique": 8, "n:later": 2 },
  }),
  part(2, {
    ...{ "loss:sum": 0.5, "lr:mean": 1, "a:min": 9, "b:max": 5, "c:slack": 2, "h:hash2": -1 },
    ...{ "i:unique": 7, "n:later": 2 },
  }),
];

test("are merged by their reduction", () => {
  const merged = mergeMetrics(parts);
  expect(merged["lr:mean"]).toBeCloseTo(2.3333333333333335, 14);
  expect(merged["c:slack"]).toBeCloseTo(1.3333333333333333, 14);
  expect(merged).toEqual({
    ...{ "loss:sum": 1.75, "lr:mean": merged["lr:mean"], "a:min": 3, "b:max": 5, "c:slack": merged["c:slack"] },
    ...{ "h:hash2": 2047, "i:unique": 7, "i:unique_1": 8, "i:unique_2": 7 },
  });
});

test("of one request they stay as they are, named as the protocol has it or not", () => {
  const metrics = { loss: 1, "a:b:c": 2, "n:later": 3 };
  expect(mergeMetrics([part(2, metrics)])).toEqual(metrics);
  expect(mergeMetrics([part(2, metrics), part(1, metrics)])).toEqual({});
  expect(mergeMetrics([])).toEqual({});
});

test("cut anywhere, sums, means, least and largest are those of the whole", () => {
  const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(values, fc.array(fc.nat(30)), (data, cuts) => {
      const ends = [...new Set([...cuts.map((cut) => cut % data.length), data.length])].sort((a, b) => a - b);
      const chunks = ends.map((end, i) => data.slice(ends[i - 1] ?? 0, end)).filter(({ length }) => length > 0);
      const of = (chunk: readonly number[]) => {
        const sum = chunk.reduce((total, value) => total + value, 0);
        const [min, max] = [Math.min(...chunk), Math.max(...chunk)];
        return part(chunk.length, { "s:sum": sum, "m:mean": sum / chunk.length, "l:min": min, "h:max": max });
      };
      const merged = mergeMetrics(chunks.map(of));
      const whole = of(data).metrics;
      expect(merged["m:mean"]).toBeCloseTo(whole["m:mean"]!, 9);
      expect({ ...merged, "m:mean": 0 }).toEqual({ ...whole, "m:mean": 0 });
    }),
  );
});

test("what is recorded are numbers with a plain name, and not too many", () => {
  const odd = {
    "loss:sum": 1,
    "mfu:slack": 2,
    "h:hash2": 3,
    "i:unique": 4,
    "nan:sum": Number.NaN,
    "a b:sum": 5,
    loss: 6,
  };
  expect(recordedMetrics(odd)).toEqual({ "server.loss": 6, "server.mfu.slack": 2 });
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`m${i}:sum`, i]));
  expect(Object.keys(recordedMetrics(many))).toHaveLength(32);
});
