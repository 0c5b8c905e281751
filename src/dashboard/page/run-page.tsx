// A run: how it stands, what stood out, and its pictures.
import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";
import type { RunState, StepColumns } from "../api.ts";
import { marksOf, noticesOf } from "../notices.ts";
import type { Mark } from "../pictures.ts";
import { runPictures } from "../run-pictures.ts";
import { PictureCard } from "./picture-card.tsx";
import { go, link, questionLink, questionsLink, runLink, stepLink } from "./router.ts";
import { type RunData, useRun } from "./run-data.ts";
import { ModelLine } from "./text.tsx";
import { duration, Notices, ProblemNote, Status, share, Tile, when } from "./ui.tsx";

const noGrid = { columns: [], rows: [], cells: [] };

export function RunPage({ run }: { run: string }): JSX.Element {
  const data = useRun(run);
  return (
    <main>
      {data.problem !== null && <ProblemNote problem={data.problem} />}
      {data.state === null && data.problem === null && <p class="faint waiting">Reading…</p>}
      {data.state !== null && <Run state={data.state} data={data} />}
    </main>
  );
}

function Run({ state, data }: { state: RunState; data: RunData }): JSX.Element {
  const { steps, difficulty, solveRate } = data;
  const { run } = state;
  const same = useSame();
  const marks = same(
    "marks",
    useMemo(() => marksOf(state), [state]),
  );
  const groups = useMemo(
    () =>
      steps === null
        ? []
        : runPictures({ state, steps, difficulty: difficulty ?? noGrid, solveRate: solveRate ?? noGrid }),
    [state, steps, difficulty, solveRate],
  );
  const openCell = (id: string, row: number, column: number): void => {
    const grid = id === "difficulty" ? difficulty : solveRate;
    const [steps_, rows] = [grid?.columns[column], grid?.rows[row]];
    if (steps_ === undefined || rows === undefined) return;
    const tests = state.metricNames.includes("trustedTestShare");
    const range =
      id === "difficulty"
        ? { minDifficulty: rows[0], maxDifficulty: rows[1] }
        : // For programs the solve rate is of tests, which questions cannot be searched by.
          tests
          ? {}
          : { minAgreement: rows[0], maxAgreement: rows[1] };
    go(questionsLink(run, { fromStep: steps_[0], toStep: steps_[1], ...range }));
  };
  return (
    <>
      <RunHeading state={state} tab="overview" />
      <Notices notices={noticesOf(state, steps?.metrics)} />
      <Tiles state={state} steps={steps} />
      <StoodOut state={state} data={data} />
      <MarkKey marks={marks} />
      {groups.map(({ title, pictures }) => (
        <section key={title} class="group">
          <h2>{title}</h2>
          <div class="cards">
            {pictures.map((picture) => (
              <PictureCard
                key={picture.id}
                picture={same(picture.id, picture)}
                marks={marks}
                onStep={(step) => go(stepLink(run, Math.max(1, step)))}
                onCell={(row, column) => openCell(picture.id, row, column)}
              />
            ))}
          </div>
        </section>
      ))}
      {steps !== null && steps.steps.length === 0 && <p class="empty">No step has been recorded yet.</p>}
      <Happened run={run} marks={marks} />
      <Settings state={state} />
    </>
  );
}

/**
 * Gives what it was given before under the same name where nothing in it has changed: what is drawn from it then need not
 * be drawn anew.
 */
function useSame(): <Value>(name: string, value: Value) => Value {
  const known = useRef(new Map<string, { readonly text: string; readonly value: unknown }>());
  return <Value,>(name: string, value: Value): Value => {
    const text = JSON.stringify(value);
    const before = known.current.get(name);
    if (before?.text === text) return before.value as Value;
    known.current.set(name, { text, value });
    return value;
  };
}

