// Several runs side by side; seeds of one variant are one line with its spread.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { CompareReply } from "../api.ts";
import { comparePictures, compareTable, differences, groupRuns } from "../compare-pictures.ts";
import { noticesOf } from "../notices.ts";
import { useData, useThrottled } from "./data.ts";
import { useChanges } from "./live.ts";
import { PictureCard } from "./picture-card.tsx";
import { link, type Route, runLink } from "./router.ts";
import { ModelLine } from "./text.tsx";
import { DataTable, Notices, Show, Status } from "./ui.tsx";

export function ComparePage({ route }: { route: Route }): JSX.Element {
  const experiment = route.query.get("experiment");
  const asked = experiment === null ? { runs: route.query.get("runs") ?? "" } : { experiment };
  const reply = useData<CompareReply>(`/api/compare?${new URLSearchParams(asked)}`);
  const reload = useThrottled(reply.reload, 2000, reply.took);
  useChanges((change) => {
    const shown = reply.value?.runs.some(({ state }) => "run" in change && change.run === state.run);
    if (!("run" in change) || shown === true || experiment !== null) reload();
  });
  return (
    <main>
      <div class="heading">
        <h1>{experiment === null ? "Runs compared" : <ModelLine text={experiment} width={80} />}</h1>
        {experiment !== null && <p class="faint">Experiment: variants over seeds</p>}
      </div>
      <Show of={reply}>{(value) => <Compared reply={value} />}</Show>
    </main>
  );
}

function Compared({ reply: { runs, left } }: { reply: CompareReply }): JSX.Element {
  const groups = useMemo(() => groupRuns(runs), [runs]);
  const pictures = useMemo(() => comparePictures(groups), [groups]);
  const notices = groups.flatMap(({ name, runs: [first] }) =>
    noticesOf(first.state)
      .filter(({ tone }) => tone === "control")
      .map((notice) => ({ ...notice, text: `${name}. ${notice.text}` })),
  );
  const table = compareTable(groups);
  const settings = differences(groups);
  if (runs.length === 0) {
    return (
      <p class="empty">
        There are no runs to compare. <a href={link([])}>Choose some</a>.
      </p>
    );
  }
  return (
    <>
      {left.length > 0 && <p class="notice notice-note">Not shown: {left.join(", ")}.</p>}
      <Notices notices={notices} />
      <ul class="compared">
        {groups.map(({ name, runs: members }, tone) => (
          <li key={name}>
            <span class={`swatch tone-${tone % 8}`} /> <strong>{name}</strong>{" "}
            {members.map(({ state }) => (
              <span key={state.run} class="nowrap">
                <a href={runLink(state.run)}>seed {state.config.seed}</a> <Status status={state.status} />{" "}
              </span>
            ))}
          </li>
        ))}
      </ul>
      <section class="group">
        <h2>Before and after, on held-out questions</h2>
        {table.rows.length === 0 ? (
          <p class="empty">None of these runs has been evaluated twice.</p>
        ) : (
          <DataTable table={table} caption="Held-out accuracy before and after" />
        )}
        <p class="faint">Mean ± standard deviation over seeds, last evaluation of each run.</p>
      </section>
      <section class="group">
        <h2>Curves</h2>
        <p class="faint">Lines are means over seeds, bands go from the lowest to the highest. Controls are dashed.</p>
        <div class="cards">
          {pictures.map((picture) => (
            <PictureCard key={picture.id} picture={picture} />
          ))}
        </div>
      </section>
      {settings.rows.length > 0 && (
        <section class="group">
          <h2>Settings that differ</h2>
          <DataTable table={settings} caption="Settings that differ" />
        </section>
      )}
    </>
  );
}
