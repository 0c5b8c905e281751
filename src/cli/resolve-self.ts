// Lets topic, config and experiment files say `import … from "sqlm"` wherever they lie: the name means the very package
// that runs them, so they need no installation of their own and share its classes.
import { registerHooks } from "node:module";

/** Takes effect for everything that is imported afterwards in this process. */
export function resolveOwnPackage(): void {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const own = new Map([
    ["sqlm", new URL(`../index${extension}`, import.meta.url).href],
    ["sqlm/testing", new URL(`../testing/index${extension}`, import.meta.url).href],
  ]);
  registerHooks({
    resolve: (specifier, context, next) => {
      const url = own.get(specifier);
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
    },
  });
}