export function RunHeading({
  state,
  tab,
}: {
  state: RunState;
  tab: "overview" | "questions" | "map" | "";
}): JSX.Element {
  const { run, status, lastStep, config, created, trial } = state;
  const tabs = [
    ["overview", "Overview", runLink(run)],
    ["questions", "Questions", questionsLink(run)],
    ["map", "What it asks", link(["run", run, "map"])],
  ] as const;
  return (
    <>
      <div class="heading">
        <h1>{run}</h1>
        <Status status={status} />
        <p class="faint">
          <ModelLine text={config.topic} />, seed {config.seed}, started {when(created)} UTC
          {trial !== null && (
            <>
              {", "}
              <a href={link(["compare"], { experiment: trial.experiment })}>
                <ModelLine text={trial.experiment} />
              </a>
              : <ModelLine text={trial.variant} />
            </>
          )}
        </p>
        <progress max={config.steps} value={lastStep} aria-label={`Step ${lastStep} of ${config.steps}`} />
      </div>
      <nav class="tabs" aria-label="Views of the run">
        {tabs.map(([name, title, address]) => (
          <a key={name} href={address} aria-current={name === tab ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
    </>
  );
}

function Tiles({ state, steps }: { state: RunState; steps: StepColumns | null }): JSX.Element {
  const { config, lastStep, totals, evaluations, knowsTruth } = state;
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  // The level with most to gain says most.
  const level = first?.levels.toSorted((a, b) => Math.abs(a.passAt1 - 0.5) - Math.abs(b.passAt1 - 0.5))[0];
  const now = last?.levels.find(({ difficulty }) => difficulty === level?.difficulty);
  const latest = (name: string): number | null | undefined => steps?.metrics[name]?.at(-1);
  const left = totals.steps === 0 ? null : (totals.seconds / totals.steps) * (config.steps - lastStep);
  return (
    <div class="tiles">
      {level !== undefined && now !== undefined && first !== last ? (
        <Tile
          name={`Held-out accuracy, difficulty ${level.difficulty}`}
          value={
            <>
              <span class="faint">{share(level.passAt1)} →</span> {share(now.passAt1)}
            </>
          }
          note={`95 %: ${share(now.passAt1Interval[0])} to ${share(now.passAt1Interval[1])}, step ${last?.step}`}
        />
      ) : (
        <Tile
          name={level === undefined ? "Held-out accuracy" : `Held-out accuracy, difficulty ${level.difficulty}`}
          value={share(level?.passAt1)}
          note={first === undefined ? "never evaluated" : "before the first step"}
        />
      )}
      <Tile name="Agreement" value={share(latest("agreement"))} note="last step" />
      {knowsTruth ? (
        <Tile name="Labels right" value={share(latest("labelAccuracy"))} note="last step" />
      ) : (
        <Tile name="Labels right" value="unknown" note="the topic has no checker" />
      )}
      <Tile name="Difficulty asked" value={latest("difficulty")?.toFixed(2) ?? "–"} note="mean, last step" />
      <Tile
        name="Taught"
        value={totals.trained.toLocaleString("en")}
        note={`of ${totals.questions.toLocaleString("en")} questions, ${totals.answers.toLocaleString("en")} answers`}
      />
      <Tile
        name="Step"
        value={`${lastStep} / ${config.steps}`}
        note={
          state.status === "running" && left !== null && left > 0
            ? `about ${duration(left)} left`
            : duration(totals.seconds)
        }
      />
    </div>
  );
}

/** The questions that people ask for first. */
function StoodOut({ state, data }: { state: RunState; data: RunData }): JSX.Element {
  const { run, knowsTruth } = state;
  const { taughtMost: most, mostWrong } = data;
  const worst = knowsTruth ? mostWrong : null;
  return (
    <div class="stood-out">
      {most !== null && most.taught > 0 && (
        <a class="card link" id="taught-most" href={questionLink(run, most.step, most.position)}>
          <span class="faint">The question that taught most</span>
          <strong>
            <ModelLine text={most.question.text} width={70} />
          </strong>
          <span class="faint">
            step {most.step}, agreement {share(most.agreement)}
          </span>
        </a>
      )}
      {worst !== null && (
        <a class="card link" id="most-wrong" href={questionLink(run, worst.step, worst.position)}>
          <span class="faint">Most sure of a wrong answer</span>
          <strong>
            <ModelLine text={worst.question.text} width={50} /> → <ModelLine text={worst.winner ?? "–"} width={30} />
          </strong>
          <span class="faint">
            step {worst.step}, agreement {share(worst.agreement)}
          </span>
        </a>
      )}
      <a class="card link" href={questionsLink(run)}>
        <span class="faint">All questions</span>
        <strong>{state.totals.questions.toLocaleString("en")}</strong>
        <span class="faint">search and filter</span>
      </a>
    </div>
  );
}

const markNames: readonly (readonly [kind: Mark["kind"], sign: string, name: string])[] = [
  ["evaluation", "●", "evaluated"],
  ["checkpoint", "▲", "checkpoint kept"],
  ["guard", "┆", "guard"],
  ["anomaly", "┆", "anomaly"],
  ["resumed", "┆", "gone on with"],
];

function MarkKey({ marks }: { marks: readonly Mark[] }): JSX.Element | null {
  const shown = markNames.filter(([kind]) => marks.some((mark) => mark.kind === kind));
  if (shown.length === 0) return null;
  return (
    <p class="faint mark-key">
      On the axis of steps:{" "}
      {shown.map(([kind, sign, name]) => (
        <span key={kind}>
          <span class={`mark-sign mark-${kind}`} aria-hidden="true">
            {sign}
          </span>{" "}
          {name}{" "}
        </span>
      ))}
      Click on a picture to open the step; drag to zoom, double-click to zoom out.
    </p>
  );
}

function Happened({ run, marks }: { run: string; marks: readonly Mark[] }): JSX.Element | null {
  const shown = marks.filter(({ kind }) => kind === "guard" || kind === "anomaly" || kind === "resumed");
  if (shown.length === 0) return null;
  return (
    <section class="group">
      <h2>What happened on the way</h2>
      <ul class="happened">
        {shown.map(({ step, kind, text }, i) => (
          <li key={i}>
            {step > 0 ? <a href={stepLink(run, step)}>step {step}</a> : "step 0"}{" "}
            <span class={`status mark-${kind}`}>{kind}</span> <bdi dir="ltr">{text}</bdi>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Settings({ state: { config } }: { state: RunState }): JSX.Element {
  return (
    <details class="settings">
      <summary>Settings</summary>
      <dl>
        {Object.entries(config).map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>
              <ModelLine text={String(value)} />
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
