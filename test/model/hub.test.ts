// Models of the Hugging Face hub, downloaded from a stand-in on this machine.
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileFormatError, SqlmError } from "../../src/errors.ts";
import { createModel } from "../../src/model/create-model.ts";
import { fetchModel } from "../../src/model/find-model.ts";
import { downloadModel, type HubProgress } from "../../src/model/hub.ts";
import { cachedModel, hubCacheFolder, parseHubId } from "../../src/model/hub-cache.ts";
import { openModelFolder, readWeights } from "../../src/model/model-folder.ts";
import { readSafetensors, writeSafetensors } from "../../src/model/safetensors.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";
import { ggufModel } from "./gguf-models.ts";
import { commit, type HubServer, serveHub } from "./hub-server.ts";

const root = mkdtempSync(join(tmpdir(), "sqlm-hub-"));
afterAll(() => rmSync(root, { recursive: true }));
const made = join(root, "made");
createModel(made, {
  architecture: "LlamaForCausalLM",
  characters: "0123456789+=",
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 2,
  heads: 2,
  maxPositions: 16,
  seed: 1,
});
const modelFiles = new Map(readdirSync(made).map((name) => [name, readFileSync(join(made, name))]));
const others = new Map([
  ["README.md", Buffer.from("# a model")],
  ["pytorch_model.bin", Buffer.alloc(5000, 7)],
  ["original/model.safetensors", Buffer.alloc(3000)],
]);

const repo = "some/model";
const id = { repo, revision: "main" };
let cache = "";
let server: HubServer;
const environment = (more: Record<string, string> = {}) => ({ HF_ENDPOINT: server.url, ...more });
const download = (more: Record<string, string> = {}) => downloadModel(id, { cache, environment: environment(more) });

beforeEach(async () => {
  cache = mkdtempSync(join(root, "cache-"));
  server = await serveHub(repo, new Map([...modelFiles, ...others]));
});
afterEach(() => server[Symbol.asyncDispose]());

async function refusal(work: () => Promise<unknown>): Promise<SqlmError> {
  const error = await work().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SqlmError);
  expect((error as SqlmError).message).not.toContain("\n");
  expect((error as SqlmError).hint).not.toBe("");
  return error as SqlmError;
}

