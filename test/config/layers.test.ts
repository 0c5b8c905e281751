import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ConfigKey,
  configGroups,
  configKeys,
  presets,
  type RunConfig,
  runConfigSchema,
} from "../../src/config/config.ts";
import {
  type ConfigLayers,
  configJsonSchema,
  flagName,
  namedIn,
  resolveConfig,
  variableName,
} from "../../src/config/layers.ts";
import { UsageError } from "../../src/errors.ts";

/** Some settings, each with a valid value. */
const someValues = fc.record(
  {
    seed: fc.nat({ max: 2 ** 31 - 1 }),
    steps: fc.integer({ min: 1, max: 1000 }),
    groupSize: fc.integer({ min: 2, max: 64 }),
    temperature: fc.double({ min: 0.01, max: 5, noNaN: true }),
    consistentVote: fc.boolean(),
    proposerReward: fc.constantFrom("sqlm" as const, "band" as const),
    preset: fc.constantFrom("default" as const, "quick" as const, "paper" as const),
    learningRate: fc.double({ min: 1e-9, max: 1, noNaN: true }),
  },
  { requiredKeys: [] },
);

describe("layers", () => {
  test("each value is that of the highest layer that gives one, and says so", () => {
    fc.assert(
      fc.property(someValues, someValues, someValues, ({ seed: _, preset: __, ...settings }, file, flags) => {
        const topic = { name: "t", settings };
        const { config, origins } = resolveConfig({ topic, file: { path: "f.ts", values: file }, flags });
        const preset = flags.preset ?? file.preset ?? "default";
        const defaults = runConfigSchema.parse({});
        for (const key of configKeys) {
          const layers: [string, Partial<RunConfig>][] = [
            ["flag", flags],
            ["file", file],
            ["preset", presets[preset] as Partial<RunConfig>],
            ["topic", settings],
            ["default", defaults],
          ];
          const [layer, values] = layers.find(([, layerValues]) => layerValues[key] !== undefined)!;
          expect(config[key]).toBe(values[key]);
          expect(origins[key].layer).toBe(layer);
        }
      }),
    );
  });

  test("what is resolved is a valid config, and resolving it again changes nothing", () => {
    fc.assert(
      fc.property(someValues, (flags) => {
        const { config } = resolveConfig({ flags });
        expect(runConfigSchema.parse(config)).toEqual(config);
        expect(resolveConfig({ file: { path: "f", values: config } }).config).toEqual(config);
      }),
    );
  });

  test("an undefined value is a value that was not given", () => {
    const { config, origins } = resolveConfig({ flags: { steps: undefined } });
    expect(config.steps).toBe(runConfigSchema.parse({}).steps);
    expect(origins.steps).toEqual({ layer: "default" });
  });

  test("a topic's settings that cannot be used are refused by name", () => {
    const topic = { name: "capitals", settings: { step: 4 } };
    expect(() => resolveConfig({ topic })).toThrow(/settings of topic capitals.*"step".*Did you mean "steps"/s);
  });

  test("values that only fit together with the topic's are not refused before the topic is known", () => {
    const flags = { topic: "capitals", bandHigh: 0.3 };
    expect(namedIn({ flags }).topic).toBe("capitals");
    expect(() => resolveConfig({ flags })).toThrow("bandLow (0.5) is above bandHigh (0.3)");
    const topic = { name: "capitals", settings: { bandLow: 0.1 } };
    expect(resolveConfig({ topic, flags }).config).toMatchObject({ bandLow: 0.1, bandHigh: 0.3 });
  });

  test("a large model has a recipe of its own, unless a preset is named", () => {
    const large = { large: true };
    const { config, origins } = resolveConfig({ model: large, flags: { groupSize: 4 } });
    expect(config).toMatchObject({ preset: "real", ...presets.real, groupSize: 4 });
    expect(origins.learningRate).toEqual({ layer: "preset", name: "real" });
    expect(origins.groupSize.layer).toBe("flag");
    for (const preset of ["default", "paper"] as const) {
      expect(resolveConfig({ model: large, flags: { preset } }).config).toEqual(
        resolveConfig({ flags: { preset } }).config,
      );
    }
    expect(resolveConfig({ model: { large: false } })).toEqual(resolveConfig());
    // The recipe is not the topic's to change, unless the topic was written for such models, and nothing else was asked for.
    const topic = { name: "capitals", settings: { learningRate: 1 } };
    const rateOf = (layers: ConfigLayers): number => resolveConfig({ topic, ...layers }).config.learningRate;
    expect(rateOf({ model: large })).toBe(presets.real.learningRate);
    const chat = { large: true, chat: true };
    expect(rateOf({ model: chat })).toBe(1);
    expect(resolveConfig({ model: chat, topic }).origins.learningRate).toEqual({ layer: "topic", name: "capitals" });
    expect(rateOf({ model: chat, flags: { preset: "real" } })).toBe(presets.real.learningRate);
    expect(rateOf({ model: chat, flags: { learningRate: 0.5 } })).toBe(0.5);
  });

  test("presets are valid", () => {
    for (const preset of Object.keys(presets)) {
      expect(resolveConfig({ flags: { preset } }).config.preset).toBe(preset);
    }
  });
});

