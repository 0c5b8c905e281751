// The tables of `.sqlm/sqlm.db`, as a list of migrations. `PRAGMA user_version` counts how many a database has seen.
// Never edit a migration that was released: append one, and add a fixture of the version before to test/store/fixtures.
//
// Wall-clock time is only in columns named `created`, `recorded` and `seconds`; everything else of a run is decided by
// its config and seed, so that comparisons of runs leave those three out.

/** Marks a SQLite file as ours ("sqlm" in ASCII). */
export const applicationId = 0x73716c6d;

const version1 = `
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  config TEXT NOT NULL,
  created TEXT NOT NULL,
  recorded INTEGER NOT NULL,
  status TEXT NOT NULL,
  last_step INTEGER NOT NULL DEFAULT 0,
  model_shape TEXT
) STRICT;

-- Compact JSON of every event, in order; events.jsonl mirrors it.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  type TEXT NOT NULL,
  json TEXT NOT NULL,
  recorded INTEGER NOT NULL
) STRICT;
CREATE INDEX events_of_run ON events (run_id, superseded, id);

CREATE TABLE steps (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  proposals INTEGER NOT NULL,
  questions INTEGER NOT NULL,
  answers INTEGER NOT NULL,
  trained INTEGER NOT NULL,
  seconds REAL NOT NULL,
  recorded INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX steps_current ON steps (run_id, step) WHERE superseded = 0;

-- NULL stands for NaN, which SQLite has no value for.
CREATE TABLE metrics (
  step_id INTEGER NOT NULL REFERENCES steps (id),
  name TEXT NOT NULL,
  value REAL,
  PRIMARY KEY (step_id, name)
) STRICT, WITHOUT ROWID;

-- \`question\` and what follows it are NULL where the completion has no question in it.
CREATE TABLE proposals (
  step_id INTEGER NOT NULL REFERENCES steps (id),
  position INTEGER NOT NULL,
  prompt BLOB NOT NULL,
  tokens BLOB NOT NULL,
  stop_reason TEXT NOT NULL,
  logprob_sum REAL NOT NULL,
  logprob_min REAL NOT NULL,
  reward REAL NOT NULL,
  advantage REAL NOT NULL,
  reason TEXT,
  question TEXT,
  key TEXT,
  difficulty REAL,
  tests TEXT,
  PRIMARY KEY (step_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE questions (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  step_id INTEGER NOT NULL REFERENCES steps (id),
  step INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  position INTEGER NOT NULL,
  proposal INTEGER NOT NULL,
  question TEXT NOT NULL,
  key TEXT NOT NULL,
  difficulty REAL NOT NULL,
  agreement REAL NOT NULL,
  winner TEXT,
  signal TEXT NOT NULL,
  proposer_reward REAL NOT NULL,
  label_right INTEGER,
  accuracy REAL,
  tests TEXT,
  verdict TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX questions_current ON questions (run_id, step, position) WHERE superseded = 0;

-- What was put to the model, once for all answers to one form of a question.
CREATE TABLE prompts (
  question_id INTEGER NOT NULL REFERENCES questions (id),
  form INTEGER NOT NULL,
  tokens BLOB NOT NULL,
  PRIMARY KEY (question_id, form)
) STRICT, WITHOUT ROWID;

CREATE TABLE answers (
  question_id INTEGER NOT NULL REFERENCES questions (id),
  position INTEGER NOT NULL,
  form INTEGER NOT NULL,
  tokens BLOB NOT NULL,
  stop_reason TEXT NOT NULL,
  logprob_sum REAL NOT NULL,
  logprob_min REAL NOT NULL,
  value TEXT,
  reason TEXT,
  reward REAL NOT NULL,
  advantage REAL NOT NULL,
  PRIMARY KEY (question_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  removed INTEGER NOT NULL DEFAULT 0,
  folder TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  recorded INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX checkpoints_current ON checkpoints (run_id, step) WHERE superseded = 0;

-- One row a difficulty level.
CREATE TABLE evaluations (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  topic TEXT NOT NULL,
  difficulty REAL NOT NULL,
  pass_at_1 REAL NOT NULL,
  pass_at_1_low REAL NOT NULL,
  pass_at_1_high REAL NOT NULL,
  greedy REAL NOT NULL,
  maj_at_16 REAL NOT NULL,
  questions INTEGER NOT NULL,
  recorded INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX evaluations_current ON evaluations (run_id, step, difficulty) WHERE superseded = 0;

CREATE TABLE guard_events (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  detector TEXT NOT NULL,
  action TEXT NOT NULL,
  message TEXT NOT NULL,
  recorded INTEGER NOT NULL
) STRICT;
CREATE INDEX guard_events_of_run ON guard_events (run_id, superseded, id);

CREATE TABLE anomalies (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  kind TEXT NOT NULL,
  message TEXT NOT NULL,
  recorded INTEGER NOT NULL
) STRICT;
CREATE INDEX anomalies_of_run ON anomalies (run_id, superseded, id);
`;

