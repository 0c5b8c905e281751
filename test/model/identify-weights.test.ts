// A digest that tells models apart by all weights that they compute with, whatever their folders are called.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { identifyBase, identifyWeights, writeBase } from "../../src/model/base-identity.ts";

const root = mkdtempSync(join(tmpdir(), "sqlm-identify-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function folder(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(root, name);
  mkdirSync(path);
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
  return path;
}
const model = folder("model", { "model.safetensors": "weights", "config.json": "{}" });
const adapter = (name: string, weights: string): string =>
  folder(name, { "adapter_config.json": '{"r": 8}', "adapter_model.safetensors": weights });

test("equal weights have one digest, other weights another", () => {
  const copy = folder("copy", { "model.safetensors": "weights", "config.json": '{"a": 1}' });
  const other = folder("other", { "model.safetensors": "heights", "config.json": "{}" });
  expect(identifyWeights(copy)).toBe(identifyWeights(model));
  expect(identifyWeights(other)).not.toBe(identifyWeights(model));
});

test("an adapter is part of it, beside its base and in a checkpoint that names it", () => {
  const [one, two] = [adapter("one", "small steps"), adapter("two", "other steps")];
  const digests = [identifyWeights(model), identifyWeights(model, one), identifyWeights(model, two)];
  expect(new Set(digests).size).toBe(3);
  const checkpoint = adapter("step-000001", "small steps");
  writeBase(checkpoint, identifyBase(model));
  expect(identifyWeights(checkpoint)).toBe(identifyWeights(model, one));
});
