// What the topic promises. Run it with
//
//   sqlm test
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Question, randomStream } from "self-questioning";
import { topic } from "./topic.ts";

const { topic: sums, hidden } = topic;

function question(text: string): Question {
  const reading = sums.readQuestion(text);
  assert.ok(reading.ok, `${text} is a question`);
  return reading.value;
}

test("reads sums and nothing else", () => {
  assert.equal(question("12+345=").difficulty, 3);
  assert.equal(question("12+345=").key, question("345+12=").key);
  for (const reply of ["", "12+345", "12-345=", "12345+1=", "12+345=7", " 12+345="]) {
    assert.equal(sums.readQuestion(reply).ok, false, reply);
  }
});

test("reads answers into one form, last digit first", () => {
  assert.deepEqual(sums.readAnswer("64", question("21+43=")), { ok: true, value: "46" });
  assert.deepEqual(sums.readAnswer("640", question("21+43=")), { ok: true, value: "46" });
  assert.equal(sums.readAnswer("about 46", question("21+43=")).ok, false);
});

test("every form of a question has the same answer", () => {
  const forms = sums.restatements?.(question("21+43=")) ?? [];
  assert.deepEqual(
    forms.map((form) => form.question.text),
    ["43+21="],
  );
});

test("the checker knows the right answer, and held-out questions are readable", async () => {
  assert.equal(await hidden?.check(question("21+43="), "46"), true);
  assert.equal(await hidden?.check(question("21+43="), "47"), false);
  for (const level of hidden?.levels ?? []) {
    for (const held of hidden?.heldOut(level, 20, randomStream("test")) ?? []) {
      assert.deepEqual(question(held.text), held);
    }
  }
});
