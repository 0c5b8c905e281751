// Chat templates: @huggingface/jinja renders them, with the variables that transformers gives them and values printed as Python
// prints them. What a template refuses, and a template that cannot be read, is the model's affair and is said in its own words.
import { Template } from "@huggingface/jinja";
import { z } from "zod";
import { UnsupportedError } from "../errors.ts";
import type { ChatMessage } from "../types.ts";
import { type JsonOptions, pythonEquals, pythonJson, pythonText, type TemplateValue } from "./python-text.ts";

/** One template, or several by name: as a list (how transformers writes them) or an object. */
export const chatTemplateSchema = z.union([
  z.string(),
  z
    .array(z.object({ name: z.string(), template: z.string() }))
    .transform((list) => new Map(list.map(({ name, template }) => [name, template]))),
  z.record(z.string(), z.string()).transform((byName) => new Map(Object.entries(byName))),
]);
type ChatTemplateSource = z.output<typeof chatTemplateSchema>;

type RenderChat = (messages: readonly ChatMessage[]) => string;

/**
 * Renders messages with the model's template, ending where the model's reply begins. The template is read when it is first
 * needed: a model is of use without it. Throws UnsupportedError where there is none or it does not take the messages.
 * @param specialTokens texts by the names that templates know them by, such as `bos_token`
 */
export function chatRenderer(
  source: ChatTemplateSource | null,
  specialTokens: Readonly<Record<string, string | readonly string[]>>,
  model: string,
): RenderChat {
  let template: Template | null = null;
  return (messages) => {
    template ??= readTemplate(chooseTemplate(source, model), model);
    try {
      return template.render({
        ...specialTokens,
        [printName]: (values: readonly TemplateValue[]) => pythonText(values[0]),
        [textsName]: (values: readonly TemplateValue[]) => elementTexts(values[0]),
        [jsonName]: (values: readonly TemplateValue[], options?: unknown) =>
          pythonJson(values[0], jsonOptions(options)),
        [equalName]: ([left, right]: readonly TemplateValue[]) => pythonEquals(left, right),
        [refuseName]: (words: unknown) => {
          throw new Refused(String(words));
        },
        messages,
        add_generation_prompt: true,
        tools: null,
        documents: null,
      });
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new UnsupportedError(
        cause instanceof Refused
          ? `The chat template of the model ${model} refuses these messages: ${words}`
          : `The chat template of the model ${model} cannot be rendered: ${words}`,
        otherModelHint,
        { cause },
      );
    }
  };
}

const otherModelHint = "Use another model, or a topic with prompts that this template takes.";

/** What a template says with raise_exception. */
class Refused extends Error {}

function chooseTemplate(source: ChatTemplateSource | null, model: string): string {
  if (typeof source === "string") return source;
  if (source === null || source.size === 0) {
    throw new UnsupportedError(
      `The model ${model} has no chat template.`,
      "Use an instruction-tuned model, or a topic with plain-text prompts.",
    );
  }
  const chosen = source.get("default") ?? null;
  if (chosen !== null) return chosen;
  throw new UnsupportedError(
    `The model ${model} has several chat templates (${[...source.keys()].join(", ")}), but none called default.`,
    "Call one of them default in tokenizer_config.json.",
  );
}

function readTemplate(source: string, model: string): Template {
  try {
    const template = new Template(source);
    printAsPython(template.parsed);
    return template;
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new UnsupportedError(`The chat template of the model ${model} cannot be read: ${problem}`, otherModelHint, {
      cause,
    });
  }
}

// @huggingface/jinja 0.5.11 prints true for True, nothing for None and JSON for containers, and compares as JavaScript's == does
// (test/model/upstream-faults.test.ts says when that has changed). So in the parsed template every place that turns a value into text calls functions of ours.
// Their names have a space, so no template can use them.
const printName = "print as Python";
const textsName = "texts as Python";
const jsonName = "JSON as Python";
const equalName = "equal as Python";
const refuseName = "raise exception";

