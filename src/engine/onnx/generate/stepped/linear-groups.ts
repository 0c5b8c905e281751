// Which linear layers of a model are applied to the same rows: together they are one product, which costs less than three.

import { adaptedModules, adapterNames, type Lora } from "../../../../model/lora.ts";
import { type ModelConfig, parameterSpecs } from "../../../../model/model-config.ts";
import { float32Data, float32Tensor, type Tensor, type Tensors } from "../../runtime/runtime.ts";

export interface LinearGroup {
  readonly name: string;
  /** In the order of their outputs. Modules have Hugging Face names, without `.weight`. */
  readonly members: readonly { readonly module: string; readonly outputs: number }[];
  readonly inputs: number;
  readonly outputs: number;
}

const groupsOfLayer = [
  ["self_attn", ["q_proj", "k_proj", "v_proj"]],
  ["self_attn", ["o_proj"]],
  ["mlp", ["gate_proj", "up_proj"]],
  ["mlp", ["down_proj"]],
] as const;

/** All groups of a model, the head last. `together` false gives every layer a group of its own. */
export function linearGroups(config: ModelConfig, together: boolean): LinearGroup[] {
  const shapes = new Map(parameterSpecs(config).map(({ name, shape }) => [name, shape]));
  const groupOf = (modules: readonly string[]): LinearGroup => {
    const members = modules.map((module) => ({ module, outputs: shapes.get(`${module}.weight`)![0] }));
    return {
      name: modules.join("+"),
      members,
      inputs: shapes.get(`${modules[0]}.weight`)![1],
      outputs: members.reduce((sum, { outputs }) => sum + outputs, 0),
    };
  };
  const lists = Array.from({ length: config.layers }, (_, layer) =>
    groupsOfLayer.map(([part, names]) => names.map((name) => `model.layers.${layer}.${part}.${name}`)),
  ).flat();
  const head = config.tiedEmbeddings ? "model.embed_tokens" : "lm_head";
  return [...(together ? lists : lists.flat().map((module) => [module])), [head]].map(groupOf);
}

/** Names of the inputs that hold a group's adapter: x·a·b is what it adds to the outputs for x. */
export const adapterInputs = ({ name }: LinearGroup): { readonly a: string; readonly b: string } => ({
  a: `adapter_a:${name}`,
  b: `adapter_b:${name}`,
});

/** The width between the two parts of a group's adapter; 0 where none of its layers has one. */
export function adapterWidth(config: ModelConfig, lora: Lora, { members }: LinearGroup): number {
  const adapted = new Set(adaptedModules(config, lora).map(({ module }) => module));
  return members.filter(({ module }) => adapted.has(module)).length * lora.rank;
}

/**
 * The adapters of all groups as inputs: `a` [inputs, width] has the A of each member side by side, `b` [width, outputs] their B,
 * each with alpha / rank in it, in blocks along the diagonal. `weights` have PEFT's names and layout.
 */
export function packAdapters(
  config: ModelConfig,
  lora: Lora,
  groups: readonly LinearGroup[],
  weights: ReadonlyMap<string, Tensor>,
): Tensors {
  const packed: Record<string, Tensor> = {};
  for (const group of groups) {
    const width = adapterWidth(config, lora, group);
    if (width === 0) continue;
    const [a, b] = [new Float32Array(group.inputs * width), new Float32Array(width * group.outputs)];
    let [column, output] = [0, 0];
    for (const { module, outputs } of group.members) {
      const names = adapterNames(module);
      const [from, to] = [weights.get(names.a), weights.get(names.b)];
      if (from !== undefined && to !== undefined) {
        const [down, up] = [float32Data(from), float32Data(to)];
        for (let r = 0; r < lora.rank; r++) {
          for (let i = 0; i < group.inputs; i++) a[i * width + column + r] = down[r * group.inputs + i];
          for (let o = 0; o < outputs; o++) {
            b[(column + r) * group.outputs + output + o] = (up[o * lora.rank + r] * lora.alpha) / lora.rank;
          }
        }
        column += lora.rank;
      }
      output += outputs;
    }
    const names = adapterInputs(group);
    packed[names.a] = float32Tensor([group.inputs, width], a);
    packed[names.b] = float32Tensor([width, group.outputs], b);
  }
  return packed;
}
