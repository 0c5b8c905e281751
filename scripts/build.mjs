// `npm run build`: compiles src/ to dist/ and writes the files that are generated from the code.
// Runs on the project's own Node, through scripts/bootstrap.mjs.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");

// Files of modules that no longer exist would otherwise stay and be published.
rmSync(dist, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", join(root, "tsconfig.build.json")],
  { cwd: root, stdio: "inherit" },
);

const { configJsonSchema } = await import(pathToFileURL(join(dist, "config", "layers.js")).href);
writeFileSync(join(root, "sqlm.schema.json"), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);

// The dashboard's page. A package brings it built; a checkout builds it when someone first looks.
const { buildPage } = await import(pathToFileURL(join(dist, "cli", "dashboard-page.js")).href);
await buildPage(join(dist, "page"));
