// Records what an instruction-tuned model says to the prompts of a topic in words, and how each reply is read:
//
//   node scripts/bootstrap.mjs scripts/record-exchange.ts MODEL_FOLDER "adding two numbers" > exchange.json
//
// The model answers and paraphrases its own first readable question, or the one given with --question.
// test/topics/plain.test.ts replays the recording.
import { parseArgs } from "node:util";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { decodeCompletion, encodePrompt, stopTokens } from "../src/play/prompts.ts";
import { randomStream } from "../src/random.ts";
import { plainTopic } from "../src/topics/plain.ts";
import { marked } from "../src/topics/plain-prompts.ts";
import type { ChatMessage, Reading } from "../src/types.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    replies: { type: "string", default: "12" },
    temperature: { type: "string", default: "1" },
    question: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const [folder, subject] = positionals;
if (folder === undefined || subject === undefined) {
  console.error("Give a model folder in Hugging Face layout with a chat template, and a subject.");
  process.exit(2);
}
await using engine = await openOnnxEngine({ model: folder, threads: 1, loraRank: -1 });
await using policy = await engine.openPolicy();
const { topic } = plainTopic(subject);

async function replies(messages: readonly ChatMessage[], role: "propose" | "solve"): Promise<string[]> {
  const promptTokens = encodePrompt(engine.tokenizer, messages);
  const [completions] = await policy.sample(
    [{ promptTokens, numSamples: Number(flags.replies), seed: Number(flags.seed), first: 0 }],
    {
      maxTokens: topic.maxTokens[role],
      temperature: Number(flags.temperature),
      stop: stopTokens(engine.tokenizer, topic.stopText?.[role]),
    },
  );
  return completions.map((completion) => decodeCompletion(engine.tokenizer, completion));
}

/** A reply beside what was read in it. */
const recorded = (reply: string, reading: Reading<string>): object =>
  reading.ok ? { reply, value: reading.value } : { reply, reason: reading.reason };

const asked = topic.proposePrompt({ random: randomStream(0, "record-exchange"), recent: [] }) as ChatMessage[];
const proposals = (await replies(asked, "propose")).map((reply) => ({ reply, reading: topic.readQuestion(reply) }));
const given = flags.question === undefined ? undefined : marked(flags.question);
const readable = given === undefined ? proposals.map(({ reading }) => reading) : [topic.readQuestion(given)];
const question = readable.find((reading) => reading.ok)?.value;
if (question === undefined || topic.paraphrase === undefined) {
  console.error("No proposal was readable:", JSON.stringify(proposals, null, 2));
  process.exit(1);
}
const { paraphrase } = topic;
const solveMessages = topic.solvePrompt(question) as ChatMessage[];
const paraphraseMessages = paraphrase.prompt(question) as ChatMessage[];
const text = (reading: ReturnType<typeof topic.readQuestion>): Reading<string> =>
  reading.ok ? { ok: true, value: reading.value.text } : reading;
const exchange = {
  subject,
  propose: { messages: asked, replies: proposals.map(({ reply, reading }) => recorded(reply, text(reading))) },
  solve: {
    question: question.text,
    messages: solveMessages,
    replies: (await replies(solveMessages, "solve")).map((reply) => recorded(reply, topic.readAnswer(reply, question))),
  },
  paraphrase: {
    question: question.text,
    messages: paraphraseMessages,
    replies: (await replies(paraphraseMessages, "propose")).map((reply) =>
      recorded(reply, text(paraphrase.read(reply, question))),
    ),
  },
};
console.log(JSON.stringify(exchange, null, 2));
