import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Examples say `import … from "sqlm"`, as they are written outside this repository.
const resolve = {
  alias: [
    { find: /^sqlm$/, replacement: fileURLToPath(new URL("src/index.ts", import.meta.url)) },
    { find: /^sqlm\/testing$/, replacement: fileURLToPath(new URL("src/testing/index.ts", import.meta.url)) },
  ],
};

// Two projects: `fast` is what `npm test` runs; files named *.slow.test.ts take minutes and run with `npm run test:slow`.
export default defineConfig({
  test: {
    projects: [
      {
        resolve,
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
        resolve,
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
