// A server that is killed in the middle of a step and started again: the run goes on by itself, with the weights that it would have
// had, or stops and says how it goes on.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { projectParts } from "../../../src/cli/parts.ts";
import { playRun } from "../../../src/cli/play-run.ts";
import { type RunConfig, runConfigSchema } from "../../../src/config/config.ts";
import { RunStoppedError } from "../../../src/errors.ts";
import type { RunEvent } from "../../../src/events.ts";
import { findModel } from "../../../src/model/find-model.ts";
import { openReader, runOverview } from "../../../src/store/queries.ts";
import { openWorkspace } from "../../../src/store/workspace.ts";
import { type KillOptions, openKilledServer } from "./killed-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlm-recovery-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = findModel({ model: "arithmetic" });
let count = 0;

interface Played {
  readonly events: readonly RunEvent[];
  readonly error: unknown;
  /** The adapter of the last checkpoint, and the proposer's where it has one. */
  readonly adapters: readonly Buffer[];
  readonly kills: number;
  readonly work: string;
}

/** Plays three steps against a server that is killed as `kill` says. */
async function play(kill: KillOptions["kill"], change: Partial<RunConfig>, lostSaves = false): Promise<Played> {
  const number = ++count;
  const saves = [join(folder, `saves-${number}`), ...(lostSaves ? [join(folder, `empty-${number}`)] : [])];
  await using server = await openKilledServer({ model, saves, kill });
  const work = join(folder, `work-${number}`);
  const events: RunEvent[] = [];
  let error: unknown = null;
  {
    await using workspace = openWorkspace(work);
    const config = runConfigSchema.parse({
      topic: "arithmetic",
      engine: "tinker",
      model: "tiny",
      tokenizer: model,
      baseUrl: server.url,
      steps: 3,
      groupsPerBatch: 4,
      groupSize: 4,
      evalQuestions: 1,
      evalEvery: 0,
      learningRate: 1e-2,
      learningRateSchedule: "constant",
      warmupSteps: 0,
      minAgreement: 0,
      consistentVote: false,
      proposerReward: "variance",
      proposerEvery: 1,
      saveEvery: 1,
      seed: 5,
      ...change,
    });
    const signal = new AbortController().signal;
    const onEvent = (event: RunEvent): unknown => events.push(event);
    try {
      await playRun({ parts: projectParts, workspace, signal, onEvent, run: { config, name: "run" } });
    } catch (thrown) {
      error = thrown;
    }
  }
  const last = events.findLast((event) => event.type === "checkpoint-saved");
  const adapterIn = (at: string): Buffer => readFileSync(join(at, "adapter_model.safetensors"));
  const parts = change.proposerWeights === "separate" ? ["", "proposer"] : [""];
  const adapters = last === undefined || error !== null ? [] : parts.map((part) => adapterIn(join(last.folder, part)));
  return { events, error, adapters, kills: server.kills, work };
}

const noticesOf = (events: readonly RunEvent[]): string[] =>
  events.flatMap((event) => (event.type === "anomaly" && event.kind === "session-lost" ? [event.message] : []));

/** A step as it is recorded, without what a clock said. */
const steps = ({ work }: Played): unknown => {
  using reader = openReader(work);
  const { totals, lastStep, status } = runOverview(reader, "run");
  const { seconds: _, ...counted } = totals;
  return { counted, lastStep, status };
};

const never: KillOptions["kill"] = () => null;

test("killed before an update and after another: the same weights, and the record of a run that was not", async () => {
  const undisturbed = await play(never, {});
  expect(undisturbed.error).toBeNull();
  // The second update never arrives; the third is carried out and nobody hears of it.
  const killed = await play(
    (path, number) =>
      path === "optim_step" && number === 2 ? "before" : path === "optim_step" && number === 4 ? "after" : null,
    {},
  );
  expect(killed.error).toBeNull();
  expect(killed.kills).toBe(2);
  expect(noticesOf(killed.events)).toHaveLength(2);
  expect(noticesOf(killed.events)[0]).toMatch(
    /no longer knows|failed.*Going on from the weights of step 1: what was under way of step 2 is played again/,
  );
  expect(killed.adapters[0]!.equals(undisturbed.adapters[0]!)).toBe(true);
  expect(steps(killed)).toEqual(steps(undisturbed));
}, 300_000);

test("with separate weights, killed while it samples, two steps behind the last save", async () => {
  const change = { proposerWeights: "separate", saveEvery: 3, steps: 4 } as const;
  let samples = 0;
  const undisturbed = await play((path) => (path === "asample" && ++samples < 0 ? "before" : null), change);
  expect(undisturbed.adapters).toHaveLength(2);
  const at = Math.floor(samples * 0.6);
  samples = 0;
  const killed = await play((path) => (path === "asample" && ++samples === at ? "before" : null), change);
  expect(killed.error).toBeNull();
  expect(killed.kills).toBe(1);
  expect(noticesOf(killed.events)[0]).toMatch(/Begun again from the start: steps 1 to \d and what was under way/);
  for (const [i, adapter] of killed.adapters.entries()) expect(adapter.equals(undisturbed.adapters[i]!)).toBe(true);
  expect(steps(killed)).toEqual(steps(undisturbed));
}, 300_000);

test("a server that has lost what it had saved: stops, and says how it goes on", async () => {
  const { error, events, work } = await play(
    (path, number) => (path === "optim_step" && number === 2 ? "before" : null),
    {},
    true,
  );
  expect(error).toBeInstanceOf(RunStoppedError);
  expect(error).toMatchObject({
    message: expect.stringMatching(/does not give the weights of this checkpoint \(tinker:.*no saved weights/),
    hint: expect.stringContaining("sqlm resume RUN"),
  });
  expect(events.at(-1)).toMatchObject({ type: "run-end", reason: "stopped", step: 1 });
  using reader = openReader(work);
  expect(runOverview(reader, "run")).toMatchObject({ status: "stopped", lastStep: 1 });
}, 300_000);

test("a server that loses every step: is not asked for ever", async () => {
  let armed = false;
  const kill: KillOptions["kill"] = (path) => {
    if (path === "create_model") armed = true;
    if (path !== "optim_step" || !armed) return null;
    armed = false;
    return "before";
  };
  const { error, kills, events } = await play(kill, {});
  expect(error).toBeInstanceOf(RunStoppedError);
  expect(kills).toBe(4);
  expect(events.at(-1)).toMatchObject({ type: "run-end", reason: "stopped" });
}, 300_000);
