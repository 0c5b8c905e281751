import { defineConfig } from "vitest/config";

// Two projects: `fast` is what `npm test` runs; files named *.slow.test.ts take minutes and run with `npm run test:slow`.
export default defineConfig({
  test: {
    projects: [
      {
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
