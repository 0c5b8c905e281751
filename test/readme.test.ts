// What the README says is so: its topic is the example and plays, its commands, files and links exist.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { topic as addition } from "../examples/addition.ts";
import { projectParts } from "../src/cli/parts.ts";
import { buildProgram } from "../src/cli/program.ts";

const root = resolve(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");

it("shows examples/addition.ts as a user would write it", () => {
  const example = readFileSync(join(root, "examples", "addition.ts"), "utf8");
  const code = example.replace(/^(?:\/\/.*\n)+/, "");
  expect(readme).toContain(`\`\`\`ts\n${code}\`\`\``);
});

it("its topic reads what the model writes, last digit first", () => {
  const { topic } = addition;
  const reading = topic.readQuestion("321+54=");
  expect(reading).toEqual({ ok: true, value: { text: "321+54=", key: "321+54", difficulty: 3 } });
  if (!reading.ok) return;
  expect(topic.solvePrompt(reading.value)).toBe("S321+54=");
  expect(topic.readAnswer("861", reading.value)).toEqual({ ok: true, value: "168" });
  expect(topic.restatements?.(reading.value).map(({ question }) => question.text)).toEqual(["54+321="]);
  expect(topic.readQuestion("321*5=")).toMatchObject({ ok: false });
});

it("names every command that help shows, and no other", () => {
  const shown = buildProgram(projectParts).commands.map((command) => command.name());
  const section = readme.slice(readme.indexOf("## The command line"), readme.indexOf("## The library"));
  const named = [...section.matchAll(/`([a-z-]+)(?: [^`]*)?`/g)].map(([, name]) => name);
  for (const name of shown) if (!["start", "help"].includes(name)) expect(named).toContain(name);
  for (const [row] of section.matchAll(/^\| `.*$/gm)) {
    for (const [, name] of row.split("|")[1].matchAll(/`([a-z-]+)/g)) expect(shown).toContain(name);
  }
});

it("names every file and folder directly in src/, and no other", () => {
  const tree = readme.slice(readme.indexOf("\nsrc/\n"), readme.indexOf("\nmodels/"));
  const named = new Set([...tree.matchAll(/([a-z-]+(?:\.ts|\/))/g)].map(([, name]) => name.replace("/", "")));
  const own = readdirSync(join(root, "src")).filter((name) => name !== "index.ts");
  expect(own.filter((name) => !named.has(name))).toEqual([]);
  const listed = [...tree.matchAll(/^ {2}([a-z.-]+)\/? /gm)].map(([, name]) => name);
  expect(listed.filter((name) => !own.includes(name))).toEqual([]);
});

it("links to files that exist", () => {
  // The picture is drawn from recorded runs and comes with the results.
  const links = [...readme.matchAll(/(?<!!\[[^\]]*)\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
