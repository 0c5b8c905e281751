// `sqlm serve`: a model for programs that speak the OpenAI protocol.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { UnsupportedError } from "../../errors.ts";
import type { Tokenizer } from "../../types.ts";
import { describeError, makeCommand, readCount, terminalOf, withWorkspace } from "../command.ts";
import { sayWeights } from "../engine-progress.ts";
import { fetchWithProgress } from "../fetch-model.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { type ModelCommandOptions, modelSettings, openedAs, withModelOptions } from "../model-options.ts";
import { readPort } from "../open-dashboard.ts";
import type { Parts } from "../parts.ts";
import { runNamed } from "../run-name.ts";

interface ServeOptions extends ModelCommandOptions {
  readonly json?: boolean;
  readonly workspace: string;
  readonly host: string;
  readonly port: string;
  readonly maxTokens: string;
  readonly threads: string;
}

export function serveCommand(parts: Parts): Command {
  const command = makeCommand("serve", "Serve a model to programs that speak the OpenAI protocol.", [
    "sqlm serve models/arithmetic",
    "sqlm serve RUN --port 8000                   the newest checkpoint of a run",
    "SQLM_SERVE_KEY=... sqlm serve MODEL --host 0.0.0.0     for other machines too; they send the key",
  ]);
  return withModelOptions(withWorkspace(command))
    .argument("<model>", "Folder in Hugging Face layout, GGUF file, hub id ORG/NAME[@REVISION], or the name of a run.")
    .option("--port <number>", "Port; 0 takes any that is free.", "4760")
    .option(
      "--host <address>",
      "Address to listen on. Beyond this machine it takes a key, SQLM_SERVE_KEY.",
      "127.0.0.1",
    )
    .option("--max-tokens <count>", "Longest reply where a request names no number.", "1024")
    .option("--threads <count>", "Threads of the engine; 0 measures and chooses.", "0")
    .action(async (given: string, options: ServeOptions) => {
      const { checkServeKey, serveModel } = await import("../../serve/serve.ts");
      const terminal = terminalOf(options);
      const port = readPort(options.port);
      const maxTokens = readCount("--max-tokens", options.maxTokens, 1);
      const threads = readCount("--threads", options.threads);
      const { host } = options;
      const key = process.env["SQLM_SERVE_KEY"] || null;
      checkServeKey({ host, key });
      const meant = runNamed(given, options.workspace);
      const found = await fetchWithProgress({ model: meant, workspace: options.workspace }, terminal);
      const { folder, adapter } = await openedAs(found, options, terminal);
      const { weights } = options;
      const settings = modelSettings({ weights, ...(adapter === undefined ? {} : { adapter }) });
      const model = modelName(meant);
      using interrupt = listenForInterrupt(terminal, "Ending after what is being sampled.");
      await using engine = await parts.openEngine({ model: folder, threads, ...settings });
      sayWeights(terminal, engine.capabilities);
      // Disposed of first, it finishes what is under way: an engine's thread that is stopped within native code aborts the process.
      await using player = await engine.openPolicy();
      const report = (error: unknown): void => terminal.note(describeError(error).text);
      await using server = await serveModel({ player, model, maxTokens, host, port, key, report });
      terminal.say(`Serving ${model} at ${server.url}`);
      if (!takesChat(player.tokenizer))
        terminal.note("It has no chat template that takes a message: completions only.");
      terminal.result({ url: server.url, port: server.port, model });
      terminal.note("Ctrl-C ends it.");
      if (!interrupt.signal.aborted) await once(interrupt.signal, "abort");
    });
}

/** What requests call the model: the last part of a path, else what the user called it. */
export function modelName(given: string): string {
  return existsSync(given) ? basename(resolve(given)).replace(/\.gguf$/i, "") : given.replace(/^models\//, "");
}

function takesChat(tokenizer: Tokenizer): boolean {
  try {
    return tokenizer.encodeChat([{ role: "user", content: "Hello" }]).length > 0;
  } catch (error) {
    if (error instanceof UnsupportedError) return false;
    throw error;
  }
}
