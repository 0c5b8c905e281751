// Chat templates beyond the cases from the field: what is right was rendered with transformers 5.24 (Jinja2 3.1).
import { describe, expect, test } from "vitest";
import { UnsupportedError } from "../../src/errors.ts";
import { chatRenderer, chatTemplateSchema } from "../../src/model/chat-template.ts";

const special = { bos_token: "<s>", eos_token: "</s>" };
const messages = [{ role: "user", content: "hi" }] as const;
const render = (source: string): string => chatRenderer(source, special, "MODEL")(messages);

describe("values are printed as Python prints them", () => {
  test.each([
    ["{{ false }}", "False"],
    ["{{ undefinedvariable }}", ""],
    ["{{ 10 / 2 }}", "5.0"],
    ["{{ 7 // 2 }}", "3"],
    ["{{ 1 / 3 }}", "0.3333333333333333"],
    ["{{ 0.00001 }}", "1e-05"],
    ["{{ 0.0001 }}", "0.0001"],
    ["{{ 0.00000000001 * 3 }}", "3e-11"],
    ["{{ 100000000000.0 * 1000000000 }}", "1e+20"],
    ["{{ 100000000000000000000 }}", "100000000000000000000"],
    ["{{ -0.0 }}", "-0.0"],
    ["{{ [1, none, true, 'a'] }}", "[1, None, True, 'a']"],
    ["{{ (1, 2) }}", "(1, 2)"],
    ["{{ [] }}{{ {} }}", "[]{}"],
    ["{{ {'a': 1.5, 'b': none, 'c': {'d': [false]}} }}", "{'a': 1.5, 'b': None, 'c': {'d': [False]}}"],
    ["{{ messages }}", "[{'role': 'user', 'content': 'hi'}]"],
    [`{{ ['it\\'s', 'a\\nb"', 'é\u200b', '\\\\'] }}`, `["it's", 'a\\nb"', 'é\\u200b', '\\\\']`],
    ["{{ 'a' ~ true ~ none ~ 1.0 }}", "aTrueNone1.0"],
    ["{{ none|string }}{{ true|string|length }}", "None4"],
    ["{{ [true, none, 1.0, 'z']|join('-') }}", "True-None-1.0-z"],
    ["{{ messages[0]|join(', ') }}", "role, content"],
    ["{% set x %}{{ true }}{% endset %}{{ x }}", "True"],
    ["{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(none) }}{{ m(true) }}", "<None><True>"],
    ["{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(b=none) }}", "{'b': None}"],
    ["{% for i in [none] %}{{ i }}{{ loop.first }}{% endfor %}", "NoneTrue"],
    ["{% if false %}{% else %}{{ none }}{% endif %}", "None"],
    ["{% filter upper %}{{ none }}{% endfilter %}", "NONE"],
    ["{{ messages|length > 0 }}", "True"],
    ["{{ {'b': 1.0, 'a': ['é', {}, none]}|tojson }}", '{"b": 1.0, "a": ["é", {}, null]}'],
    ["{{ {'b': 1, 'a': [2]}|tojson(indent=2, sort_keys=true) }}", '{\n  "a": [\n    2\n  ],\n  "b": 1\n}'],
    ["{{ [1.5, 'é', true]|tojson(separators=(',', ':'), ensure_ascii=true) }}", '[1.5,"\\u00e9",true]'],
  ])("%s", (source, text) => {
    expect(render(source)).toBe(text);
  });
});

describe("values are compared as Python compares them", () => {
  test.each([
    ["'' == 0", "False"],
    ["'1' == 1", "False"],
    ["1 == 1.0", "True"],
    ["true == 1", "True"],
    ["none == false", "False"],
    ["undefinedvariable == none", "False"],
    ["undefinedvariable != none", "True"],
    ["tools == none", "True"],
    ["[] == []", "True"],
    ["[1, [none]] == [1, [none]]", "True"],
    ["[1] == (1, 2)", "False"],
    ["{'a': 1} == {'a': true}", "True"],
    ["{'a': 1} != {'b': 1}", "True"],
  ])("%s", (expression, text) => {
    expect(render(`{{ ${expression} }}`)).toBe(text);
  });
});

describe("what a template refuses is said in its words", () => {
  test.each([
    ["{{ raise_exception('Only tool calls') }}", "refuses these messages: Only tool calls"],
    [
      "{% if messages[0].role == 'user' %}{{ raise_exception('No ' ~ messages[0]['role']) }}{% endif %}",
      "refuses these messages: No user",
    ],
    ["{% macro m() %}{{ raise_exception('inside') }}{% endmacro %}{{ m() }}", "refuses these messages: inside"],
    ["{{ 1 + none }}", "cannot be rendered"],
    ["{% if %}", "cannot be read"],
    ["{{ messages", "cannot be read"],
  ])("%s", (source, part) => {
    expect(() => render(source)).toThrow(UnsupportedError);
    expect(() => render(source)).toThrow(part);
    expect(() => render(source)).toThrow("chat template of the model MODEL");
  });

  test("a template that cannot be read is no harm until it is needed", () => {
    expect(() => chatRenderer("{% if %}", special, "MODEL")).not.toThrow();
  });
});

describe("templates by name", () => {
  const one = { name: "default", template: "D" };
  const other = { name: "tool_use", template: "T" };
  test.each([
    ["a list", [other, one]],
    ["an object", { tool_use: "T", default: "D" }],
  ])("%s: the default is used", (_, given) => {
    expect(chatRenderer(chatTemplateSchema.parse(given), special, "MODEL")(messages)).toBe("D");
  });

  test("none called default: their names are said", () => {
    const source = chatTemplateSchema.parse([other, { name: "rag", template: "R" }]);
    expect(() => chatRenderer(source, special, "MODEL")(messages)).toThrow("several chat templates (tool_use, rag)");
    expect(() => chatRenderer(null, special, "MODEL")(messages)).toThrow("has no chat template");
  });
});

test("a template sees no token that the model does not have, and no tools or documents", () => {
  const source = "{{ pad_token is defined }}{{ bos_token }}{{ tools is none }}{{ documents is none }}{{ tools }}";
  expect(render(source)).toBe("False<s>TrueTrueNone");
});
