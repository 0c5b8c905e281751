// A slow examinee whose replies are recorded, for tests that kill it: node exam-child.ts FOLDER ASKED
// Writes a line into ASKED for every call that reaches the model, and its outcomes to standard output at the end.
import { appendFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { ReplyRecord, withRecord } from "../../src/cli/reply-record.ts";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { holdExam } from "../../src/evaluate/exam.ts";

const [folder, asked] = process.argv.slice(2);
const policy = createScriptedPolicy({ reply: ({ prompt, random }) => `${prompt}${random.integer(0, 9)}` });
const slow = {
  ...policy,
  tokenizer: policy.tokenizer,
  capabilities: policy.capabilities,
  sample: async (...call: Parameters<typeof policy.sample>) => {
    const replies = await policy.sample(...call);
    await setTimeout(30);
    appendFileSync(asked, `${call[0].map(({ promptTokens }) => policy.tokenizer.decode(promptTokens)).join(",")}\n`);
    return replies;
  },
};
using record = new ReplyRecord(folder, "model", { quietSeconds: 0 });
const questions = Array.from({ length: 24 }, (_, i) => ({ text: `${i}:`, key: `${i}`, difficulty: 1 }));
const outcomes = await holdExam(
  withRecord(slow, record),
  {
    questions,
    maxTokens: 8,
    votes: true,
    prompt: ({ text }) => text,
    read: ({ tokens }) => ({ text: policy.tokenizer.decode(tokens), value: policy.tokenizer.decode(tokens) }),
    check: (_, { value }) => value.endsWith("7"),
  },
  { samples: 2, seed: 1, pace: { questions: 2, seconds: 0 } },
);
process.stdout.write(JSON.stringify(outcomes));
