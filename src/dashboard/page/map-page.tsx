// What a run asks: kinds of questions over its steps, what it took up and what it gave up, and the levels beside them.
import type { JSX } from "preact";
import type { KindMap, QuestionGrid, QuestionKind, RunState } from "../api.ts";
import { trendOf } from "../kind-trends.ts";
import { formatValue, span } from "../pictures.ts";
import { difficultyGrid } from "../run-pictures.ts";
import { cellShades } from "../svg.ts";
import { useData, useThrottled } from "./data.ts";
import { useChanges } from "./live.ts";
import { PictureCard } from "./picture-card.tsx";
import { go, questionLink, questionsLink } from "./router.ts";
import { RunHeading } from "./run-page.tsx";
import { ModelLine } from "./text.tsx";
import { ProblemNote, Scroll, Show } from "./ui.tsx";

export function MapPage({ run }: { run: string }): JSX.Element {
  const base = `/api/runs/${encodeURIComponent(run)}`;
  const state = useData<RunState>(base);
  const kinds = useData<KindMap>(`${base}/kinds`);
  const levels = useData<QuestionGrid>(`${base}/grid/difficulty`);
  const reload = useThrottled(
    () => {
      state.reload();
      kinds.reload();
      levels.reload();
    },
    3000,
    state.took + kinds.took + levels.took,
  );
  useChanges((change) => {
    if (!("run" in change) || change.run === run) reload();
  });
  const grid = levels.value === null ? null : difficultyGrid(levels.value);
  return (
    <main>
      <Show of={state}>{(value) => <RunHeading state={value} tab="map" />}</Show>
      {kinds.problem !== null && state.problem === null && <ProblemNote problem={kinds.problem} />}
      {kinds.value !== null && <Kinds run={run} map={kinds.value} knowsTruth={state.value?.knowsTruth !== false} />}
      {grid !== null && (
        <PictureCard
          picture={grid}
          wide
          onCell={(row, column) => {
            const [steps, level] = [levels.value?.columns[column], levels.value?.rows[row]];
            if (steps === undefined || level === undefined) return;
            go(
              questionsLink(run, {
                fromStep: steps[0],
                toStep: steps[1],
                minDifficulty: level[0],
                maxDifficulty: level[1],
              }),
            );
          }}
        />
      )}
    </main>
  );
}

function Kinds({ run, map, knowsTruth }: { run: string; map: KindMap; knowsTruth: boolean }): JSX.Element {
  const { kinds, columns, otherKinds, otherQuestions } = map;
  if (kinds.length === 0) return <p class="empty">No question has been asked yet.</p>;
  return (
    <section class="card wide">
      <h2>Kinds of questions over the steps</h2>
      <p class="faint">
        A kind is the text with all numbers taken for each other. The darker a cell, the larger the share of the
        questions of these steps.
      </p>
      <Scroll label="Kinds of questions">
        <table class="kinds">
          <thead>
            <tr>
              <th scope="col">Kind</th>
              <th scope="col" class="number">
                Questions
              </th>
              <th scope="col" class="number">
                Levels
              </th>
              <th scope="col">
                Steps {columns[0]?.[0]} to {columns.at(-1)?.[1]}
              </th>
              <th scope="col">Trend</th>
              <th scope="col" class="number">
                Taught
              </th>
              {knowsTruth && (
                <th scope="col" class="number">
                  Labels right
                </th>
              )}
              <th scope="col">Latest</th>
            </tr>
          </thead>
          <tbody>
            {kinds.map((kind) => (
              <Kind key={kind.kind} run={run} kind={kind} map={map} knowsTruth={knowsTruth} />
            ))}
          </tbody>
        </table>
      </Scroll>
      {otherKinds > 0 && (
        <p class="faint">
          {otherKinds.toLocaleString("en")} rarer kinds with {otherQuestions.toLocaleString("en")} questions are not
          shown.
        </p>
      )}
    </section>
  );
}

function Kind({
  run,
  kind,
  map: { columns, asked },
  knowsTruth,
}: {
  run: string;
  kind: QuestionKind;
  map: KindMap;
  knowsTruth: boolean;
}): JSX.Element {
  const shares = kind.counts.map((count, i) => (asked[i] ? count / asked[i] : 0));
  const most = Math.max(...shares, 1e-9);
  const trend = trendOf(kind.counts, asked);
  const { example, labelled, right, lowestDifficulty: low, highestDifficulty: high } = kind;
  return (
    <tr data-row>
      <th scope="row">
        <ModelLine text={kind.kind} width={60} />
      </th>
      <td class="number">{kind.questions.toLocaleString("en")}</td>
      <td class="number nowrap">{span([low, high])}</td>
      <td>
        <span
          class="kind-cells"
          role="img"
          aria-label={`asked in steps ${kind.firstStep} to ${kind.lastStep}, ${trend}`}
        >
          {shares.map((value, i) => (
            <span
              key={i}
              class={`cell shade-${value === 0 ? 0 : Math.max(1, Math.round(Math.sqrt(value / most) * (cellShades - 1)))}`}
              title={`steps ${span(columns[i])}: ${kind.counts[i]} questions, ${Math.round(value * 100)} %`}
            />
          ))}
        </span>
      </td>
      <td>
        <span class={`status trend-${trend.replace(" ", "-")}`}>{trend}</span>
      </td>
      <td class="number">{Math.round((kind.trained / kind.questions) * 100)} %</td>
      {knowsTruth && <td class="number">{labelled === 0 ? "–" : formatValue(right / labelled, "share")}</td>}
      <td>
        <a href={questionLink(run, example.step, example.position)} data-open>
          <ModelLine text={example.text} width={40} />
        </a>
      </td>
    </tr>
  );
}
