// Puts layers of config values together (default < topic < preset < file < environment < flags) and remembers where each value came from.
// Pure: reading a config file is in file.ts, reading flags in cli/config-flags.ts.
import { inspect } from "node:util";
import { z } from "zod";
import { didYouMean, UsageError } from "../errors.ts";
import type { ModelFacts } from "../types.ts";
import { type ConfigKey, configKeys, presets, type RunConfig, type RunConfigInput, runConfigSchema } from "./config.ts";
import { idleBecause } from "./in-force.ts";

const layerNames = ["default", "topic", "preset", "file", "environment", "flag"] as const;
type LayerName = (typeof layerNames)[number];

/** Where a value came from: the layer, and which topic, preset, file, variable or flag of it. */
export interface Origin {
  readonly layer: LayerName;
  readonly name?: string;
}

export interface ResolvedConfig {
  readonly config: RunConfig;
  readonly origins: Readonly<Record<ConfigKey, Origin>>;
  /** Sentences about settings that a file gives and that change nothing beside the others. */
  readonly notes: readonly string[];
}

export interface ConfigLayers {
  /** What a topic asks for (`Topic.settings`), not yet checked. */
  readonly topic?: { readonly name: string; readonly settings?: unknown } | undefined;
  /** Facts of the model: a large one has a recipe of its own where no preset is named, and one that chats is asked in words. */
  readonly model?: (Pick<ModelFacts, "large"> & Partial<Pick<ModelFacts, "chat">>) | undefined;
  /** Values of a config file as read, not yet checked. */
  readonly file?: { readonly path: string; readonly values: unknown } | undefined;
  /** Environment variables, of which `SQLM_…` are settings: `SQLM_GROUP_SIZE=8`. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Values of flags, by config key, not yet checked. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Checks each layer and puts them together.
 * Throws UsageError that names the file, variable or flag, the key and what it may be; an unknown key gets the nearest name.
 *
 * @example
 * import { openTopic, resolveConfig } from "self-questioning";
 *
 * const { topic } = await openTopic("coding");
 * const { config, origins } = resolveConfig({ topic, flags: { topic: topic.name, steps: 40 } });
 * console.log(config.steps, origins.steps); // 40, from a flag
 * console.log(config.minAgreement, origins.minAgreement); // what the topic asks for
 */
export function resolveConfig(layers: ConfigLayers = {}): ResolvedConfig {
  const resolved = layTogether(layers);
  checkTogether(resolved);
  return { ...resolved, notes: idleSettings(resolved) };
}

/**
 * The topic and the model that layers name, before settings that suit those are among them: values that only fit together with
 * them are not refused yet. Throws UsageError for a value that cannot be used by itself.
 */
export function namedIn(
  layers: Omit<ConfigLayers, "topic" | "model">,
): Pick<RunConfig, "topic" | "model" | "engine" | "tokenizer"> {
  return layTogether(layers).config;
}

function layTogether(layers: ConfigLayers): Omit<ResolvedConfig, "notes"> {
  const { file, topic } = layers;
  const topicValues =
    topic?.settings === undefined
      ? {}
      : checkLayer(
          topic.settings,
          (key) => `settings of topic ${topic.name}: ${key}`,
          `settings of topic ${topic.name}`,
        );
  const fileValues = file === undefined ? {} : checkLayer(file.values, (key) => `${file.path}: ${key}`, file.path);
  const environmentValues = checkLayer(settingsInEnvironment(layers.environment ?? {}), variableName, "environment");
  const flagValues = checkLayer(layers.flags ?? {}, (key) => flagName(key), "flags");
  const named = flagValues.preset ?? environmentValues.preset ?? fileValues.preset;
  const preset = named ?? (layers.model?.large === true ? "real" : "default");

  const config: Record<string, unknown> = { ...runConfigSchema.parse({}) };
  const origins: Record<string, Origin> = Object.fromEntries(configKeys.map((key) => [key, { layer: "default" }]));
  const lay = (values: RunConfigInput, origin: (key: ConfigKey) => Origin): void => {
    for (const key of configKeys) {
      if (values[key] === undefined) continue;
      config[key] = values[key];
      origins[key] = origin(key);
    }
  };
  const layTopic = (): void => lay(topicValues, () => ({ layer: "topic", name: topic?.name ?? "" }));
  // What a topic in words asks for was found with the recipe for large models, what one in notation asks for with the shipped models.
  const topicAbove = named === undefined && layers.model?.chat === true;
  if (!topicAbove) layTopic();
  lay({ ...presets[preset], ...(named === undefined && preset !== "default" ? { preset } : {}) }, () => ({
    layer: "preset",
    name: preset,
  }));
  if (topicAbove) layTopic();
  lay(fileValues, () => ({ layer: "file", name: file?.path ?? "" }));
  lay(environmentValues, (key) => ({ layer: "environment", name: variableName(key) }));
  lay(flagValues, (key) => ({ layer: "flag", name: flagName(key) }));

  return { config: config as RunConfig, origins: origins as Record<ConfigKey, Origin> };
}

/** `--groups-per-batch` for `groupsPerBatch`. */
export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

const variablePrefix = "SQLM_";

/** Variables that are no settings of a run. */
const otherVariables: ReadonlySet<string> = new Set([
  "SQLM_DEBUG",
  "SQLM_SERVE_KEY",
  "SQLM_WORKSPACE",
  // For scripts and benches that need checkpoints, or a Python to compare with.
  "SQLM_MODELS",
  "SQLM_PYTHON",
]);

/** `SQLM_GROUPS_PER_BATCH` for `groupsPerBatch`. */
export function variableName(key: string): string {
  return variablePrefix + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/**
 * Settings among environment variables, by config key, with the types of the schema and not yet checked; an empty variable
 * is none. Throws UsageError for one that begins with `SQLM_` and names no setting.
 */
function settingsInEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const keys = new Map(configKeys.map((key) => [variableName(key), key]));
  const values: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(variablePrefix) || otherVariables.has(name) || text === undefined || text === "") continue;
    const key = keys.get(name);
    if (key === undefined) {
      throw new UsageError(
        `The environment variable ${name} names no setting.${didYouMean(name, keys.keys())}`,
        "`sqlm config` lists every setting; groupSize is SQLM_GROUP_SIZE. Unset the variable if it is not for sqlm.",
      );
    }
    values[key] = valueOfText(key, text);
  }
  return values;
}