interface Node {
  type: string;
  [field: string]: unknown;
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value;

/** What stands in a template's text and prints nothing, or prints text already. */
const printsText: ReadonlySet<string> = new Set(
  "Program If For Set Macro CallStatement FilterStatement Break Continue Comment StringLiteral".split(" "),
);
const blocks: ReadonlySet<string> = new Set(["body", "alternate", "defaultBlock"]);

/** Changes a parsed template in place. */
function printAsPython(node: unknown): void {
  if (Array.isArray(node)) node.forEach(printAsPython);
  else if (node instanceof Map) {
    for (const [key, value] of node) {
      printAsPython(key);
      printAsPython(value);
    }
  } else if (isNode(node)) {
    // Inner nodes first, so that what is put in is not visited again.
    for (const [field, value] of Object.entries(node)) {
      printAsPython(value);
      if (blocks.has(field) && Array.isArray(value)) {
        node[field] = value.map((part) =>
          isNode(part) && !printsText.has(part.type) ? callOf(printName, [part]) : part,
        );
      }
    }
    changeNode(node);
  }
}

function changeNode(node: Node): void {
  if (node.type === "BinaryExpression" && isNode(node["operator"])) {
    const sign = node["operator"]["value"];
    if (sign === "~") for (const side of ["left", "right"]) node[side] = callOf(printName, [node[side]]);
    if (sign === "==" || sign === "!=") {
      // The comparison stays what it was, now of what ours says with true.
      node["left"] = callOf(equalName, [node["left"], node["right"]]);
      node["right"] = trueLiteral();
    }
  } else if (node.type === "FilterExpression" && isNode(node["filter"])) {
    const { filter } = node;
    const called = filter.type === "CallExpression" && isNode(filter["callee"]) ? filter["callee"] : filter;
    if (called["value"] === "string") node["operand"] = callOf(printName, [node["operand"]]);
    if (called["value"] === "join") node["operand"] = callOf(textsName, [node["operand"]]);
    if (called["value"] === "tojson") {
      const given = Array.isArray(filter["args"]) ? filter["args"].filter(isNode) : [];
      Object.assign(node, callOf(jsonName, [node["operand"]], given));
    }
  } else if (node.type === "CallExpression" && isNode(node["callee"])) {
    const { callee } = node;
    if (callee.type === "Identifier" && callee["value"] === "raise_exception") callee["value"] = refuseName;
  }
}

/** A call of `name` with one list that holds the values: in a list, they keep their types. */
function callOf(name: string, values: readonly unknown[], more: readonly Node[] = []): Node {
  const call: unknown = new Template("{{ name([value]) }}").parsed.body[0];
  if (isNode(call) && isNode(call["callee"]) && Array.isArray(call["args"]) && isNode(call["args"][0])) {
    call["callee"]["value"] = name;
    call["args"][0]["value"] = values;
    call["args"].push(...more);
    return call;
  }
  throw new Error("a call is not parsed as one");
}

/** What a template writes as `true`. */
function trueLiteral(): unknown {
  const node: unknown = new Template("{{ true }}").parsed.body[0];
  return node;
}

function elementTexts({ type, value }: TemplateValue): string[] {
  if (type === "StringValue") return Array.from(String(value));
  // A mapping gives its keys.
  if (value instanceof Map) return [...value.keys()].map(String);
  return Array.isArray(value) ? value.map(pythonText) : [];
}

/** Keyword arguments of the filter tojson, which arrive as a mapping. */
function jsonOptions(given: unknown): JsonOptions {
  const argument = (name: string): unknown => (given instanceof Map ? given.get(name)?.value : undefined);
  const indent = argument("indent");
  const separators = z.tuple([z.object({ value: z.string() }), z.object({ value: z.string() })]);
  const pair = separators.safeParse(argument("separators"));
  return {
    indent: typeof indent === "number" ? indent : null,
    separators: pair.success ? [pair.data[0].value, pair.data[1].value] : null,
    sortKeys: argument("sort_keys") === true,
    ensureAscii: argument("ensure_ascii") === true,
  };
}
