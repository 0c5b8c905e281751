// A thousand faults over a run: the same samples and weights as without one, no update lost or done twice.
import { expect, it } from "vitest";
import { likeSkyrl, playOverFaults, type ServerChange } from "./fault-run.ts";

const steps = 150;
const servers: [string, ServerChange][] = [
  ["our own", {}],
  ["one that saves by name, as SkyRL", likeSkyrl],
];

it.each(servers)("1,000 faults with a server such as %s", async (_, server) => {
  const quiet = await playOverFaults({ steps, often: 0, server });
  const loud = await playOverFaults({ steps, often: 0.4, server });
  console.log(`${loud.total} faults:`, loud.faults);
  expect(loud.total).toBeGreaterThanOrEqual(1000);
  expect(loud.outcome).toEqual(quiet.outcome);
  expect(loud.updates).toHaveLength(steps);
  expect(new Set(loud.updates).size).toBe(steps);
});