describe("a download", () => {
  test("brings what is read, and nothing else; then the hub is not asked again", async () => {
    const progress: HubProgress[] = [];
    const folder = await fetchModel(
      { model: `${repo}@v1` },
      {
        cache,
        environment: environment(),
        onProgress: (at) => progress.push(at),
      },
    );
    expect(readdirSync(folder).sort()).toEqual([...modelFiles.keys()].sort());
    expect(folder).toContain(commit);
    expect(lstatSync(join(folder, "config.json")).isSymbolicLink()).toBe(true);
    expect(readWeights(openModelFolder(folder))).toEqual(readWeights(openModelFolder(made)));
    expect(openTokenizer(folder).encode("1+1=")).toEqual(openTokenizer(made).encode("1+1="));
    expect(progress.at(-1)).toMatchObject({
      file: "model.safetensors",
      done: modelFiles.get("model.safetensors")!.length,
    });

    server.faults.status = 500;
    for (const revision of ["v1", commit]) {
      expect(await fetchModel({ model: `${repo}@${revision}` }, { cache, environment: environment() })).toBe(folder);
    }
    expect(cachedModel({ repo, revision: "v1" }, cache)).toBe(folder);
    expect(cachedModel({ repo, revision: "main" }, cache)).toBeNull();
  });

  test("of a server's model brings tokenizer and config, and not the weights", async () => {
    const request = { model: repo, engine: "tinker" };
    const options = { cache, environment: environment() };
    const folder = await fetchModel(request, options);
    expect(openTokenizer(folder).decode(openTokenizer(folder).encode("1+2="))).toBe("1+2=");
    expect(server.requests.map(({ path }) => path)).not.toContain("model.safetensors");
    const asked = server.requests.length;
    expect(await fetchModel(request, options)).toBe(folder);
    expect(server.requests).toHaveLength(asked);
    // A folder that is named is taken instead, and a name for which there is none is told.
    expect(await fetchModel({ ...request, tokenizer: made }, options)).toBe(made);
    await refusal(() => fetchModel({ model: "nowhere", engine: "tinker" }, options));
    await refusal(() => fetchModel({ model: "seed", engine: "tinker" }, options));
  });

  test("that breaks is taken up where it broke", async () => {
    server.faults.cutAfter = 700;
    const folder = await download();
    const ranges = server.requests.filter(({ range }) => range !== null);
    expect(ranges).toHaveLength(1);
    expect(ranges[0].range).toMatch(/^bytes=[1-9]/);
    expect(readWeights(openModelFolder(folder)).size).toBeGreaterThan(3);
  });

  test("that a process left half-way goes on from there", async () => {
    const blobs = join(await download(), "../../blobs");
    const largest = readdirSync(blobs).find(
      (name) => name.length === 64 && readFileSync(join(blobs, name)).equals(modelFiles.get("model.safetensors")!),
    )!;
    const whole = readFileSync(join(blobs, largest));
    rmSync(join(blobs, largest));
    writeFileSync(join(blobs, `${largest}.sqlm-incomplete`), whole.subarray(0, 1000));
    expect(cachedModel(id, cache)).toBeNull();
    server.requests.length = 0;
    await download();
    expect(server.requests).toEqual([
      { path: "model.safetensors", range: `bytes=1000-${whole.length - 1}`, token: null },
    ]);
    expect(readFileSync(join(blobs, largest))).toEqual(whole);

    // A server that knows no ranges sends all of it: what is too long is begun anew.
    rmSync(join(blobs, largest));
    writeFileSync(join(blobs, `${largest}.sqlm-incomplete`), whole.subarray(0, 1000));
    server.faults.wholeFiles = true;
    await download();
    expect(readFileSync(join(blobs, largest))).toEqual(whole);
  });

  test("of other bytes than announced is refused, and done anew the next time", async () => {
    server.faults.garble = true;
    const error = await refusal(download);
    expect(error).toBeInstanceOf(FileFormatError);
    expect(error.message).toContain("checksum differs");
    expect(cachedModel(id, cache)).toBeNull();
    expect(readWeights(openModelFolder(await download())).size).toBeGreaterThan(3);
  });

  test("takes its token from the environment only", async () => {
    await download({ HF_TOKEN: "hf_secret" });
    expect(new Set(server.requests.map(({ token }) => token))).toEqual(new Set(["Bearer hf_secret"]));
    rmSync(cache, { recursive: true });
    server.requests.length = 0;
    await download();
    expect(new Set(server.requests.map(({ token }) => token))).toEqual(new Set([null]));
  });
});

async function serveInstead(files: ReadonlyMap<string, Buffer>): Promise<void> {
  await server[Symbol.asyncDispose]();
  server = await serveHub(repo, files);
}

