// Sampled pass@1 of arithmetic models, each operation and number of digits apart:
//
//   node scripts/bootstrap.mjs scripts/accuracy-by-operation.ts MODEL [MODEL...]
//
// Evaluation averages the operations of a level; this table shows what the average hides.
import { askEach } from "../src/engine/asks.ts";
import { openOnnxEngine } from "../src/engine/onnx/onnx-engine.ts";
import { encodePrompt } from "../src/play/prompts.ts";
import { randomStream } from "../src/random.ts";
import { arithmetic } from "../src/topics/arithmetic.ts";
import { type Operator, operators, sumQuestion } from "../src/topics/arithmetic-notation.ts";
import { drawSum, truth } from "../src/topics/arithmetic-truth.ts";

const digitsShown = [1, 2, 3, 4, 5];
const questions = 100;
const samples = 16;

const models = process.argv.slice(2);
if (models.length === 0) {
  console.error("Give at least one model folder, such as models/arithmetic.");
  process.exit(2);
}
for (const model of models) {
  await using engine = await openOnnxEngine({ model, threads: 1 });
  await using policy = await engine.openPolicy();
  const { tokenizer } = engine;

  const passAt1 = async (operator: Operator, digits: number): Promise<number> => {
    const random = randomStream("accuracy-by-operation", operator, digits);
    const sums = Array.from({ length: questions }, () => drawSum(operator, digits, random));
    const prompts = sums.map((sum) => encodePrompt(tokenizer, arithmetic.topic.solvePrompt(sumQuestion(sum))));
    const completions = await policy.sample(askEach(prompts, { numSamples: samples, seed: digits }), {
      maxTokens: arithmetic.topic.maxTokens.solve,
      temperature: 1,
      stop: tokenizer.endTokens,
    });
    const right = completions.flatMap((group, index) =>
      group.filter(({ tokens }) => {
        const reading = arithmetic.topic.readAnswer(tokenizer.decode(tokens), sumQuestion(sums[index]));
        return reading.ok && reading.value === truth(sums[index]);
      }),
    );
    return right.length / (questions * samples);
  };

  console.log(`| ${model} | ${digitsShown.map((digits) => `${digits} digits`).join(" | ")} |`);
  console.log(`|---|${digitsShown.map(() => "---").join("|")}|`);
  for (const operator of operators) {
    const row: string[] = [];
    for (const digits of digitsShown) row.push((await passAt1(operator, digits)).toFixed(3));
    console.log(`| ${operator} | ${row.join(" | ")} |`);
  }
}
