// A checkpoint's adapter merged into its base, as a model of its own. The base is read and written tensor by tensor: one
// matrix is in memory at a time.

import { UsageError } from "../errors.ts";
import { mergeModule, readAdapter, readAdapterConfig } from "./adapter.ts";
import { checkBase, locateBase } from "./base-identity.ts";
import { adapterNames } from "./lora.ts";
import { parameterSpecs } from "./model-config.ts";
import { openModelFolder, openWeights, writeModelFolder } from "./model-folder.ts";

/**
 * Writes the model, float32, into an existing folder. `adapter` is a checkpoint that names its base, or an adapter of `base`. Throws
 * FileFormatError where the base is not the one that the checkpoint names, UsageError where it is not on this machine.
 */
export function writeMergedModel(adapter: string, to: string, base = locateBase(adapter)): void {
  if (base === null) {
    throw new UsageError(`${adapter} does not say which model its adapter is of.`, "Name it with --base MODEL.");
  }
  checkBase(adapter, base);
  const model = openModelFolder(base);
  const lora = readAdapterConfig(adapter);
  const tensors = readAdapter(adapter, model.config, lora);
  using source = openWeights(model);
  const weights = parameterSpecs(model.config).map(({ name, shape }) => {
    const module = name.replace(/\.weight$/, "");
    const tensor = {
      shape,
      /** Read when it is written. */
      get data(): Float32Array {
        const data = source.readTensor(name);
        if (name.endsWith(".weight") && tensors.has(adapterNames(module).a)) mergeModule(module, lora, tensors, data);
        return data;
      },
    };
    return [name, tensor] as const;
  });
  writeModelFolder(to, model.companions, new Map(weights));
}
