// Parts for tests of the command line: a real store, and a loop and an engine that do as they are told.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, vi } from "vitest";
import { describeError } from "../../src/cli/command.ts";
import { type Parts, projectParts } from "../../src/cli/parts.ts";
import { buildProgram } from "../../src/cli/program.ts";
import type { Engine, Policy } from "../../src/engine/engine.ts";
import { RunStoppedError } from "../../src/errors.ts";
import type { JudgedLevel } from "../../src/evaluate/evaluate.ts";
import type { GroupRecord, RunEvent, StepRecord } from "../../src/events.ts";
import type { ModelFolder } from "../../src/model/model-folder.ts";
import { sumQuestion } from "../../src/topics/arithmetic-notation.ts";
import type { Evaluation, LevelResult } from "../../src/types.ts";
import { vote } from "../../src/verify/vote.ts";

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlm-cli-"));
  folders.push(folder);
  return folder;
}

/** Runs the command line in this process and catches what it writes. */
export async function runCli(args: readonly string[], parts: Partial<Parts> = {}): Promise<CliResult> {
  const written = { stdout: "", stderr: "" };
  const catchInto = (name: "stdout" | "stderr") =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      written[name] += text;
      return true;
    });
  const spies = [catchInto("stdout"), catchInto("stderr")];
  const codeBefore = process.exitCode;
  process.exitCode = undefined;
  try {
    await buildProgram({ ...projectParts, ...parts }).parseAsync(args, { from: "user" });
    return { code: Number(process.exitCode ?? 0), ...written };
  } catch (error) {
    const { text, exitCode } = describeError(error);
    return { code: exitCode, stdout: written.stdout, stderr: `${written.stderr}${text}\n` };
  } finally {
    process.exitCode = codeBefore;
    for (const spy of spies) spy.mockRestore();
  }
}

function level(difficulty: number, passAt1: number): LevelResult {
  const passAt1Interval = [Math.max(0, passAt1 - 0.02), Math.min(1, passAt1 + 0.02)] as const;
  return { difficulty, passAt1, passAt1Interval, greedy: passAt1, majAt16: passAt1, questions: 200 };
}

function evaluation(...passAt1: readonly number[]): Evaluation {
  return { model: "scripted", topic: "arithmetic", levels: passAt1.map((value, i) => level(i + 1, value)) };
}

/** Levels of ten questions each, of whose answers these shares are right: the first questions' all, the others' none. */
export function judgedLevels(...shares: readonly number[]): JudgedLevel[] {
  return shares.map((share, i) => ({
    difficulty: i + 1,
    outcomes: Array.from({ length: 10 }, (_, index) => {
      const answer = { text: "579", value: "579", right: index < share * 10, cutOff: false };
      const question = { text: `${index}`, key: `${i} ${index}`, difficulty: i + 1 };
      return { question, sampled: Array(16).fill(answer), greedy: answer, voteRight: answer.right };
    }),
  }));
}

/** One group: a sum of this difficulty whose answers are `values`. */
function group(digits: number, values: readonly (string | null)[], proposal = 0): GroupRecord {
  const question = sumQuestion({ left: String(10 ** (digits - 1)), operator: "+", right: String(10 ** (digits - 1)) });
  const verdict = vote(values.map((value) => ({ form: 0, value })));
  const completion = { tokens: [1, 2], logprobs: [-0.1, -0.2], stopReason: "stop" as const };
  return {
    question,
    proposal,
    answers: values.map((value, i) => ({
      ...completion,
      promptTokens: [3],
      text: value ?? "?",
      form: 0,
      value,
      reward: verdict.scores[i],
      advantage: 0,
    })),
    verdict,
    proposerReward: 0,
    signal: verdict.winner === null ? "tie" : "trained",
    truth: { labelRight: verdict.winner === null ? null : verdict.winner.startsWith("2"), accuracy: 0.5 },
  };
}

