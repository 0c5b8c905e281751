// What `import … from "self-questioning"` gives: self-play, topics, engines, configs and recorded runs as a library.

export { type AnswerComparison, answersEqual, canonicalAnswer, markedAnswer } from "./answer/answer.ts";
export {
  type ConfigKey,
  configKeys,
  defineConfig,
  presets,
  type RunConfig,
  type RunConfigInput,
  runConfigSchema,
} from "./config/config.ts";
export { readConfigFile } from "./config/file.ts";
export { type ConfigLayers, type Origin, type ResolvedConfig, resolveConfig } from "./config/layers.ts";
export type * from "./engine/engine.ts";
export { type OpenEngineOptions, openEngine } from "./engine/open-engine.ts";
export * from "./errors.ts";
export { type EvaluateOptions, evaluate } from "./evaluate/evaluate.ts";
export { defineExperiment, type Experiment, type Variant } from "./evaluate/experiment.ts";
export type * from "./events.ts";
export { fetchModel, findModel, type ModelRequest } from "./model/find-model.ts";
export type { HubOptions, HubProgress } from "./model/hub.ts";
export { modelFacts } from "./model/model-facts.ts";
export { type Random, randomStream } from "./random.ts";
export type { SelfPlayOptions } from "./run-options.ts";
export type * from "./sandbox/sandbox.ts";
export { selfPlay } from "./self-play.ts";
export type * from "./store/store.ts";
export { openWorkspace } from "./store/workspace.ts";
export * from "./topics/define-topic.ts";
export { plainTopic } from "./topics/plain.ts";
export { type PlainPrompts, plainPrompts } from "./topics/plain-prompts.ts";
export { builtInTopicNames, openTopic } from "./topics/registry.ts";
export type * from "./topics/topic.ts";
export type * from "./types.ts";
