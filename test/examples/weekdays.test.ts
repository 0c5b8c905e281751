import { resolve } from "node:path";
import { expect, it } from "vitest";
import { createScriptedPolicy } from "../../src/engine/scripted.ts";
import { propose } from "../../src/play/propose.ts";
import { solve } from "../../src/play/solve.ts";
import { randomStream } from "../../src/random.ts";
import { openTopic } from "../../src/topics/registry.ts";
import { vote } from "../../src/verify/vote.ts";

const days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

it("examples/weekdays.ts plays a step with the scripted engine", async () => {
  const { topic, hidden } = await openTopic(resolve(import.meta.dirname, "../../examples/weekdays.ts"));
  expect(hidden).toBeNull();
  const engine = createScriptedPolicy({
    reply({ prompt, sample, random }) {
      if (prompt.startsWith("Name")) {
        return sample === 0 ? "Someday + 3" : `${random.pick(days)} + ${random.integer(0, 20)}`;
      }
      const [, day, count] = /is (\w+) \+ (\d+) days/.exec(prompt) ?? expect.fail(prompt);
      const right = days[(days.indexOf(day) + Number(count)) % 7];
      return sample % 4 === 3 ? "no idea" : ` ${right}.`;
    },
  });
  const sampling = { temperature: 1, topP: 1, topK: 0, truncatedReplies: "refuse" as const, seed: 1 };
  const proposals = await propose(engine, topic, {
    ...sampling,
    count: 12,
    accept: 4,
    random: randomStream("example"),
    recent: [],
    seenKeys: new Set(),
    heldOutKeys: new Set(),
  });
  expect(proposals[0]).toMatchObject({
    question: null,
    refusal: { kind: "malformed", says: "not a weekday and a number" },
  });
  const groups = await solve(engine, topic, proposals, {
    ...sampling,
    groupSize: 8,
    consistentVote: true,
    heldOutKeys: new Set(),
  });
  expect(groups.length).toBe(4);
  for (const { question, answers } of groups) {
    const [day, count] = question.text.split(" + ");
    expect(vote(answers)).toMatchObject({
      winner: days[(days.indexOf(day) + Number(count)) % 7],
      unreadable: 2,
      consistent: true,
    });
  }
});
