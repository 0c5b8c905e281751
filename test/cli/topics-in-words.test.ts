// Every command asks a model in the words that its chat template takes.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCli, scriptedParts, temporaryFolder } from "./scripted-parts.ts";

/** Files of a model with a chat template, without weights: `sqlm check` with replies of one's own opens none. */
function chatModel(size: object = {}): string {
  const folder = temporaryFolder();
  const config = {
    model_type: "llama",
    vocab_size: 8,
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 2,
    max_position_embeddings: 32,
    rms_norm_eps: 1e-5,
    ...size,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ chat_template: "{{ messages }}" }));
  return folder;
}

describe("a model with a chat template", () => {
  test("check reads replies in words, and in the notation for the shipped model", async () => {
    const given = ["--reply", " 47 + 385?", "--answer", "432}", "--json"];
    const { code, stdout } = await runCli(["check", "arithmetic", "--model", chatModel(), ...given]);
    expect(code).toBe(0);
    const { replies } = JSON.parse(stdout) as { replies: { question: object; answers: object[] }[] };
    expect(replies[0]).toMatchObject({
      question: { text: "What is 47 + 385?", key: "385+47" },
      answers: [{ value: "432", right: true }],
    });
    const notation = await runCli(["check", "arithmetic", ...given]);
    expect(JSON.parse(notation.stdout)).toMatchObject({ replies: [{ question: null }] });
  });

  test("ask takes the question in words or in the notation", async () => {
    for (const text of ["What is 123 + 456?", "123+456="]) {
      const asked = ["ask", chatModel(), text, "--topic", "arithmetic", "--votes", "6", "--json"];
      const { code, stdout } = await runCli(asked, scriptedParts());
      expect(code).toBe(0);
      // The engine of these tests always says 975: read as it stands, not backwards.
      expect(JSON.parse(stdout)).toMatchObject({ forms: [{ question: text, values: ["975", null] }, {}, {}, {}] });
    }
    const { code, stderr } = await runCli(
      ["ask", chatModel(), "Who are you?", "--topic", "arithmetic"],
      scriptedParts(),
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain("What is 123 + 456?");
  });

  test("config shows the recipe of a large one, and a preset that is named instead", async () => {
    const large = chatModel({
      vocab_size: 100_000,
      hidden_size: 640,
      num_attention_heads: 10,
      num_key_value_heads: 10,
    });
    const config = async (...args: string[]) =>
      JSON.parse((await runCli(["config", "--model", large, "--topic", "algebra", "--json", ...args])).stdout) as {
        config: object;
        origins: object;
      };
    expect(await config()).toMatchObject({
      config: { preset: "real", groupSize: 16 },
      origins: { groupSize: { layer: "preset", name: "real" }, loraRank: { layer: "default" } },
    });
    expect(await config("--preset", "paper")).toMatchObject({ config: { preset: "paper", groupSize: 4 } });
    expect((await config("--max-answer-tokens", "64")).config).toMatchObject({ maxAnswerTokens: 64 });
  });
});

test("a topic in words is refused for a model without a chat template, and what to do is said", async () => {
  const { code, stderr } = await runCli(["ask", "arithmetic", "How many legs has a cat?", "--topic", "plain:animals"]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/has no chat template[\s\S]*instruction-tuned model/);
});