describe("what a model on the hub may be", () => {
  const withoutWeights = new Map([...modelFiles].filter(([name]) => name !== "model.safetensors"));

  function shards(second = "model-00002-of-00002.safetensors"): Map<string, Buffer> {
    const path = join(root, "shard.safetensors");
    const tensors = [...readSafetensors(join(made, "model.safetensors")).tensors];
    const parts = new Map([
      ["model-00001-of-00002.safetensors", tensors.slice(0, 4)],
      [second, tensors.slice(4)],
    ]);
    const files = new Map(withoutWeights);
    for (const [name, part] of parts) {
      writeSafetensors(path, new Map(part), {});
      files.set(name, readFileSync(path));
    }
    const map = [...parts].flatMap(([name, part]) => part.map(([weight]) => [weight, name]));
    return files.set(
      "model.safetensors.index.json",
      Buffer.from(JSON.stringify({ weight_map: Object.fromEntries(map) })),
    );
  }

  test("shards", async () => {
    await serveInstead(shards());
    expect(readWeights(openModelFolder(await download()))).toEqual(readWeights(openModelFolder(made)));
  });

  test("shards of which one is missing", async () => {
    const files = shards();
    files.delete("model-00002-of-00002.safetensors");
    await serveInstead(files);
    expect((await refusal(download)).message).toContain("model-00002-of-00002.safetensors is missing");
  });

  test("an index that leads out of the cache", async () => {
    await serveInstead(shards("../../../evil.safetensors"));
    expect((await refusal(download)).message).toContain("not whole");
    expect(existsSync(join(cache, "evil.safetensors"))).toBe(false);
  });

  test("one GGUF file", async () => {
    const { bytes, config } = ggufModel("llama");
    await serveInstead(
      new Map([
        ["model-q8.gguf", bytes],
        ["README.md", Buffer.from("x")],
      ]),
    );
    const path = await download();
    expect(path).toMatch(/model-q8\.gguf$/);
    expect(openModelFolder(path).config).toEqual(config);
    expect(cachedModel(id, cache)).toBe(path);
  });

  test("several GGUF files, other weights, no tokenizer: refused", async () => {
    await serveInstead(
      new Map([
        ["a.gguf", Buffer.of(1)],
        ["b.gguf", Buffer.of(2)],
      ]),
    );
    expect((await refusal(download)).message).toContain("2 GGUF files: a.gguf, b.gguf");
    await serveInstead(new Map([...withoutWeights, ...others]));
    expect((await refusal(download)).message).toContain("no weights in safetensors form");
    await serveInstead(new Map([...modelFiles].filter(([name]) => name !== "tokenizer.json")));
    expect((await refusal(download)).message).toContain("tokenizer.json");
  });
});

describe("refuses in one sentence", () => {
  test("a hub that cannot be reached", async () => {
    const { url } = server;
    await server[Symbol.asyncDispose]();
    const error = await refusal(() => downloadModel(id, { cache, environment: { HF_ENDPOINT: url } }));
    expect(error.message).toMatch(/no model "some\/model" here, and it could not be downloaded from .*ECONNREFUSED/);
    server = await serveHub(repo, modelFiles);
  });

  test.each([
    [401, "private, needs your consent, or does not exist"],
    [403, "private, needs your consent, or does not exist"],
    [404, "has none with the revision main"],
    [500, "could not be downloaded"],
  ])("status %d", async (status, part) => {
    server.faults.status = status;
    expect((await refusal(download)).message).toContain(part);
  });

  test("a revision that is none", async () => {
    const error = await refusal(() => downloadModel({ repo, revision: "v9" }, { cache, environment: environment() }));
    expect(error.message).toContain("revision v9");
  });

  test("downloading where HF_HUB_OFFLINE forbids it", async () => {
    expect((await refusal(() => download({ HF_HUB_OFFLINE: "1" }))).message).toContain("HF_HUB_OFFLINE");
    expect(server.requests).toEqual([]);
  });
});

describe("a hub id", () => {
  test.each([
    ["org/name", { repo: "org/name", revision: "main" }],
    ["Org-1/Name_2.5@v1.0", { repo: "Org-1/Name_2.5", revision: "v1.0" }],
    ["org/name@refs/pr/3", { repo: "org/name", revision: "refs/pr/3" }],
    ["name", null],
    ["models/arithmetic", null],
    ["./org/name", null],
    ["../name", null],
    ["/org/name", null],
    ["org/name/more", null],
    ["org/name@../../x", null],
    ["org/na..me", null],
    ["org/name@", null],
    ["org/name@a@b", null],
    ["org\\name/x", null],
  ])("%s", (text, expected) => {
    expect(parseHubId(text)).toEqual(expected);
  });

  test("is looked for in the cache that the environment names", () => {
    expect(hubCacheFolder({ HF_HUB_CACHE: "/a", HF_HOME: "/b" })).toBe("/a");
    expect(hubCacheFolder({ HF_HOME: "/b" })).toBe(join("/b", "hub"));
    expect(hubCacheFolder({ XDG_CACHE_HOME: "/c" })).toBe(join("/c", "huggingface", "hub"));
  });
});
