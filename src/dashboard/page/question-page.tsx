// One question on its way: how it was proposed, what it was answered, how the answers voted, what was learned from it.
import type { JSX } from "preact";
import type { AnswerView, FormView, QuestionView, RunState } from "../api.ts";
import { useData } from "./data.ts";
import { Label } from "./questions-page.tsx";
import { questionLink, questionsLink, runLink, stepLink } from "./router.ts";
import { TestMatrix } from "./test-matrix.tsx";
import { ModelLine, ModelText, ShadingKey, Tokens } from "./text.tsx";
import { ProblemNote, Show, share } from "./ui.tsx";

export function QuestionPage({ run, step, position }: { run: string; step: number; position: number }): JSX.Element {
  const base = `/api/runs/${encodeURIComponent(run)}`;
  const question = useData<QuestionView>(`${base}/questions/${step}/${position}`);
  const state = useData<RunState>(base);
  return (
    <main>
      <nav class="crumbs" aria-label="Where this is">
        <a href={runLink(run)}>{run}</a> / <a href={stepLink(run, step)}>step {step}</a> / question {position + 1}
      </nav>
      {state.problem !== null && question.problem === null && <ProblemNote problem={state.problem} />}
      <Show of={question}>{(view) => <Question run={run} view={view} state={state.value} />}</Show>
    </main>
  );
}

const taughtNothing: Readonly<Record<string, string>> = {
  tie: "It taught nothing: no answer had strictly the most votes.",
  "no-answer": "It taught nothing: no answer could be read.",
  inconsistent:
    "It taught nothing: its forms elected different winners, none of its answers held when tried, or the programs confirmed none of its tests.",
  "low-agreement": "It taught nothing: the winner had too few votes to be trusted.",
  "all-equal": "It taught nothing: all answers earned the same, so there was nothing to prefer.",
  "no-tests": "It taught nothing: it came without a test that could be used.",
};

function Question({ run, view, state }: { run: string; view: QuestionView; state: RunState | null }): JSX.Element {
  const { question, step, position, questionsInStep, verdict, signal, taught, forms } = view;
  return (
    <>
      <div class="heading question-heading">
        <h1>
          <ModelText text={question.text} block />
        </h1>
        <p class="faint">
          difficulty {question.difficulty}, agreement {share(view.agreement)}
          {view.accuracy !== null && `, ${share(view.accuracy)} of its answers are right`}
        </p>
        <nav class="pages" aria-label="Questions of the step">
          {position > 0 && (
            <a rel="prev" href={questionLink(run, step, position - 1)}>
              ← before
            </a>
          )}
          {position + 1 < questionsInStep && (
            <a rel="next" href={questionLink(run, step, position + 1)}>
              next →
            </a>
          )}
          <a href={questionsLink(run, { text: question.text.slice(0, 60) })}>others like it</a>
        </nav>
      </div>
      <p class={signal === "trained" ? "notice notice-good" : "notice notice-note"}>
        {signal === "trained"
          ? `It taught: the sizes of its answers' advantages add up to ${taught.toFixed(1)}.`
          : (taughtNothing[signal] ?? `It taught nothing (${signal}).`)}{" "}
        <Truth view={view} state={state} />
      </p>
      <div class="split">
        <Proposal run={run} view={view} />
        {verdict.kind === "vote" && <Vote view={view} />}
      </div>
      {verdict.kind === "tests" && <TestMatrix verdict={verdict} tests={question.tests ?? []} />}
      <h2>Answers</h2>
      <ShadingKey />
      <div class={forms.length > 1 ? "forms side-by-side" : "forms"}>
        {forms.map((form) => (
          <Form key={form.form} form={form} view={view} />
        ))}
      </div>
    </>
  );
}

function Truth({ view, state }: { view: QuestionView; state: RunState | null }): JSX.Element | null {
  if (state?.trial?.control === "oracle") return <span>A control: the label is the hidden truth, not a vote.</span>;
  if (view.labelRight !== null) {
    return (
      <span>
        The checker, which training never sees, says the winner is <Label right={view.labelRight} />.
      </span>
    );
  }
  if (view.accuracy === null) return <span>Nobody knows the right answer: this topic has no checker.</span>;
  return null;
}

