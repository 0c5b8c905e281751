// Saved weights: found by the next server, gone on from, taken home, removed.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unpackTar } from "modern-tar";
import { describe, expect, test } from "vitest";
import { Saves } from "../../../src/engine/tinker/server/saves.ts";
import { newFolder, served } from "./served.ts";

interface Saved {
  readonly path: string;
}

async function trained(server: ReturnType<typeof served>, updates: number) {
  const { session, id } = await server.model();
  for (let update = 1; update <= updates; update++) await server.done("optim_step", { model_id: id, seq_id: update });
  return { session, id, next: updates + 1 };
}

const stepOf = async (server: ReturnType<typeof served>, model_id: string): Promise<number> =>
  (await server.done<{ metrics: { step: number } }>("optim_step", { model_id })).metrics.step;

describe("saved weights", () => {
  test("are gone on from by the next server, into a new model or one that the load makes", async () => {
    const folder = newFolder();
    const first = served({ folder });
    const { id, next } = await trained(first, 3);
    const { path } = await first.done<Saved>("save_weights", { model_id: id, seq_id: next, path: "here" });
    expect(path).toBe(`tinker://${id}/weights/here`);
    await first.service[Symbol.asyncDispose]();

    const second = served({ folder });
    expect((await second.post("weights_info", { tinker_path: path })).body).toMatchObject({ base_model: "tiny" });
    const made = await second.model();
    await second.done("load_weights", { model_id: made.id, seq_id: 1, path, optimizer: true });
    expect(await stepOf(second, made.id)).toBe(4);
    const session_id = await second.session();
    const loaded = await second.done<{ model_id: string }>("load_weights", {
      session_id,
      model_seq_id: 5,
      path,
      optimizer: false,
    });
    expect(loaded.model_id).toBe(`${session_id}:train:5`);
    // A fresh optimizer counts from the start.
    expect(await stepOf(second, loaded.model_id)).toBe(1);
  });

  test("for sampling have no optimizer to go on with", async () => {
    const server = served();
    const { id, next } = await trained(server, 1);
    const { path } = await server.done<Saved>("save_weights_for_sampler", { model_id: id, seq_id: next, path: "s" });
    const other = await server.model();
    expect(await server.done("load_weights", { model_id: other.id, seq_id: 1, path, optimizer: true })).toMatchObject({
      category: "user",
      error: expect.stringContaining("no optimizer state"),
    });
    await server.done("load_weights", { model_id: other.id, seq_id: 2, path, optimizer: false });
    expect(await stepOf(server, other.id)).toBe(1);
  });

  test("have names that lead nowhere else, are written over when that is asked for, and end with their time", async () => {
    const server = served();
    const { id } = await server.model();
    let seq_id = 0;
    const save = (more: object) => server.done<Saved>("save_weights", { model_id: id, seq_id: ++seq_id, ...more });
    for (const path of ["../out", "a/b", "", ".hidden", "a:b", "x".repeat(200)]) {
      expect(await save({ path }), path).toMatchObject({
        category: "user",
        error: expect.stringContaining("cannot be the name"),
      });
    }
    await save({ path: "a" });
    expect(await save({ path: "a" })).toMatchObject({ category: "user" });
    await save({ path: "a", overwrite: true });
    expect((await save({})).path).toBe(`tinker://${id}/weights/checkpoint-${seq_id}`);
    await save({ path: "short", ttl_seconds: 0 });
    const { body } = await server.get<{ checkpoints: { checkpoint_id: string }[] }>(`training_runs/${id}/checkpoints`);
    expect(body.checkpoints.map(({ checkpoint_id }) => checkpoint_id)).toEqual([
      "weights/a",
      expect.stringContaining("weights/checkpoint-"),
    ]);
    expect(await server.post("weights_info", { tinker_path: `tinker://${id}/weights/short` })).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining("their time is over") },
    });
  });

  test("are listed by run and removed", async () => {
    const server = served();
    const { id, next } = await trained(server, 1);
    await server.done("save_weights", { model_id: id, seq_id: next, path: "a" });
    await server.done("save_weights_for_sampler", { model_id: id, seq_id: next + 1, path: "b" });
    const runs = await server.get<{ training_runs: object[] }>("training_runs?limit=5&offset=0");
    expect(runs.body.training_runs).toMatchObject([
      {
        training_run_id: id,
        base_model: "tiny",
        last_checkpoint: { checkpoint_id: "weights/a", checkpoint_type: "training" },
      },
    ]);
    expect((await server.get("training_runs/none")).status).toBe(404);
    expect((await server.get("training_runs?limit=x")).status).toBe(400);
    const all = async () => (await server.get<{ checkpoints: object[] }>("checkpoints")).body.checkpoints.length;
    expect(await all()).toBe(2);
    expect((await server.send("DELETE", `training_runs/${id}/checkpoints/weights/a`)).status).toBe(204);
    expect((await server.send("DELETE", `training_runs/${id}/checkpoints/weights/a`)).status).toBe(404);
    expect(await all()).toBe(1);
  });

  test("are taken home as a tar, or file by file, without the optimizer's state", async () => {
    const server = served({ key: "tml-0123456789abcdef" });
    const { id, next } = await trained(server, 2);
    const save = await server.done<Saved & { size_bytes: number }>("save_weights_external", {
      model_id: id,
      seq_id: next,
      path: "home",
    });
    expect(save.size_bytes).toBeGreaterThan(0);
    // What the engine's own files stand beside.
    const { folder } = server.service.saves.find(save.path);
    writeFileSync(join(folder, "optimizer.safetensors"), "moments");
    writeFileSync(join(folder, "weights.bin"), "w".repeat(100_000));
    const at = `training_runs/${id}/checkpoints/external_weights/home`;
    const archive = await server.get<{ url: string; expires: string }>(`${at}/archive`);
    expect(Date.parse(archive.body.expires)).toBeGreaterThan(Date.now());
    // Fetched without the key.
    const get = (url: string) => server.send("GET", new URL(url).pathname, undefined, { "x-api-key": "" });
    const entries = await unpackTar(await (await get(archive.body.url)).arrayBuffer());
    expect(entries.map(({ header }) => header.name).sort()).toEqual([
      "checkpoint_complete",
      "scripted.json",
      "weights.bin",
    ]);
    expect(entries.find(({ header }) => header.name === "weights.bin")?.data).toHaveLength(100_000);
    const { body } = await server.get<{ urls: Record<string, string> }>(`${at}/external_weights_urls`);
    expect(Object.keys(body.urls).sort()).toEqual(["scripted.json", "weights.bin"]);
    expect(await (await get(body.urls["weights.bin"])).text()).toHaveLength(100_000);
    expect((await get("http://x/api/v1/downloads/none")).status).toBe(410);
  });

  test("a save that fails leaves nothing, and one that was half written is removed by the next server", async () => {
    const folder = newFolder();
    const saves = new Saves(folder);
    const request = {
      run: "s:train:0",
      kind: "weights",
      name: "a",
      overwrite: false,
      baseModel: "m",
      rank: 1,
      ttlSeconds: null,
    } as const;
    const failing = async (into: string): Promise<void> => {
      writeFileSync(join(into, "weights"), "some");
      throw new Error("the disk is full");
    };
    await expect(saves.write(request, failing)).rejects.toThrow("the disk is full");
    expect(readdirSync(join(folder, "s+train+0", "weights"))).toEqual([]);
    mkdirSync(join(folder, "s+train+0", "weights", "b.writing"), { recursive: true });
    mkdirSync(join(folder, "other", "things"), { recursive: true });
    const again = new Saves(folder);
    expect(again.list()).toEqual([]);
    expect(existsSync(join(folder, "s+train+0", "weights", "b.writing"))).toBe(false);
    expect(existsSync(join(folder, "other", "things"))).toBe(true);
  });
});
