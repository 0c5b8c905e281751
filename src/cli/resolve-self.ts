// Lets topic, config and experiment files say `import … from "self-questioning"` wherever they lie: the name means the very
// package that runs them, so they need no installation of their own and share its classes. The command's name means the
// same, since it is what one types.
import { registerHooks } from "node:module";

/** Takes effect for everything that is imported afterwards in this process. */
export function resolveOwnPackage(): void {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const index = new URL(`../index${extension}`, import.meta.url).href;
  const testing = new URL(`../testing/index${extension}`, import.meta.url).href;
  const own = new Map(
    ["self-questioning", "sqlm"].flatMap((name) => [
      [name, index],
      [`${name}/testing`, testing],
    ]),
  );
  registerHooks({
    resolve: (specifier, context, next) => {
      const url = own.get(specifier);
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
    },
  });
}
