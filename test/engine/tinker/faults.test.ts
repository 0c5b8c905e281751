// What goes wrong between client and server: retries, doubt, and runs that end as they would have without.
import { describe, expect, it } from "vitest";
import { likeSkyrl, playOverFaults, type ServerChange } from "./fault-run.ts";

describe("faults on the line", () => {
  const servers: [string, ServerChange][] = [
    ["our own", {}],
    ["one that saves by name, as SkyRL", likeSkyrl],
    ["one that tells in batches what is done", { config: { sample_use_retrieve_futures: true } }],
  ];
  it.each(servers)(
    "change nothing with a server such as %s: the same samples and weights, every update once",
    async (_, server) => {
      const quiet = await playOverFaults({ steps: 3, often: 0, server });
      const loud = await playOverFaults({ steps: 3, often: 0.35, server });
      expect(quiet.total).toBe(0);
      expect(loud.total).toBeGreaterThan(12);
      expect(loud.outcome).toEqual(quiet.outcome);
      expect(loud.updates).toHaveLength(3);
      expect(new Set(loud.updates).size).toBe(3);
    },
  );
});
