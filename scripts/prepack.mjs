// What a package has and a checkout has not, put there before `npm pack` and `npm publish` and taken out again after
// (`--remove`):
// - ONNX Runtime, in dist/: src/engine/onnx/runtime/binding.ts says why. Only files that run are taken; onnxruntime-common
//   stays a dependency.
// - `engines`: a checkout runs on the Node that it brings, so npm must not warn of the machine's own.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const remove = process.argv.includes("--remove");
/** As bin/sqlm.js checks it. */
const engines = '  "engines": {\n    "node": ">=22.18"\n  },\n';

const license = `MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

function packRuntime() {
  const source = join(root, "node_modules", "onnxruntime-node");
  const target = join(root, "dist", "onnxruntime");
  rmSync(target, { recursive: true, force: true });
  if (remove) return;
  const { version, repository } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
  const manifest = {
    name: "onnxruntime-node",
    version,
    license: "MIT",
    repository,
    type: "commonjs",
    main: "dist/index.js",
  };
  const runs = (path) => extname(path) === "" || extname(path) === ".js";
  mkdirSync(target, { recursive: true });
  // The binding for macOS loads the library by the name with one number; the other name is a second copy of it.
  const needed = (path) => !/\.\d+\.\d+\.\d+\.dylib$/.test(path);
  cpSync(join(source, "bin"), join(target, "bin"), { recursive: true, filter: needed });
  cpSync(join(source, "dist"), join(target, "dist"), { recursive: true, filter: runs });
  writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(target, "LICENSE"), license);
}

function packEngines() {
  const path = join(root, "package.json");
  const without = readFileSync(path, "utf8").replace(engines, "");
  const type = '  "type": "module",\n';
  const text = remove ? without : without.replace(type, type + engines);
  // npm looks at what is written here: a package that says nothing of Node would install anywhere.
  if (!remove && !text.includes(engines))
    throw new Error("package.json has no line for its type to put engines behind.");
  writeFileSync(path, text);
}

packRuntime();
packEngines();
