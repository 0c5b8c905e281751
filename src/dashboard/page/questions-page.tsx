// A run's questions: searched, filtered, sorted; the address holds the filter.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type QuestionRow, type QuestionsReply, questionsPerPage, type RunState } from "../api.ts";
import { useData, useThrottled } from "./data.ts";
import { useChanges } from "./live.ts";
import { questionLink, type Route, replaceQuery, stepLink } from "./router.ts";
import { RunHeading } from "./run-page.tsx";
import { Pages } from "./runs-page.tsx";
import { ModelLine } from "./text.tsx";
import { ProblemNote, Scroll, Show, share } from "./ui.tsx";

const signals = ["trained", "all-equal", "inconsistent", "tie", "low-agreement", "no-answer", "no-tests"] as const;
const numbers = [
  ["minDifficulty", "Difficulty ≥", "any"],
  ["maxDifficulty", "Difficulty ≤", "any"],
  ["minAgreement", "Agreement ≥", "0"],
  ["maxAgreement", "Agreement ≤", "1"],
  ["fromStep", "Step ≥", "1"],
  ["toStep", "Step ≤", "last"],
] as const;

/** Keys that the server knows, so that an address that says more does no harm. */
const keys = ["text", "signals", "label", "orderBy", "order", ...numbers.map(([key]) => key)] as const;

export function QuestionsPage({ run, route }: { run: string; route: Route }): JSX.Element {
  const base = `/api/runs/${encodeURIComponent(run)}`;
  const state = useData<RunState>(base);
  const page = Math.max(0, Number(route.query.get("page") ?? 0) || 0);
  const filter = Object.fromEntries(
    keys.flatMap((key) => (route.query.get(key) ? [[key, route.query.get(key) ?? ""]] : [])),
  );
  const search = new URLSearchParams({ ...filter, offset: String(page * questionsPerPage) });
  const questions = useData<QuestionsReply>(`${base}/questions?${search}`);
  const reload = useThrottled(
    () => {
      state.reload();
      questions.reload();
    },
    1000,
    state.took + questions.took,
  );
  useChanges((change) => {
    if (!("run" in change) || change.run === run) reload();
  });
  const set = (change: Readonly<Record<string, string | number>>): void =>
    replaceQuery(route, { ...filter, ...change });
  const knowsTruth = state.value?.knowsTruth !== false;
  return (
    <main>
      <Show of={state}>{(value) => <RunHeading state={value} tab="questions" />}</Show>
      <Filters filter={filter} set={set} knowsTruth={knowsTruth} />
      {questions.problem !== null && state.problem === null && <ProblemNote problem={questions.problem} />}
      {questions.value !== null && (
        <div aria-busy={questions.loading}>
          <p class="faint" role="status">
            {questions.value.total.toLocaleString("en")} questions
          </p>
          <QuestionTable run={run} questions={questions.value.questions} knowsTruth={knowsTruth} />
          <Pages
            total={questions.value.total}
            page={page}
            perPage={questionsPerPage}
            show={(to) => set({ page: to })}
          />
        </div>
      )}
    </main>
  );
}

type Filter = Readonly<Record<string, string>>;