/** A setting's value from its text: a number or a truth value where it is one, else the text, for the schema to judge. */
function valueOfText(key: ConfigKey, text: string): unknown {
  const { type } = (configJsonSchema()["properties"] as Readonly<Record<ConfigKey, { readonly type?: string }>>)[key];
  if (type === "boolean")
    return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text;
  return type === "number" || type === "integer" ? numberOfText(text) : text;
}

/** A number in decimal notation as a number; any other text as it is, for the schema to refuse. */
export function numberOfText(text: string): number | string {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : text;
}

/** The JSON schema of a config file, for editors. Every key may be left out. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, properties, ...rest } = z.toJSONSchema(runConfigSchema, { io: "input" });
  return {
    $schema,
    title: "sqlm run config",
    description: "Settings of a self-play run. `sqlm config` prints what is in force.",
    ...rest,
    properties: { $schema: { type: "string" }, ...properties },
  };
}

/** Values of one layer without its absent ones; throws UsageError at the first value that cannot be used. */
function checkLayer(values: unknown, describe: (key: string) => string, source: string): RunConfigInput {
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new UsageError(
      `${source}: the config is not an object.`,
      "Export an object of settings: export default defineConfig({ steps: 40 }).",
    );
  }
  // Only the keys that are there are checked: `partial` leaves the others to lower layers instead of their defaults.
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const issues = runConfigSchema.safeParse(given).error?.issues ?? [];
  const issue = narrowest(issues);
  if (issue === undefined) return given;
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0];
    throw new UsageError(
      `${source}: unknown setting "${key}".${didYouMean(key, configKeys)}`,
      "`sqlm config` lists every setting.",
    );
  }
  const key = String(issue.path[0]);
  throw new UsageError(
    `${describe(key)} ${demand(issue)}, not ${show(given[key])}.${suggestion(issue, given[key])}`,
    describeKey(key),
  );
}

/** The first issue; where a number is out of several bounds at once, as beyond what is safe to count, the nearest bound. */
function narrowest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const [first] = issues;
  const same = issues.filter(({ path }) => path[0] === first.path[0]);
  if (first?.code === "too_big") {
    const bounds = same.filter((issue) => issue.code === "too_big");
    return bounds.reduce((least, issue) => (issue.maximum < least.maximum ? issue : least));
  }
  if (first?.code === "too_small") {
    const bounds = same.filter((issue) => issue.code === "too_small");
    return bounds.reduce((most, issue) => (issue.minimum > most.minimum ? issue : most));
  }
  return first;
}

/** A value as a user would write it, at most a line of it. */
function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : inspect(value, { depth: 1, breakLength: Infinity });
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/** What an issue asks for, as the rest of a sentence that begins with the key. */
function demand(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
      return `must be ${issue.inclusive ? "at least" : "above"} ${issue.minimum}`;
    case "too_big":
      return `must be ${issue.inclusive ? "at most" : "below"} ${issue.maximum}`;
    case "invalid_type":
      return `must be ${issue.expected === "int" ? "a whole number" : issue.expected === "boolean" ? "true or false" : `a ${issue.expected}`}`;
    case "invalid_value":
      return `must be one of ${issue.values.map(String).join(", ")}`;
    default:
      return `is not usable (${issue.message})`;
  }
}

function suggestion(issue: z.core.$ZodIssue, given: unknown): string {
  return issue.code === "invalid_value" && typeof given === "string" ? didYouMean(given, issue.values.map(String)) : "";
}

function describeKey(key: string): string {
  return runConfigSchema.shape[key as ConfigKey].description ?? "`sqlm config` lists every setting.";
}

/** What no single key can say. */
function checkTogether({ config, origins }: Pick<ResolvedConfig, "config" | "origins">): void {
  if (config.bandLow > config.bandHigh) {
    const { layer, name } = origins.bandLow.layer === "default" ? origins.bandHigh : origins.bandLow;
    throw new UsageError(
      `bandLow (${config.bandLow}) is above bandHigh (${config.bandHigh}); the last came from ${name ?? layer}.`,
      "Give both ends of the band, the lower one first: --band-low 0.5 --band-high 0.9.",
    );
  }
}

/**
 * Settings that somebody gave and that are not in force. One given as a flag is refused: whoever types it expects it to
 * change something. Files and environment are shared by runs of different kinds, so there a sentence is enough.
 */
function idleSettings({ config, origins }: Pick<ResolvedConfig, "config" | "origins">): string[] {
  return configKeys.flatMap((key) => {
    const { layer, name } = origins[key];
    if (layer !== "flag" && layer !== "file" && layer !== "environment") return [];
    const reason = idleBecause(runConfigSchema.shape[key], config);
    if (reason === null) return [];
    if (layer === "flag") {
      throw new UsageError(
        `${name ?? flagName(key)} changes nothing here: ${reason}.`,
        "Leave it out, or change both.",
      );
    }
    return [`${key} in ${name} changes nothing here: ${reason}.`];
  });
}