describe("refusals name the place, the key and what is possible", () => {
  const refusal = (layers: Parameters<typeof resolveConfig>[0]): string => {
    try {
      resolveConfig(layers);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      return (error as UsageError).message;
    }
    throw new Error("nothing was refused");
  };

  test.each([
    [{ groupsize: 4 }, 'a.ts: unknown setting "groupsize". Did you mean "groupSize"?'],
    [{ groupSize: 1 }, "a.ts: groupSize must be at least 2, not 1."],
    [{ topP: 0 }, "a.ts: topP must be above 0, not 0."],
    [{ beta1: 1 }, "a.ts: beta1 must be below 1, not 1."],
    [{ steps: "40" }, 'a.ts: steps must be a number, not "40".'],
    [{ steps: 1.5 }, "a.ts: steps must be a whole number, not 1.5."],
    [{ steps: null }, "a.ts: steps must be a number, not null."],
    [{ learningRate: Number.NaN }, "a.ts: learningRate must be a number, not NaN."],
    [{ consistentVote: 1 }, "a.ts: consistentVote must be true or false, not 1."],
    [
      { lossFn: "pppo" },
      'a.ts: lossFn must be one of cross_entropy, importance_sampling, ppo, cispo, not "pppo". Did you mean "ppo"?',
    ],
  ])("%j", (values, message) => {
    expect(refusal({ file: { path: "a.ts", values } })).toBe(message);
  });

  test("flags are named as they are written", () => {
    expect(refusal({ flags: { groupsPerBatch: 0 } })).toBe("--groups-per-batch must be at least 1, not 0.");
  });

  test("a band that is upside down is refused even where its ends came from different layers", () => {
    expect(refusal({ file: { path: "a.ts", values: { bandLow: 0.8 } }, flags: { bandHigh: 0.7 } })).toContain(
      "bandLow (0.8) is above bandHigh (0.7)",
    );
  });

  test("no value of any type gets through unchecked or breaks the check", () => {
    fc.assert(
      fc.property(fc.constantFrom(...configKeys), fc.anything({ withBigInt: true, withDate: true }), (key, value) => {
        try {
          const { config } = resolveConfig({ flags: { [key]: value } });
          expect(() => runConfigSchema.parse(config)).not.toThrow();
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each([null, 3, "x", [], undefined])("a config that is %j is no config", (values) => {
    expect(refusal({ file: { path: "a.ts", values } })).toBe("a.ts: the config is not an object.");
  });
});

test("every key is in one group, and its flag name is its own", () => {
  const grouped = Object.values(configGroups).flatMap((shape) => Object.keys(shape));
  expect(grouped).toEqual(configKeys);
  expect(new Set(configKeys.map(flagName)).size).toBe(configKeys.length);
  expect(flagName("klPenaltyCoef")).toBe("--kl-penalty-coef");
});

test("the JSON schema allows what the checks allow, and says what each key is for", () => {
  const schema = configJsonSchema() as {
    additionalProperties: boolean;
    properties: Record<ConfigKey | "$schema", { description?: string }>;
  };
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.properties)).toEqual(["$schema", ...configKeys]);
  for (const key of configKeys) expect(schema.properties[key].description).toMatch(/\.$/);
});

describe("the environment", () => {
  test("every setting has a variable, below the flags and above the file, which says where it came from", () => {
    const valid = resolveConfig({ flags: { preset: "paper" } }).config;
    const environment = Object.fromEntries(configKeys.map((key) => [variableName(key), String(valid[key])]));
    const { config, origins } = resolveConfig({ environment, file: { path: "f.ts", values: { steps: 9 } } });
    expect(config).toEqual(valid);
    for (const key of configKeys) expect(origins[key]).toEqual({ layer: "environment", name: variableName(key) });
    expect(resolveConfig({ environment, flags: { steps: 4 } }).config.steps).toBe(4);
    expect(resolveConfig({ environment: { SQLM_PRESET: "paper" } }).config.groupSize).toBe(4);
  });

  test("what is not ours, empty, or no setting is left alone", () => {
    const environment = {
      PATH: "/bin",
      SQLM_DEBUG: "1",
      SQLM_WORKSPACE: "w",
      SQLM_MODELS: "m",
      SQLM_PYTHON: "p",
      SQLM_STEPS: "",
      SQLM_SEED: undefined,
    };
    expect(resolveConfig({ environment })).toEqual(resolveConfig());
  });

  test.each([
    [{ SQLM_STEP: "4" }, 'SQLM_STEP names no setting. Did you mean "SQLM_STEPS"?'],
    [{ SQLM_STEPS: "many" }, 'SQLM_STEPS must be a number, not "many".'],
    [{ SQLM_CONSISTENT_VOTE: "maybe" }, "SQLM_CONSISTENT_VOTE must be true or false"],
    [{ SQLM_LOSS_FN: "pppo" }, 'Did you mean "ppo"?'],
  ])("%j is refused", (environment, sentence) => {
    expect(() => resolveConfig({ environment })).toThrow(sentence);
  });
});

test.each([
  [{ seed: 1e20 }, "--seed must be at most 2147483647, not 100000000000000000000."],
  [{ seed: -1e20 }, "--seed must be at least 0"],
  [{ steps: 1e20 }, "--steps must be at most 9007199254740991"],
  [{ groupSize: -1e20 }, "--group-size must be at least 2"],
  [{ topK: -1e300 }, "--top-k must be at least 0"],
])("%j: the bound that is named is the setting's own", (flags, sentence) => {
  expect(() => resolveConfig({ flags })).toThrow(sentence);
});