function stepRecord(step: number): StepRecord {
  const groups = [group(1, ["2", "2", "3"], 0), group(2, ["20", "21", null], 1), group(step + 2, ["9", "9"], 2)];
  const proposals = groups.map(({ question }) => ({
    tokens: [1],
    logprobs: [-0.5],
    stopReason: "stop" as const,
    promptTokens: [2],
    text: question.text,
    ask: 0,
    question,
    refusal: null,
    reward: 1,
    advantage: 0,
  }));
  return { step, proposals, groups, metrics: { agreement: 0.6 + step / 100, loss: 1 / step }, seconds: 3 };
}

const policy: Policy = {
  capabilities: {
    name: "fake",
    lossFunctions: ["importance_sampling"],
    maxSequenceTokens: 64,
    topP: false,
    topK: false,
    klPenalty: false,
  },
  tokenizer: {
    // Characters are their code points; that is all that `ask` needs.
    encode: (text) => [...text].map((character) => character.charCodeAt(0)),
    decode: (tokens) => String.fromCharCode(...tokens.filter((token) => token !== 0)),
    endTokens: [0],
    encodeChat: () => [],
    tokensWith: () => [],
  },
  sample: async (asks) =>
    // Answers `975` (written backwards: 579) to every prompt, and something unreadable for the last sample.
    asks.map(({ numSamples }) =>
      Array.from({ length: numSamples }, (_, i) => {
        const tokens = [...[..."975"].map((digit) => digit.charCodeAt(0)), 0];
        const unreadable = [63, 0];
        const chosen = i > 0 && i === numSamples - 1 ? unreadable : tokens;
        return { tokens: chosen, logprobs: chosen.map(() => -0.1), stopReason: "stop" as const };
      }),
    ),
  score: async () => [],
  forwardBackward: async () => ({ logprobs: [], metrics: {} }),
  optimStep: async () => ({ metrics: {} }),
  save: async () => {},
  load: async () => {},
  freeze: async () => policy,
  [Symbol.asyncDispose]: async () => {},
};

const engine: Engine = {
  capabilities: policy.capabilities,
  tokenizer: policy.tokenizer,
  openPolicy: async () => policy,
  [Symbol.asyncDispose]: async () => {},
};

export interface Script {
  /** Step at which the loop throws. */
  readonly failAt?: number;
  /** Called before each step. */
  readonly beforeStep?: (step: number) => void;
}

/** A loop that records what a real one would, and an engine that always answers 579. */
export function scriptedParts({ failAt, beforeStep }: Script = {}): Partial<Parts> {
  return {
    openEngine: async () => engine,
    openModelFiles: async () => ({ folder: {} as ModelFolder, tokenizer: engine.tokenizer }),
    planEngine: async () => null,
    judgeLevels: async () => judgedLevels(0.9, 0.5),
    selfPlay: async ({ store, config, signal }) =>
      (async function* (): AsyncGenerator<RunEvent, void> {
        const record = (event: RunEvent): RunEvent => {
          store.append(event);
          return event;
        };
        const checkpoint = await store.latestCheckpoint();
        let step = checkpoint?.step ?? 0;
        store.rewindTo(step);
        yield record({ type: "run-start", run: store.run, fromStep: step, steps: config.steps });
        if (step === 0) yield record({ type: "evaluation-end", step: 0, evaluation: evaluation(0.9, 0.5, 0.1) });
        while (step < config.steps && !signal?.aborted) {
          step++;
          beforeStep?.(step);
          if (step === failAt) {
            yield record({ type: "run-end", step: step - 1, reason: "stopped", message: "The loss is NaN." });
            throw new RunStoppedError("The loss is NaN.", "Lower the learning rate.");
          }
          yield record({ type: "step-end", record: stepRecord(step) });
        }
        if (step === config.steps) yield record({ type: "evaluation-end", step, evaluation: evaluation(1, 0.9, 0.4) });
        const state = { step, seenKeys: [], recent: [], best: null };
        const { folder } = await store.saveCheckpoint(state, async (into) => {
          writeFileSync(join(into, "config.json"), "{}");
          writeFileSync(join(into, "optimizer.safetensors"), "moments");
        });
        yield record({ type: "checkpoint-saved", step, folder });
        yield record({ type: "run-end", step, reason: step === config.steps ? "finished" : "interrupted" });
      })(),
  };
}
