// How a checkpoint of a server's run names its base: with a model of this machine only where it is, or may be, the same.
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { baseNaming } from "../../../src/engine/tinker/client/checkpoint.ts";
import { identifyBase } from "../../../src/model/base-identity.ts";
import { findModel } from "../../../src/model/find-model.ts";

const arithmetic = findModel({ model: "arithmetic" });
const multiplication = findModel({ model: "multiplication" });
const nothing = dirname(arithmetic);

test("by the name, by the tokenizer's folder, and by the server's name where neither is here", () => {
  expect(baseNaming("arithmetic", nothing)(null)).toEqual(identifyBase(arithmetic));
  expect(baseNaming("Elsewhere/Large-8B", arithmetic)(null)).toEqual(identifyBase(arithmetic));
  expect(baseNaming("Elsewhere/Large-8B", nothing)(null)).toEqual({ model: "Elsewhere/Large-8B", sha256: null });
});

test("with the server's digest, no model of other weights is taken for it", () => {
  const told = { ...identifyBase(multiplication), model: "/server/its/own/path" };
  expect(baseNaming("arithmetic", nothing)(told)).toEqual({ ...told, model: "arithmetic" });
  expect(baseNaming("multiplication", arithmetic)(told)).toEqual(identifyBase(multiplication));
  const folder = join("/server", "folder");
  expect(baseNaming(folder, nothing)(told)).toEqual({ ...told, model: folder });
});
