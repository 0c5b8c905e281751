// Where ONNX Runtime comes from. A package carries its own copy, put there when it is packed (scripts/prepack.mjs): the
// install script of onnxruntime-node downloads GPU libraries from outside the npm registry, and whoever installs sqlm
// could not tell npm to leave that out. A checkout uses onnxruntime-node as it is installed.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type * as OnnxRuntime from "onnxruntime-common";

const packed = fileURLToPath(new URL("../../../onnxruntime", import.meta.url));
const runtime = createRequire(import.meta.url)(existsSync(packed) ? packed : "onnxruntime-node") as typeof OnnxRuntime;

export const { InferenceSession, Tensor } = runtime;
export type Tensor = OnnxRuntime.Tensor;
