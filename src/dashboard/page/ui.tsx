// Small pieces that views share.
import type { ComponentChildren, JSX } from "preact";
import type { Problem, RunRow } from "../api.ts";
import type { Notice } from "../notices.ts";
import type { NumberTable } from "../pictures.ts";
import type { Loaded } from "./data.ts";

export function Status({ status }: { status: RunRow["status"] }): JSX.Element {
  return <span class={`status status-${status}`}>{status}</span>;
}

export function Notices({ notices }: { notices: readonly Notice[] }): JSX.Element {
  return (
    <>
      {notices.map(({ tone, text }) => (
        <p key={text} class={`notice notice-${tone}`}>
          {text}
        </p>
      ))}
    </>
  );
}

export function ProblemNote({ problem }: { problem: Problem }): JSX.Element {
  return (
    <div class="notice notice-warning" role="alert">
      <strong>{problem.message}</strong> {problem.hint}
    </div>
  );
}

/** What is there already, a problem, or a word that it is coming. */
export function Show<Value>({
  of,
  children,
}: {
  of: Loaded<Value>;
  children: (value: Value) => ComponentChildren;
}): JSX.Element {
  return (
    <>
      {of.problem !== null && <ProblemNote problem={of.problem} />}
      {of.value === null ? of.problem === null && <p class="faint waiting">Reading…</p> : children(of.value)}
    </>
  );
}

export function Tile({
  name,
  value,
  note,
}: {
  name: string;
  value: ComponentChildren;
  note?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="tile">
      <div class="tile-name">{name}</div>
      <div class="tile-value">{value}</div>
      {note !== undefined && <div class="tile-note">{note}</div>}
    </div>
  );
}

/** What may be wider than the page, and then scrolls by itself. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}

/** A table of plain words and numbers. */
export function DataTable({ table, caption }: { table: NumberTable; caption: string }): JSX.Element {
  const numeric = table.header.map((_, j) => j > 0 && table.rows.every((row) => /^[-+–.\d]/.test(row[j] ?? "")));
  return (
    <Scroll label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {table.header.map((name, j) => (
              <th key={name} scope="col" class={numeric[j] ? "number" : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (
                <td key={j} class={numeric[j] ? "number" : undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** A small curve without axes. */
export function Spark({ values, label }: { values: readonly number[]; label: string }): JSX.Element | null {
  if (values.length < 2) return null;
  const [width, height] = [96, 22];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = high - low || 1;
  const points = values.map(
    (value, i) =>
      `${((i / (values.length - 1)) * (width - 2) + 1).toFixed(1)},${(height - 2 - ((value - low) / range) * (height - 4)).toFixed(1)}`,
  );
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={label}>
      <polyline points={points.join(" ")} />
    </svg>
  );
}

export function share(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toFixed(3).replace(/^0\./, ".");
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function when(created: string): string {
  return created.slice(0, 16).replace("T", " ");
}