// What a run was made for: all three NULL for one that no experiment made, `control` for one that is no control.
const version2 = `
ALTER TABLE runs ADD COLUMN experiment TEXT;
ALTER TABLE runs ADD COLUMN variant TEXT;
ALTER TABLE runs ADD COLUMN control TEXT;
`;

// The agreement of tests was the mean fraction of tests passed in this column and that of the outputs in the metrics of
// the same step: outputs in both.
const version3 = `
UPDATE questions SET agreement = json_extract(verdict, '$.outputAgreement') WHERE json_extract(verdict, '$.kind') = 'tests';
`;

// What a run was made from. Configs get the settings that older versions did not know, with what those versions did:
// json_patch lays the recorded values over them.
const version4 = `
ALTER TABLE runs ADD COLUMN sources TEXT;
UPDATE runs SET config = json_patch('{
  "learningRateSchedule": "constant",
  "negativeAdvantageScale": 1,
  "proposerEntropyCoef": 0,
  "repetitionPenalty": 0,
  "truncatedReplies": "read"
}', config);
`;

// What people look at: how much a question taught, the confidence of every token, where a step's time went.
const version5 = `
ALTER TABLE questions ADD COLUMN taught REAL;
UPDATE questions SET taught = (SELECT sum(abs(advantage)) FROM answers WHERE question_id = questions.id);
ALTER TABLE answers ADD COLUMN logprobs BLOB;
ALTER TABLE steps ADD COLUMN timing TEXT;
-- What questions are counted, filtered and sorted by, without their texts and verdicts.
CREATE INDEX questions_scanned ON questions
  (run_id, step, position, difficulty, agreement, signal, taught, label_right, accuracy) WHERE superseded = 0;
`;

// Before there were adapters all weights trained, as float32, and nothing corrected for the sampler.
const version6 = `
UPDATE runs SET config = json_patch('{
  "loraRank": 0,
  "loraAlpha": 32,
  "loraTargets": "all-linear",
  "weights": "f32",
  "adapter": "none",
  "importanceCap": 0
}', config);
`;

// Settings that came after adapters, with what was done before there were any.
const version7 = `
UPDATE runs SET config = json_patch('{
  "maxQuestionTokens": 0,
  "maxAnswerTokens": 0,
  "proposerWeights": "shared",
  "baseUrl": "none",
  "tokenizer": "model",
  "evalFile": "none",
  "examples": "none",
  "voteStop": "full",
  "labelRule": "consistent",
  "rareCellBonus": 0,
  "proposerBaseline": "ask",
  "gateLeak": 0,
  "guard": "off",
  "probeQuestions": 64,
  "probeAnswers": 12,
  "probeEvery": 2,
  "guardAlpha": 0.01,
  "guardMargin": 0.05,
  "guardThreshold": 10,
  "activationMemory": 0
}', config);
`;

// Before these a run asked what its proposer wrote of itself.
const version8 = `
UPDATE runs SET config = json_patch('{
  "replayShare": 0,
  "climb": "off"
}', config);
`;

// Before there were inverse checks the vote alone was the label.
const version9 = `UPDATE runs SET config = json_patch('{ "inverseAnswers": 0 }', config);`;

// Before these nothing was remembered of what was expected, and what forms disagreed about was worth nothing.
const version10 = `UPDATE runs SET config = json_patch('{ "progressBonus": 0, "splitReward": 0, "solverBaseline": "question" }', config);`;

// Before this a label with few votes taught nothing.
const version11 = `UPDATE runs SET config = json_patch('{ "lowAgreementPenalty": 0 }', config);`;

// Before this the first good questions of a step were solved.
const version12 = `UPDATE runs SET config = json_patch('{ "chooseQuestions": "first" }', config);`;

/** Migration i takes a database from version i to version i + 1. */
export const migrations: readonly string[] = [
  version1,
  version2,
  version3,
  version4,
  version5,
  version6,
  version7,
  version8,
  version9,
  version10,
  version11,
  version12,
];

/** Tables whose rows carry `run_id`, `step` and `superseded` and are rewound together. */
export const steppedTables = [
  "events",
  "steps",
  "questions",
  "checkpoints",
  "evaluations",
  "guard_events",
  "anomalies",
] as const;
