// The engine suite for tests outside of this package. It is written for Vitest, which is loaded only when the suite is
// declared: whoever uses the other parts of "self-questioning/testing" needs no Vitest.
import { UnsupportedError } from "../errors.ts";
import type { EngineContractOptions } from "./engine-fixture.ts";

/**
 * Declares the contract suite of one engine, inside of a Vitest test file: `await describeEngineContract(…)`. Rejects with
 * UnsupportedError where Vitest is not installed.
 */
export async function describeEngineContract(name: string, options: EngineContractOptions): Promise<void> {
  const suite = await import("./engine-contract.ts").catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new UnsupportedError("The engine suite needs Vitest.", "Install it: npm install --save-dev vitest", {
      cause: error,
    });
  });
  suite.describeEngineContract(name, options);
}
