// How many answers votes that stop would have saved in runs that asked all of them: reads recorded groups from a workspace, stops
// each as `--vote-stop decided` does, and compares what it elects with what the whole group elected.
//
//   node scripts/bootstrap.mjs scripts/vote-savings.ts [--workspace FOLDER]
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { answersToAsk, earlyLook, firstLook, formVote } from "../src/play/voters.ts";
import { vote } from "../src/verify/vote.ts";

const { values } = parseArgs({ options: { workspace: { type: "string", default: ".sqlm" } } });
using database = new DatabaseSync(join(values.workspace, "sqlm.db"), { readOnly: true });

type Form = readonly (string | null)[];

/** As solve.ts asks, where all answers are known. */
function stopped(forms: readonly Form[], minAgreement: number, completeDisputed: boolean): Form[] {
  // Who wants to know the winner gives nothing up.
  const asked = forms.map(({ length }) => (completeDisputed ? earlyLook(length, forms.length) : firstLook(length)));
  for (;;) {
    const votes = forms.map((form, i) => formVote(form.slice(0, asked[i]), form.length));
    const more = answersToAsk(votes, { minAgreement, completeDisputed });
    if (more.every((answers) => answers === 0)) return forms.map((form, i) => form.slice(0, asked[i]));
    for (const [i, answers] of more.entries()) asked[i] += answers;
  }
}

const answersOf = (forms: readonly Form[]) => forms.flatMap((form, i) => form.map((value) => ({ form: i, value })));

console.log(
  "run | rule | groups | answers | saved | teaching groups with the same winner, not given up early | taught only by the whole group, unanimous so far | taught by neither or both",
);
for (const { id, name, config } of database.prepare("SELECT id, name, config FROM runs ORDER BY id").all()) {
  const { minAgreement, voteStop } = JSON.parse(String(config)) as { minAgreement: number; voteStop?: string };
  if (voteStop === "decided") continue;
  const rows = database
    .prepare(
      `SELECT q.id AS question, form, value FROM answers a JOIN questions q ON q.id = a.question_id
         WHERE q.run_id = ? AND superseded = 0 AND json_extract(verdict, '$.kind') = 'vote' ORDER BY q.id, a.position`,
    )
    .all(Number(id));
  const groups = [...Map.groupBy(rows, ({ question }) => question).values()].map((answers) =>
    [...Map.groupBy(answers, ({ form }) => form).values()].map(
      (form): Form => form.map(({ value }) => value as string | null),
    ),
  );
  for (const [rule, completeDisputed] of [
    ["training", true],
    ["winner alone", false],
  ] as const) {
    let [whole, asked, same, teaching, unanimous] = [0, 0, 0, 0, 0];
    for (const forms of groups) {
      const part = stopped(forms, minAgreement, completeDisputed);
      const [all, some] = [vote(answersOf(forms)), vote(answersOf(part))];
      whole += all.groupSize;
      asked += some.groupSize;
      if (!all.consistent || all.agreement < minAgreement || all.agreement === 1) continue;
      teaching++;
      if (some.consistent && some.winner === all.winner) same++;
      if (some.agreement === 1) unanimous++;
    }
    const percent = (part: number, of: number): string => `${((100 * part) / Math.max(1, of)).toFixed(1)} %`;
    console.log(
      [
        name,
        rule,
        groups.length,
        whole,
        percent(whole - asked, whole),
        percent(same, teaching),
        percent(unanimous, teaching),
        teaching,
      ].join(" | "),
    );
  }
}
