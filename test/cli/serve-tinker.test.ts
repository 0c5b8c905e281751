// `sqlm serve-tinker` as it is called: what is refused before a model is opened, and that what it serves is the model that was named.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { runCli, temporaryFolder } from "./scripted-parts.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

test.each<[string[], string | undefined, RegExp]>([
  [["--host", "0.0.0.0"], undefined, /To listen on 0\.0\.0\.0, beyond this machine, a key is needed in SQLM_SERVE_KEY/],
  [["--host", "0.0.0.0"], "0123456789abcdef", /must begin with tml-/],
  [["--port", "http"], undefined, /--port must be a whole number/],
  [["--lora-rank", "-1"], undefined, /--lora-rank must be a whole number/],
  [["--lora-alpha", "0"], undefined, /--lora-alpha must be a number above 0/],
])("%j with the key %j", async (args, key, sentence) => {
  vi.stubEnv("SQLM_SERVE_KEY", key);
  const openEngine = () => expect.fail("no model is opened");
  const { code, stderr } = await runCli(["serve-tinker", "models/arithmetic", ...args], { openEngine });
  expect(stderr).toMatch(sentence);
  expect(code).toBe(2);
});

test("serves the model under its name, its path and the name that it is given, until it is ended", async () => {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const args = ["serve-tinker", "models/arithmetic", "--name", "adder", "--port", "0", "--threads", "1", "--json"];
  const child = spawn(process.execPath, [main, ...args, "--workspace", temporaryFolder()], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const [line] = (await Promise.race([once(child.stdout, "data"), exited])) as [Buffer];
  const { url, model } = JSON.parse(line.toString()) as { url: string; model: string };
  expect(model).toBe("adder");
  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}/api/v1/${path}`, { method: "POST", body: JSON.stringify(body) });
    return (await response.json()) as { session_id: string; request_id: string; detail?: string; model_id: string };
  };
  const { session_id } = await post("create_session", { tags: [] });
  for (const [index, base_model] of ["adder", "models/arithmetic"].entries()) {
    const message = { session_id, model_seq_id: index, base_model, lora_config: { rank: 32 } };
    const { request_id, model_id } = await post("create_model", message);
    expect(await post("retrieve_future", { request_id })).toMatchObject({ type: "create_model" });
    expect(await post("get_info", { model_id })).toMatchObject({
      is_lora: true,
      lora_rank: 32,
      model_data: { model_name: "adder", arch: "llama", tokenizer_id: expect.stringContaining("models") },
    });
  }
  child.kill("SIGINT");
  expect((await exited)[0]).toBe(0);
});
