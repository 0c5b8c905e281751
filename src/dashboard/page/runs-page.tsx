// All runs of the workspace: how each stands, and those to be compared.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { mostCompared, type RunRow, type RunsReply, type WorkspaceReply } from "../api.ts";
import { visibleLine } from "../visible.ts";
import { useData, useThrottled } from "./data.ts";
import { useChanges } from "./live.ts";
import { go, link, type Route, replaceQuery, runLink } from "./router.ts";
import { Scroll, Show, Spark, Status, share, when } from "./ui.tsx";

const perPage = 50;

export function RunsPage({ route }: { route: Route }): JSX.Element {
  const text = route.query.get("text") ?? "";
  const page = Math.max(0, Number(route.query.get("page") ?? 0) || 0);
  const search = new URLSearchParams({ text, limit: String(perPage), offset: String(page * perPage) });
  const runs = useData<RunsReply>(`/api/runs?${search}`);
  const workspace = useData<WorkspaceReply>("/api/workspace");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const reload = useThrottled(
    () => {
      runs.reload();
      workspace.reload();
    },
    1000,
    runs.took + workspace.took,
  );
  useChanges(reload);
  const toggle = (run: string): void =>
    setChosen((before) => (before.includes(run) ? before.filter((one) => one !== run) : [...before, run]));
  return (
    <main>
      <div class="heading">
        <h1>Runs</h1>
        <p class="faint">{workspace.value?.folder}</p>
      </div>
      {workspace.value !== null && workspace.value.experiments.length > 0 && (
        <Experiments workspace={workspace.value} />
      )}
      <div class="filters">
        <label>
          Find
          <input
            type="search"
            data-search
            value={text}
            placeholder="name, topic, experiment …"
            onInput={(event) => replaceQuery(route, { text: event.currentTarget.value })}
          />
        </label>
        <button
          type="button"
          disabled={chosen.length < 2}
          onClick={() => go(link(["compare"], { runs: chosen.slice(0, mostCompared).join(",") }))}
        >
          Compare {chosen.length < 2 ? "(choose two or more)" : chosen.length}
        </button>
      </div>
      <Show of={runs}>
        {({ total, runs: found }) => (
          <>
            <RunTable runs={found} chosen={chosen} toggle={toggle} />
            {total === 0 && (
              <p class="empty">
                {text === ""
                  ? "There are no runs here yet. They appear as soon as one begins: "
                  : "No run is like that. "}
                {text === "" && <code>sqlm run</code>}
              </p>
            )}
            <Pages total={total} page={page} perPage={perPage} show={(to) => replaceQuery(route, { text, page: to })} />
          </>
        )}
      </Show>
    </main>
  );
}

function Experiments({ workspace }: { workspace: WorkspaceReply }): JSX.Element {
  return (
    <section class="experiments" aria-label="Experiments">
      {workspace.experiments.slice(0, 12).map(({ experiment, runs, variants }) => (
        <a key={experiment} class="card link" href={link(["compare"], { experiment })}>
          <strong>{visibleLine(experiment, 60)}</strong>
          <span class="faint">
            {variants.length} variants, {runs} runs: compare
          </span>
        </a>
      ))}
    </section>
  );
}

function RunTable({
  runs,
  chosen,
  toggle,
}: {
  runs: readonly RunRow[];
  chosen: readonly string[];
  toggle: (run: string) => void;
}): JSX.Element | null {
  if (runs.length === 0) return null;
  return (
    <Scroll label="Runs">
      <table class="runs">
        <thead>
          <tr>
            <th scope="col">
              <span class="hidden">Compare</span>
            </th>
            <th scope="col">Run</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Step
            </th>
            <th scope="col">Held-out pass@1 by difficulty</th>
            <th scope="col">Votes</th>
            <th scope="col">Started (UTC)</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((row) => (
            <tr key={row.run} data-row>
              <td>
                <input
                  type="checkbox"
                  aria-label={`Compare ${row.run}`}
                  checked={chosen.includes(row.run)}
                  onChange={() => toggle(row.run)}
                />
              </td>
              <td>
                <a href={runLink(row.run)} data-open>
                  {row.run}
                </a>
                <div class="faint">
                  {visibleLine(row.topic, 50)}, seed {row.seed}
                  {row.trial !== null &&
                    `, ${visibleLine(row.trial.experiment, 40)}: ${visibleLine(row.trial.variant, 40)}`}
                  {row.trial?.control != null && (
                    <>
                      {" "}
                      <span class="status status-control">control: {visibleLine(row.trial.control, 30)}</span>
                    </>
                  )}
                </div>
              </td>
              <td>
                <Status status={row.status} />
              </td>
              <td class="number">
                {row.lastStep}/{row.steps}
              </td>
              <td>
                <Levels row={row} />
              </td>
              <td class="nowrap">
                <Spark
                  values={row.curve}
                  label={`${row.curveOf === "labelAccuracy" ? "labels right" : "agreement"} over the steps`}
                />{" "}
                {row.curve.length > 0 && (
                  <span class="faint">
                    {row.curveOf === "labelAccuracy" ? "right" : "agree"} {share(row.last[row.curveOf])}
                  </span>
                )}
              </td>
              <td class="nowrap">{when(row.created)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Levels({ row: { before, after } }: { row: RunRow }): JSX.Element {
  if (after === null) return <span class="faint">not evaluated</span>;
  return (
    <span class="levels">
      {after.levels.map(({ difficulty, passAt1 }) => {
        const old = before?.levels.find((level) => level.difficulty === difficulty)?.passAt1;
        const title = `difficulty ${difficulty}: ${share(old)} → ${share(passAt1)}`;
        return (
          <span key={difficulty} class="level" title={title}>
            <span class="faint">{difficulty}</span> {share(passAt1)}
          </span>
        );
      })}
    </span>
  );
}

export function Pages({
  total,
  page,
  perPage: size,
  show,
}: {
  total: number;
  page: number;
  perPage: number;
  show: (page: number) => void;
}): JSX.Element | null {
  const pages = Math.ceil(total / size);
  if (pages < 2) return null;
  return (
    <nav class="pages" aria-label="Pages">
      <button type="button" disabled={page === 0} onClick={() => show(page - 1)}>
        Before
      </button>
      <span>
        {(page * size + 1).toLocaleString("en")}–{Math.min(total, (page + 1) * size).toLocaleString("en")} of{" "}
        {total.toLocaleString("en")}
      </span>
      <button type="button" disabled={page >= pages - 1} onClick={() => show(page + 1)}>
        Next
      </button>
    </nav>
  );
}
