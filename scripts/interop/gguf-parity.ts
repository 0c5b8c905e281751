// Compares how real GGUF files are read here with the Python packages gguf, tokenizers and transformers:
//   SQLM_MODELS=FOLDER [SQLM_PYTHON=python3] node scripts/interop/gguf-parity.ts
// Every tensor (bit for bit, by SHA-256), token ids of a multilingual corpus, rendered chats. Tests need none of this; it skips where
// something is missing and says what. gguf-parity.py is the other half.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parameterSpecs } from "../../src/model/model-config.ts";
import { openModelFolder, openWeights } from "../../src/model/model-folder.ts";
import { openTokenizer } from "../../src/model/tokenizer.ts";
import { randomStream } from "../../src/random.ts";
import type { ChatMessage } from "../../src/types.ts";
import { ggufModels, needPython, runPython } from "./python.ts";

const texts = [
  "Hello, world! It's 12 o'clock; we'll see 3.14159 and 1,234,567.",
  "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
  "Ça coûte 25 €, n'est-ce pas ? « Oui », dit-il — l’été dernier.",
  "Съешь же ещё этих мягких французских булок, да выпей чаю: № 42.",
  "我能吞下玻璃而不伤身体。２０２５年１２月，共计３．５万元。",
  "いろはにほへと ちりぬるを。カタカナと漢字、１２３。",
  "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
  "نص حكيم له سر قاطع وذو شأن عظيم ٠١٢٣٤٥٦٧٨٩",
  "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा १२३४",
  "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า ๑๒๓",
  "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
  "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, ½ + ¼ = ¾, x² + y³, Ⅷ, ①②③",
  "cafe\u0301 e\u0301te\u0301 \u1100\u1161\u11a8 ﬁ ﬀ Å \u212b",
  "👩‍👩‍👧‍👦 🇩🇪 🤷🏽‍♀️ 😀😀",
  "def f(x):\n    return [i**2 for i in range(x) if i % 2 == 0]\n\n\n\tprint(f(10))  # ok\r\n",
  "  leading and   inner    spaces\t\ttabs \n\n \n trailing   ",
  "a\u00a0b\u2009c\u3000d\u200be\ufefff",
  "$x = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}$ \\boxed{42}",
  "<|im_start|>user\nhi<|im_end|><|endoftext|> <tool_call>x</tool_call> <|not_a_token|>",
  "I'M YOU'RE WE'LL don't DON'T it'S",
  "0123456789 1000000 -5 +7 3e10 0x1F",
  "",
  " ",
  "\n",
  "!!!???...---___***",
];

const chats: readonly (readonly ChatMessage[])[] = [
  [{ role: "user", content: "What is 2 + 2?" }],
  [
    { role: "system", content: "Be brief." },
    { role: "user", content: "  Grüße, 世界!\n" },
  ],
  [
    { role: "user", content: "One?" },
    { role: "assistant", content: "1" },
    { role: "user", content: "Two?" },
  ],
];

/** Texts of characters from everywhere, seeded. */
function randomTexts(count: number): string[] {
  const random = randomStream("gguf-parity");
  const ranges = [
    [32, 126],
    [32, 126],
    [160, 591],
    [880, 1279],
    [1424, 1791],
    [2304, 2431],
    [8192, 8303],
    [19968, 20200],
    [127744, 128000],
    [9, 13],
  ];
  return Array.from({ length: count }, () =>
    Array.from({ length: random.integer(1, 40) }, () => {
      const [low, high] = ranges[random.integer(0, ranges.length - 1)];
      return String.fromCodePoint(random.integer(low, high));
    }).join(""),
  );
}

/** SHA-256 of every weight under its Hugging Face name; −0 counts as 0. */
function hashWeights(path: string): Record<string, string> {
  const { config } = openModelFolder(path);
  using source = openWeights({ folder: path, config });
  return Object.fromEntries(
    parameterSpecs(config).map(({ name }) => {
      const values = source.readTensor(name);
      for (let i = 0; i < values.length; i++) values[i] += 0;
      return [name, createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex")];
    }),
  );
}

/** Token ids, decoded text and rendered chats of everything here, and every weight; true where all equal Python's. */
export function compareGguf(path: string): boolean {
  const work = mkdtempSync(join(tmpdir(), "sqlm-parity-"));
  try {
    const { companions, config } = openModelFolder(path);
    const tokenizer = openTokenizer(path, companions);
    for (const [file, content] of companions) writeFileSync(join(work, file), content);
    const ours = {
      heads: config.heads,
      keyValueHeads: config.keyValueHeads,
      tied: config.tiedEmbeddings,
      weights: hashWeights(path),
      texts: [...texts, ...randomTexts(300)].map((text) => {
        const ids = tokenizer.encode(text);
        return { text, ids, decoded: tokenizer.decode(ids) };
      }),
      chats: chats.map((messages) => ({ messages, ids: tokenizer.encodeChat(messages) })),
    };
    writeFileSync(join(work, "ours.json"), JSON.stringify(ours));
    return runPython("gguf-parity.py", path, work);
  } finally {
    rmSync(work, { recursive: true });
  }
}

if (import.meta.main) {
  needPython("gguf", "tokenizers", "transformers");
  for (const path of ggufModels()) if (!compareGguf(path)) process.exitCode = 1;
}
