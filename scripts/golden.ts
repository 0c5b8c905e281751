// Golden runs: what a refactoring must leave equal, token for token. Plays short runs of the shipped models through the
// command line and prints a digest of everything that a seed decides: proposals, answers, questions, metrics, weights.
//
//   node scripts/bootstrap.mjs scripts/golden.ts [--code CHECKOUT] [--only NAME] > after.txt
//
// `--code` plays the code of another checkout, so that one script reads both sides of a change. Digests depend on the
// processor: play both on one machine and compare the two outputs with diff. It leaves out wall-clock times.
// Fails where a run would prove little: no update, no negative advantage of an answer, no advantage of a proposal.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

interface GoldenRun {
  readonly name: string;
  readonly arguments: readonly string[];
  /** Ends the run after its first checkpoint, without warning, and resumes it: the digests must be those of `equals`. */
  readonly killed?: true;
}

// Without a guard, which topics have had by default since the first of these runs were played.
const size = [
  "--steps",
  "3",
  "--groups-per-batch",
  "16",
  "--group-size",
  "8",
  "--eval-questions",
  "8",
  "--guard",
  "off",
];
const often = ["--proposer-every", "1", "--save-every", "1", "--threads", "1", "--seed", "5"];

const goldenRuns: readonly GoldenRun[] = [
  { name: "arithmetic", arguments: ["arithmetic"] },
  { name: "arithmetic-killed", arguments: ["arithmetic"], killed: true },
  { name: "algebra", arguments: ["algebra"] },
  { name: "coding", arguments: ["coding"] },
  { name: "arithmetic-paper", arguments: ["arithmetic", "--preset", "paper"] },
];

/** Fields of a stored verdict that digests cover: those of the first schema, so that fields may be added. */
const verdictFields = {
  vote: ["kind", "counts", "winner", "tie", "agreement", "unreadable", "groupSize", "formWinners", "consistent"],
  tests: [
    "kind",
    "passed",
    "passFractions",
    "meanPassFraction",
    "groupSize",
    "unreadable",
    "unagreedTests",
    "contradictoryTests",
    "trustedTests",
    "outputAgreement",
  ],
};

const columns = {
  proposals:
    "step, p.position, prompt, tokens, stop_reason, logprob_sum, logprob_min, reward, advantage, reason, question, key, difficulty, tests",
  answers:
    "step, q.position, a.position, form, tokens, stop_reason, logprob_sum, logprob_min, value, reason, reward, advantage",
  questions:
    "step, position, proposal, question, key, difficulty, signal, proposer_reward, label_right, accuracy, tests, verdict",
};

const root = fileURLToPath(new URL("..", import.meta.url));

function commandOf(code: string): string[] {
  return [join(root, "node_modules", "node", "bin", "node"), join(code, "src", "cli", "main.ts")];
}

/** Plays a run into a fresh workspace and returns the workspace's folder. */
async function play(run: GoldenRun, code: string, workspace: string): Promise<void> {
  const [node, main] = commandOf(code);
  const where = ["--workspace", workspace];
  const start = [main, "run", ...run.arguments, ...size, ...often, ...where];
  if (run.killed !== true) {
    finish(spawnSync(node, start, { cwd: code, encoding: "utf8" }), run.name);
    return;
  }
  const child = spawn(node, start, { cwd: code, stdio: "ignore" });
  const ended = new Promise((done) => child.once("exit", done));
  const names = (): string[] => runNames(workspace);
  const hasCheckpoint = (): boolean =>
    names().some((name) => existsSync(join(workspace, "runs", name, "checkpoints", "step-000001", "manifest.json")));
  while (child.exitCode === null && !hasCheckpoint()) await new Promise((wake) => setTimeout(wake, 20));
  child.kill("SIGKILL");
  await ended;
  finish(spawnSync(node, [main, "resume", names()[0], ...where], { cwd: code, encoding: "utf8" }), run.name);
}

function finish({ status, stderr }: { status: number | null; stderr: string }, name: string): void {
  if (status !== 0) throw new Error(`The golden run ${name} ended with exit code ${status}:\n${stderr}`);
}

function runNames(workspace: string): string[] {
  const path = join(workspace, "sqlm.db");
  if (!existsSync(path)) return [];
  using database = new DatabaseSync(path, { readOnly: true });
  try {
    return database
      .prepare("SELECT name FROM runs")
      .all()
      .map(({ name }) => String(name));
  } catch {
    // The child has made the file and not yet the tables.
    return [];
  }
}