function Proposal({
  run,
  view: { proposal, proposalPrompt, step },
}: {
  run: string;
  view: QuestionView;
}): JSX.Element | null {
  if (proposal === null) return null;
  return (
    <section class="card">
      <h2>How it was proposed</h2>
      <dl class="facts">
        <div>
          <dt>prompt</dt>
          <dd>
            <Tokens text={proposalPrompt} />
          </dd>
        </div>
        <div>
          <dt>the model wrote</dt>
          <dd>
            <Tokens text={proposal.text} />
          </dd>
        </div>
        <div>
          <dt>log-probability</dt>
          <dd>{proposal.logprobSum.toFixed(2)} nats</dd>
        </div>
        <div>
          <dt>reward, advantage</dt>
          <dd>
            {proposal.reward.toFixed(2)},{" "}
            {proposal.advantage === 0 ? "0 (the proposer did not learn from it)" : proposal.advantage.toFixed(2)}
          </dd>
        </div>
        <div>
          <dt>step</dt>
          <dd>
            <a href={stepLink(run, step)}>{step}</a>
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Vote({ view: { verdict } }: { view: QuestionView }): JSX.Element | null {
  if (verdict.kind !== "vote") return null;
  const { counts, winner, groupSize, unreadable, formWinners, tried = [] } = verdict;
  const shown = counts.slice(0, 12);
  const rest = counts.slice(12).reduce((sum, [, votes]) => sum + votes, 0);
  return (
    <section class="card">
      <h2>The vote</h2>
      <table class="vote-table">
        <caption class="hidden">Votes of {groupSize} answers</caption>
        <tbody>
          {shown.map(([value, votes]) => (
            <tr key={value} class={value === winner ? "winner" : undefined}>
              <th scope="row">
                <ModelLine text={value} width={40} />
              </th>
              <td class="bar-cell">
                <span class="bar" style={{ width: `${(votes / groupSize) * 100}%` }} />
              </td>
              <td class="number">{votes}</td>
            </tr>
          ))}
          {rest > 0 && (
            <tr>
              <th scope="row">{counts.length - shown.length} others</th>
              <td class="bar-cell" />
              <td class="number">{rest}</td>
            </tr>
          )}
          {unreadable > 0 && (
            <tr>
              <th scope="row">unreadable</th>
              <td class="bar-cell">
                <span class="bar pale" style={{ width: `${(unreadable / groupSize) * 100}%` }} />
              </td>
              <td class="number">{unreadable}</td>
            </tr>
          )}
        </tbody>
      </table>
      {formWinners.length > 1 && (
        <p class="faint">
          Winners by form:{" "}
          {formWinners.map((value, i) => (
            <span key={i}>
              {i > 0 && ", "}
              {value === null ? "none" : <ModelLine text={value} width={24} />}
            </span>
          ))}
        </p>
      )}
      {tried.length > 0 && (
        <p class="faint">
          Tried the other way round:{" "}
          {tried.map(([value, confirmed], i) => (
            <span key={value}>
              {i > 0 && ", "}
              <ModelLine text={value} width={24} /> {confirmed ? "holds" : "does not hold"}
            </span>
          ))}
        </p>
      )}
    </section>
  );
}

function Form({ form, view }: { form: FormView; view: QuestionView }): JSX.Element {
  const most = Math.max(
    ...view.forms.flatMap(({ answers }) => answers.map(({ advantage }) => Math.abs(advantage))),
    1e-9,
  );
  const winner = view.verdict.kind === "vote" ? view.verdict.winner : null;
  return (
    <section class="card form">
      <h3>{form.form === 0 ? "As it was asked" : `Restated (${form.form})`}</h3>
      <p class="prompt">
        <Tokens text={form.prompt} />
      </p>
      <ol class="answers">
        {form.answers.map((answer) => (
          <Answer key={answer.position} answer={answer} winner={winner} most={most} />
        ))}
      </ol>
    </section>
  );
}

function Answer({ answer, winner, most }: { answer: AnswerView; winner: string | null; most: number }): JSX.Element {
  const { value, reason, reward, advantage, logprobSum, stopReason, text, position } = answer;
  const won = value !== null && value === winner;
  const width = `${(Math.abs(advantage) / most) * 50}%`;
  return (
    <li class={won ? "answer won" : "answer"} value={position + 1}>
      <div class="answer-text">
        <Tokens text={text} />
      </div>
      <div class="answer-facts">
        <span class={value === null ? "label-wrong" : won ? "label-right" : ""}>
          {value === null ? (
            <>
              unreadable: <ModelLine text={reason ?? "no reason recorded"} width={60} />
            </>
          ) : (
            <ModelLine text={value} width={40} />
          )}
        </span>
        {value !== null && reason !== null && (
          <span class="faint">
            <ModelLine text={reason} width={60} />
          </span>
        )}
        <span title="reward">reward {Number(reward.toFixed(3))}</span>
        <span class="advantage" title={`advantage ${advantage.toFixed(3)}`}>
          <span class={advantage < 0 ? "advantage-bar negative" : "advantage-bar"} style={{ width }} />
          <span class="hidden">advantage {advantage.toFixed(2)}</span>
        </span>
        <span class="number">{advantage === 0 ? "0" : advantage.toFixed(2)}</span>
        <span class="faint">
          {logprobSum.toFixed(2)} nats{stopReason === "length" && ", cut off"}
        </span>
      </div>
    </li>
  );
}
