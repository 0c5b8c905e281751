import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Two projects: `fast` is what `npm test` runs; files named *.slow.test.ts take minutes and run with `npm run test:slow`.
// Examples import this package by its name, as users do.
const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));
const alias = { "self-questioning/testing": source("testing/index.ts"), "self-questioning": source("index.ts") };

export default defineConfig({
  test: {
    // Left alone, one processor is kept free, which on two leaves the other one idle.
    maxWorkers: "100%",
    projects: [
      {
        resolve: { alias },
        test: {
          name: "fast",
          setupFiles: ["test/setup.ts"],
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.slow.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: "slow",
          setupFiles: ["test/setup.ts"],
          include: ["test/**/*.slow.test.ts"],
          testTimeout: 60 * 60_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
