// `sqlm serve-tinker`: a model to train for programs that speak the Tinker protocol.
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { WeightSettings } from "../../config/engine.ts";
import { UsageError } from "../../errors.ts";
import { isAdapterFolder } from "../../model/adapter.ts";
import { openModelFolder } from "../../model/model-folder.ts";
import { modelNamed } from "../checkpoint-of.ts";
import { describeError, makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { sayWeights } from "../engine-progress.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { openedAs, weightsOption, withBaseOption } from "../model-options.ts";
import { readPort } from "../open-dashboard.ts";
import type { Parts } from "../parts.ts";
import { modelName } from "./serve.ts";

interface ServeTinkerOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly name?: string;
  readonly base?: string;
  readonly host: string;
  readonly port: string;
  readonly loraRank?: string;
  readonly loraAlpha: string;
  readonly loraTargets: string;
  readonly weights: WeightSettings["weights"];
  readonly seed: string;
  readonly threads: string;
  readonly saves?: string;
}

/** What the official SDK asks for where a program does not say. */
const defaultRank = 32;

export function serveTinkerCommand(parts: Parts): Command {
  const command = makeCommand("serve-tinker", "Train and sample a model for programs that speak the Tinker protocol.", [
    "sqlm serve-tinker HuggingFaceTB/SmolLM2-135M-Instruct",
    "TINKER_BASE_URL=http://127.0.0.1:4770 TINKER_API_KEY=tml-local python loop.py     with the official SDK",
    "SQLM_SERVE_KEY=tml-... sqlm serve-tinker MODEL --host 0.0.0.0     for other machines too; they send the key",
  ]);
  return withBaseOption(withWorkspace(command))
    .argument("<model>", "Folder in Hugging Face layout, GGUF file, hub id ORG/NAME[@REVISION], or the name of a run.")
    .option("--name <name>", "What clients call the model (default: its hub id, or the name of its folder).")
    .option("--port <number>", "Port; 0 takes any that is free.", "4770")
    .option(
      "--host <address>",
      "Address to listen on. Beyond this machine it takes a key, SQLM_SERVE_KEY.",
      "127.0.0.1",
    )
    .option("--lora-rank <count>", `Rank of every model's adapter (default: ${defaultRank}); 0 trains all weights.`)
    .option("--lora-alpha <number>", "An adapter's part is scaled by this over its rank.", "32")
    .option("--lora-targets <names>", "What gets an adapter: all-linear, or names such as q_proj,v_proj.", "all-linear")
    .addOption(weightsOption())
    .option("--seed <count>", "Seed of adapters for which a client names none.", "1")
    .option("--threads <count>", "Threads of the engine; 0 measures and chooses.", "0")
    .option("--saves <folder>", "Where saved weights are kept (default: tinker/ in the workspace).")
    .action(async (given: string, options: ServeTinkerOptions) => {
      const { checkTinkerKey, keyVariable, serveTinker } = await import("../../engine/tinker/server/serve.ts");
      const terminal = terminalOf(options);
      const { host } = options;
      const port = readPort(options.port);
      const key = process.env[keyVariable] || null;
      checkTinkerKey({ host, key });
      const threads = readCount("--threads", options.threads);
      const seed = readCount("--seed", options.seed);
      const found = await modelNamed(given, options.workspace, terminal);
      const settings = adapterSettings(options, found);
      const folder = resolve(options.saves ?? join(options.workspace, "tinker"));
      const opened = await openedAs(found, { ...(options.base === undefined ? {} : { base: options.base }) }, terminal);
      const beside = opened.adapter === undefined ? {} : { adapter: opened.adapter };
      const model = { ...describeModel(found), names: namesOf(options.name ?? modelName(given), given, found) };
      using interrupt = listenForInterrupt(terminal, "Ending after what the engine is doing.");
      await using engine = await parts.openEngine({ model: opened.folder, threads, seed, ...settings, ...beside });
      sayWeights(terminal, engine.capabilities);
      const report = (error: unknown): void => terminal.note(describeError(error).text);
      await using server = await serveTinker({ engine, model, folder, host, port, key, report });
      const [name] = model.names;
      terminal.say(`Serving ${name} at ${server.url}`);
      terminal.say(
        `For the official SDK: TINKER_BASE_URL=${server.url} TINKER_API_KEY=${key === null ? "tml-local" : "…"}`,
      );
      terminal.result({ url: server.url, port: server.port, model: name, saves: folder });
      terminal.note("Ctrl-C ends it. Weights that were not saved are gone then.");
      if (!interrupt.signal.aborted) await once(interrupt.signal, "abort");
    });
}

/** A checkpoint with an adapter keeps its own; what would change nothing is refused by whoever opens the model. */
function adapterSettings({ loraRank, loraAlpha, loraTargets, weights }: ServeTinkerOptions, model: string) {
  const alpha = Number(loraAlpha);
  if (!(Number.isFinite(alpha) && alpha > 0)) {
    throw new UsageError(`--lora-alpha must be a number above 0, not "${loraAlpha}".`, "The official service has 32.");
  }
  if (isAdapterFolder(model) && loraRank === undefined) return { weights };
  const rank = loraRank === undefined ? defaultRank : readCount("--lora-rank", loraRank);
  return rank === 0 ? { loraRank: 0 } : { loraRank: rank, loraAlpha: alpha, loraTargets, weights };
}

/** What clients may call the model: what is told, what the user wrote, and its folder. */
function namesOf(name: string, given: string, found: string): readonly [string, ...string[]] {
  return [name, ...new Set([given, found].filter((other) => other !== name))];
}

/** Where a client of this machine finds the tokenizer, and what kind of model it is. */
function describeModel(model: string) {
  const { config } = openModelFolder(model);
  const isFolder = existsSync(join(model, "tokenizer.json")) && statSync(model).isDirectory();
  return { tokenizer: isFolder ? model : null, architecture: config.family };
}