const digest = (value: unknown): string =>
  createHash("sha256")
    .update(
      JSON.stringify(value, (_, inner: unknown) =>
        inner instanceof Uint8Array ? Buffer.from(inner).toString("base64") : inner,
      ),
    )
    .digest("hex")
    .slice(0, 16);

/** Digests by name, and what the run must have had to be worth comparing. */
function digestsOf(workspace: string): { readonly digests: Map<string, string>; readonly problems: string[] } {
  using database = new DatabaseSync(join(workspace, "sqlm.db"), { readOnly: true });
  const all = (sql: string): Record<string, unknown>[] => database.prepare(sql).all();
  const digests = new Map<string, string>();
  const proposals = all(
    `SELECT ${columns.proposals} FROM proposals p JOIN steps s ON s.id = p.step_id AND superseded = 0 ORDER BY step, p.position`,
  );
  const answers = all(
    `SELECT ${columns.answers.replace("q.position,", "q.position AS question,")} FROM answers a
       JOIN questions q ON q.id = a.question_id AND superseded = 0 ORDER BY step, q.position, a.position`,
  );
  const questions = all(`SELECT ${columns.questions} FROM questions WHERE superseded = 0 ORDER BY step, position`);
  const metrics = all(
    "SELECT step, name, value FROM metrics JOIN steps s ON s.id = step_id AND superseded = 0 ORDER BY name, step",
  );
  const evaluations = all(
    `SELECT step, difficulty, pass_at_1, pass_at_1_low, pass_at_1_high, greedy, maj_at_16, questions
       FROM evaluations WHERE superseded = 0 ORDER BY step, difficulty`,
  );
  digests.set("proposals", digest(proposals));
  digests.set("answers", digest(answers));
  digests.set("questions", digest(questions.map(({ verdict, ...rest }) => [rest, knownFields(String(verdict))])));
  digests.set("evaluations", digest(evaluations));
  for (const [name, values] of Map.groupBy(metrics, ({ name }) => String(name))) {
    digests.set(`metric ${name}`, digest(values));
  }
  const checkpoints = join(workspace, "runs", runNames(workspace)[0], "checkpoints", "step-000003");
  for (const file of ["model.safetensors", "optimizer.safetensors"]) {
    digests.set(
      file,
      createHash("sha256")
        .update(readFileSync(join(checkpoints, file)))
        .digest("hex")
        .slice(0, 16),
    );
  }
  const problems: string[] = [];
  if (!metrics.some(({ name, value }) => name === "updates" && Number(value) > 0)) problems.push("no update");
  if (!answers.some(({ advantage }) => Number(advantage) < 0)) problems.push("no negative advantage of an answer");
  if (!proposals.some(({ advantage }) => Number(advantage) !== 0)) problems.push("no advantage of a proposal");
  return { digests, problems };
}

function knownFields(json: string): unknown {
  const verdict = JSON.parse(json) as Record<string, unknown>;
  const fields = verdictFields[verdict["kind"] as keyof typeof verdictFields];
  return fields.map((field) => [field, verdict[field]]);
}

const { values } = parseArgs({ options: { code: { type: "string" }, only: { type: "string" } } });
const code = resolve(values.code ?? root);
const seen = new Map<string, Map<string, string>>();
let failed = false;
for (const run of goldenRuns.filter(({ name }) => values.only === undefined || name === values.only)) {
  const workspace = mkdtempSync(join(tmpdir(), "sqlm-golden-"));
  try {
    await play(run, code, workspace);
    const { digests, problems } = digestsOf(workspace);
    seen.set(run.name, digests);
    for (const [name, value] of digests) console.log(`${run.name}  ${name}  ${value}`);
    for (const problem of problems) {
      console.error(`${run.name}: the run had ${problem}, so it proves little. Change its seed or its size.`);
      failed = true;
    }
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}
for (const [name, value] of seen.get("arithmetic") ?? []) {
  const killed = seen.get("arithmetic-killed")?.get(name);
  if (killed !== undefined && killed !== value) {
    console.error(`arithmetic: ${name} differs between the run that was killed and the one that was not.`);
    failed = true;
  }
}
if (failed) process.exitCode = 1;
