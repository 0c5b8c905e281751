// One step: its numbers, its questions, and what became of the proposals that were none.
import type { JSX } from "preact";
import type { ProposalView, RunState, StepView } from "../api.ts";
import { formatValue, plain } from "../pictures.ts";
import { useData } from "./data.ts";
import { QuestionTable } from "./questions-page.tsx";
import { questionsLink, runLink, stepLink } from "./router.ts";
import { ModelLine, Tokens } from "./text.tsx";
import { Scroll, Show, share, Tile } from "./ui.tsx";

export function StepPage({ run, step }: { run: string; step: number }): JSX.Element {
  const base = `/api/runs/${encodeURIComponent(run)}`;
  const view = useData<StepView>(`${base}/steps/${step}`);
  const state = useData<RunState>(base);
  return (
    <main>
      <nav class="crumbs" aria-label="Where this is">
        <a href={runLink(run)}>{run}</a> / step {step}
      </nav>
      <Show of={view}>{(found) => <Step run={run} view={found} knowsTruth={state.value?.knowsTruth !== false} />}</Show>
    </main>
  );
}

function Step({ run, view, knowsTruth }: { run: string; view: StepView; knowsTruth: boolean }): JSX.Element {
  const { step, lastStep, seconds, timing, metrics, questions, questionCount, refused, refusedCount } = view;
  const trained = metrics["groups.trained"];
  return (
    <>
      <div class="heading">
        <h1>Step {step}</h1>
        <nav class="pages" aria-label="Steps">
          {step > 1 && (
            <a rel="prev" href={stepLink(run, step - 1)}>
              ← step {step - 1}
            </a>
          )}
          {step < lastStep && (
            <a rel="next" href={stepLink(run, step + 1)}>
              step {step + 1} →
            </a>
          )}
        </nav>
      </div>
      <div class="tiles">
        <Tile name="Agreement" value={share(metrics["agreement"])} />
        <Tile name="Labels right" value={knowsTruth ? share(metrics["labelAccuracy"]) : "unknown"} />
        <Tile name="Difficulty" value={metrics["difficulty"]?.toFixed(2) ?? "–"} />
        <Tile name="Taught" value={trained == null ? "–" : String(trained)} note={`of ${questionCount} questions`} />
        <Tile
          name="Time"
          value={formatValue(seconds, "seconds")}
          note={
            timing === null
              ? undefined
              : Object.entries(timing.stages)
                  .map(([stage, time]) => `${stage} ${formatValue(time, "seconds")}`)
                  .join(", ")
          }
        />
      </div>
      <h2>Questions</h2>
      <QuestionTable run={run} questions={questions} knowsTruth={knowsTruth} />
      {questionCount > questions.length && (
        <p>
          <a href={questionsLink(run, { fromStep: step, toStep: step })}>All {questionCount} questions of this step</a>
        </p>
      )}
      <Refused refused={refused} count={refusedCount} />
      <details class="settings">
        <summary>All numbers of this step</summary>
        <dl>
          {Object.entries(metrics).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value === null ? "not a number" : plain(value)}</dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}

function Refused({ refused, count }: { refused: readonly ProposalView[]; count: number }): JSX.Element | null {
  if (count === 0) return null;
  const kinds = new Map<string, number>();
  for (const { refusal } of refused) {
    const kind = (refusal ?? "").split(":")[0];
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const summary = [...kinds].map(([kind, n]) => `${n} ${kind}`).join(", ");
  return (
    <details class="refused">
      <summary>
        {count} proposals were not asked: {summary}
        {count > refused.length && ` (of the first ${refused.length})`}
      </summary>
      <Scroll label="Proposals that were not asked">
        <table>
          <thead>
            <tr>
              <th scope="col">The model wrote</th>
              <th scope="col">Why not</th>
              <th scope="col" class="number">
                Reward
              </th>
            </tr>
          </thead>
          <tbody>
            {refused.map((proposal) => (
              <tr key={proposal.position}>
                <td>
                  {proposal.text === null ? (
                    <ModelLine text={proposal.question ?? "–"} />
                  ) : (
                    <Tokens text={proposal.text} />
                  )}
                </td>
                <td>
                  <ModelLine text={proposal.refusal ?? ""} width={100} />
                </td>
                <td class="number">{Number(proposal.reward.toFixed(3))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}
