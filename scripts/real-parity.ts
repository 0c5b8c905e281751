// Real checkpoints against transformers, PEFT and the gguf package: every number that this project computes from them.
//
//   SQLM_MODELS=FOLDER [SQLM_PYTHON=python3] node scripts/real-parity.ts [--only NAME]
//
// Needs a folder with GGUF files and a Python with torch, transformers, peft, safetensors, gguf and tokenizers; skips with a reason
// where one is missing. For each file: its values, token ids and chats (interop/gguf-parity.ts); logits and greedy text of its float32
// weights and how far int8 is from them as it is sampled with (interop/logits.ts); an adapter that was trained here in PEFT, its gradients, and
// the merged model (interop/lora.ts). Writes twice the float32 weights to a temporary folder. Nothing in the project needs this script.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { openModelFolder } from "../src/model/model-folder.ts";
import { openTokenizer } from "../src/model/tokenizer.ts";
import { compareGguf } from "./interop/gguf-parity.ts";
import { writeLogitsCase } from "./interop/logits.ts";
import { compareAdapter } from "./interop/lora.ts";
import { ggufModels, needPython, runPython } from "./interop/python.ts";
import { asFolder } from "./interop/whole-logits.ts";

const texts = [
  "The river rises in the hills to the north, and runs for forty miles before it meets the sea. In spring, when the snow melts, it " +
    "floods the meadows on both of its banks, and farmers move their sheep to higher ground.",
  "def median(values):\n    ordered = sorted(values)\n    middle = len(ordered) // 2\n    if len(ordered) % 2 == 1:\n" +
    "        return ordered[middle]\n    return (ordered[middle - 1] + ordered[middle]) / 2\n",
  "Zwei Züge fahren um 9:15 Uhr ab. 第一列火车每小时行驶80公里,第二列每小时行驶120公里。 Combien de temps faut-il au second pour être 30 km devant ?",
];
const questions = ["What is 12 + 34?", "Write a Python function that reverses a list.", "Nenne drei Farben."];
const threads = 2;

async function compareModel(path: string, work: string): Promise<boolean> {
  const good = [compareGguf(path)];
  const model = asFolder(path, join(work, "model"));
  const { companions } = openModelFolder(model);
  const tokenizer = openTokenizer(model, companions);
  const sequences = texts.map((text) => tokenizer.encode(text));
  const prompts = questions.map((content) => tokenizer.encodeChat([{ role: "user", content }]));
  const cases = join(work, "cases");
  await writeLogitsCase(join(cases, basename(path, ".gguf")), { model, sequences, prompts, threads, int8: true });
  good.push(runPython("logits.py", cases));
  rmSync(cases, { recursive: true });
  good.push(await compareAdapter(work, basename(path, ".gguf"), model, [24, 40]));
  rmSync(model, { recursive: true });
  return good.every((equal) => equal);
}

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
needPython("torch", "transformers", "peft", "safetensors", "gguf", "tokenizers");
const work = mkdtempSync(join(tmpdir(), "sqlm-real-parity-"));
try {
  for (const path of ggufModels().filter((name) => basename(name).includes(values.only))) {
    if (!(await compareModel(path, work))) process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true });
}
