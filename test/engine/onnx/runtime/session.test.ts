// Claims of sessions: outputs are written where they were asked for and copied nowhere else, and what goes wrong in a graph is told.
import { expect, test } from "vitest";
import { Graph } from "../../../../src/engine/onnx/graph/graph.ts";
import { add } from "../../../../src/engine/onnx/graph/operators.ts";
import { createSession, float32Data, float32Tensor } from "../../../../src/engine/onnx/runtime/runtime.ts";

/** `sum` = a + b and `twice` = a + a, of `n` values. */
async function sums(n: number) {
  const graph = Graph.create();
  const [a, b] = [graph.input("a", [n]), graph.input("b", [n])];
  graph.output("sum", add(a, b));
  graph.output("twice", add(a, a));
  return createSession(graph, { threads: 1 });
}
const filled = (n: number, value: number) => float32Tensor([n], new Float32Array(n).fill(value));

test("bound outputs are written in place, only those that were asked for, and may be feeds", async () => {
  const session = await sums(3);
  const [a, b] = [filled(3, 1), filled(3, 10)];
  const outputs = { sum: a };
  for (let i = 0; i < 3; i++) expect(await session.run({ a, b }, outputs)).toBe(outputs);
  expect([...float32Data(a)]).toEqual([31, 31, 31]);
  await session.dispose();
});

test("outputs by name, and all of them, are new tensors and no more than those", async () => {
  const session = await sums(2);
  const feeds = { a: filled(2, 1), b: filled(2, 2) };
  const named = await session.run(feeds, ["twice"]);
  expect(Object.keys(named)).toEqual(["twice"]);
  const all = await session.run(feeds);
  expect(Object.keys(all).sort()).toEqual(["sum", "twice"]);
  expect([...float32Data(all["sum"])]).toEqual([3, 3]);
  await session.dispose();
});

test("a bound output is not copied", async () => {
  const n = 2 ** 22;
  const session = await sums(n);
  const [a, b, sum] = [filled(n, 1), filled(n, 2), filled(n, 0)];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 4; i++) await session.run({ a, b }, { sum });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * n);
  expect(float32Data(sum)[n - 1]).toBe(3);
  await session.dispose();
});

test("an error of the runtime is thrown, with bound outputs as well", async () => {
  const session = await sums(3);
  const wrong = { a: filled(4, 1), b: filled(3, 1) };
  await expect(session.run(wrong, { sum: filled(3, 0) })).rejects.toThrow(/Got: 4 Expected: 3/);
  await expect(session.run(wrong)).rejects.toThrow(/Got: 4 Expected: 3/);
  await session.dispose();
});