function Filters({
  filter,
  set,
  knowsTruth,
}: {
  filter: Filter;
  set: (change: Readonly<Record<string, string | number>>) => void;
  knowsTruth: boolean;
}): JSX.Element {
  const chosen = (filter["signals"] ?? "").split(",").filter((name) => name !== "");
  const toggle = (name: string): void => {
    const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
    set({ signals: next.join(",") });
  };
  const select = (key: string, title: string, options: readonly (readonly [string, string])[]): JSX.Element => (
    <label>
      {title}
      <select value={filter[key] ?? ""} onChange={(event) => set({ [key]: event.currentTarget.value })}>
        {options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <div class="filters">
      <Typed
        title="Text"
        type="search"
        value={filter["text"] ?? ""}
        placeholder="part of a question"
        onValue={(text) => set({ text })}
      />
      {numbers.map(([key, title, hint]) => (
        <Typed
          key={key}
          title={title}
          type="number"
          value={filter[key] ?? ""}
          placeholder={hint}
          name={key}
          onValue={(value) => set({ [key]: value })}
        />
      ))}
      {knowsTruth &&
        select("label", "Label", [
          ["", "any"],
          ["right", "right"],
          ["wrong", "wrong"],
        ])}
      {select("orderBy", "Order by", [
        ["", "step"],
        ["taught", "how much it taught"],
        ["agreement", "agreement"],
        ["difficulty", "difficulty"],
      ])}
      {select("order", "Direction", [
        ["", "least first"],
        ["descending", "most first"],
      ])}
      <fieldset class="chips">
        <legend class="hidden">What came of it</legend>
        {signals.map((name) => (
          <button
            key={name}
            type="button"
            class="chip"
            aria-pressed={chosen.includes(name)}
            onClick={() => toggle(name)}
          >
            {name === "trained" ? "taught" : name}
          </button>
        ))}
      </fieldset>
    </div>
  );
}

/** A field that tells what was typed when the typing rests. */
function Typed({
  title,
  type,
  value,
  placeholder,
  name,
  onValue,
}: {
  title: string;
  type: "search" | "number";
  value: string;
  placeholder: string;
  name?: string;
  onValue: (value: string) => void;
}): JSX.Element {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onValue(text), 150);
    return () => clearTimeout(timer);
  }, [text]);
  const onInput = (event: InputEvent): void => setText((event.currentTarget as HTMLInputElement).value);
  return type === "search" ? (
    <label class="grow">
      {title}
      <input type="search" value={text} placeholder={placeholder} data-search onInput={onInput} />
    </label>
  ) : (
    <label class="short">
      {title}
      <input type="number" name={name} step="any" value={text} placeholder={placeholder} onInput={onInput} />
    </label>
  );
}

export function QuestionTable({
  run,
  questions,
  knowsTruth,
}: {
  run: string;
  questions: readonly QuestionRow[];
  knowsTruth: boolean;
}): JSX.Element | null {
  if (questions.length === 0) return <p class="empty">No question is like that.</p>;
  return (
    <Scroll label="Questions">
      <table class="questions">
        <thead>
          <tr>
            <th scope="col" class="number">
              Step
            </th>
            <th scope="col">Question</th>
            <th scope="col" class="number">
              Difficulty
            </th>
            <th scope="col" class="number">
              Agreement
            </th>
            <th scope="col">Votes</th>
            <th scope="col">What came of it</th>
            {knowsTruth && <th scope="col">Label</th>}
            <th scope="col" class="number">
              Taught
            </th>
          </tr>
        </thead>
        <tbody>
          {questions.map((row) => (
            <tr key={`${row.step} ${row.position}`} data-row>
              <td class="number">
                <a href={stepLink(run, row.step)}>{row.step}</a>
              </td>
              <td>
                <a href={questionLink(run, row.step, row.position)} data-open>
                  <ModelLine text={row.question.text} width={70} />
                </a>
              </td>
              <td class="number">{Number(row.question.difficulty.toPrecision(4))}</td>
              <td class="number">
                <span class="meter">
                  <span style={{ width: `${Math.round(Math.min(1, Math.max(0, row.agreement)) * 100)}%` }} />
                </span>{" "}
                {share(row.agreement)}
              </td>
              <td>
                <Votes row={row} />
              </td>
              <td>
                <span class={row.signal === "trained" ? "status status-trained" : "status"}>
                  {row.signal === "trained" ? "taught" : row.signal}
                </span>
              </td>
              {knowsTruth && (
                <td>{row.labelRight === null ? <span class="faint">none</span> : <Label right={row.labelRight} />}</td>
              )}
              <td class="number">{row.taught === 0 ? "–" : row.taught.toFixed(1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function Label({ right }: { right: boolean }): JSX.Element {
  return <span class={right ? "label-right" : "label-wrong"}>{right ? "✓ right" : "✗ wrong"}</span>;
}

function Votes({ row: { verdict } }: { row: QuestionRow }): JSX.Element {
  if (verdict.kind === "tests") {
    return <span class="faint">{Math.round(verdict.meanPassFraction * 100)} % of tests passed</span>;
  }
  return (
    <span class="votes">
      {verdict.counts.slice(0, 3).map(([value, votes]) => (
        <span key={value} class={value === verdict.winner ? "vote winner" : "vote"}>
          <ModelLine text={value} width={18} /> ×{votes}
        </span>
      ))}
      {verdict.counts.length > 3 && <span class="faint">+{verdict.counts.length - 3}</span>}
      {verdict.unreadable > 0 && <span class="faint">{verdict.unreadable} unreadable</span>}
    </span>
  );
}
