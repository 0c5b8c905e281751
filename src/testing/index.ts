// What `import … from "self-questioning/testing"` gives, for tests of topics, engines and stores of your own: an engine that replies
// from a script, the contract suites that every engine and store passes, and the gradient checker. The engine suite is
// written for Vitest, which is yours to install; nothing else here needs it.
export {
  createScriptedEngine,
  createScriptedPolicy,
  type ScriptedEngineOptions,
  type ScriptedRequest,
} from "../engine/scripted.ts";
export { describeEngineContract } from "./describe-engine-contract.ts";
export type { EngineContractOptions } from "./engine-fixture.ts";
export { type ExampleStepOptions, exampleEvaluation, exampleStep } from "./example-step.ts";
export { type GradientCheck, gradientError } from "./gradient-checker.ts";
export { type StoreContractCase, storeContract } from "./store-contract.ts";
