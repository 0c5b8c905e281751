// A picture with its words, its legend, and its numbers as a table.
import type { JSX } from "preact";
import { createElement } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { formatValue, type GridPicture, type LinePicture, type Mark, numbersOf, type Picture } from "../pictures.ts";
import { drawGrid, type SvgNode } from "../svg.ts";
import { LineChart } from "./line-chart.tsx";
import { DataTable } from "./ui.tsx";

export interface PictureCardProps {
  readonly picture: Picture;
  readonly marks?: readonly Mark[];
  readonly wide?: boolean;
  readonly onStep?: (step: number) => void;
  readonly onCell?: (row: number, column: number) => void;
}

export function PictureCard({ picture, marks = [], wide = false, onStep, onCell }: PictureCardProps): JSX.Element {
  const [numbers, setNumbers] = useState(false);
  return (
    <figure class={wide ? "card wide" : "card"} id={`picture-${picture.id}`} aria-label={picture.title}>
      <figcaption>
        <h3>{picture.title}</h3>
        <p>{picture.about}</p>
      </figcaption>
      {picture.kind === "lines" ? (
        <Lines picture={picture} marks={marks} onStep={onStep ?? null} />
      ) : (
        <Grid picture={picture} marks={marks} wide={wide} onCell={onCell ?? null} />
      )}
      <details onToggle={(event) => setNumbers(event.currentTarget.open)}>
        <summary>Numbers</summary>
        {numbers && <DataTable table={numbersOf(picture)} caption={`Numbers of: ${picture.title}`} />}
      </details>
    </figure>
  );
}

function Lines({
  picture,
  marks,
  onStep,
}: {
  picture: LinePicture;
  marks: readonly Mark[];
  onStep: ((step: number) => void) | null;
}): JSX.Element {
  const values = useRef<(HTMLSpanElement | null)[]>([]);
  const stepText = useRef<HTMLSpanElement>(null);
  const last = picture.x.length - 1;
  // A run that ended before the others is shown where it ended.
  const latest = (line: readonly (number | null)[]): number | null => line.findLast((value) => value !== null) ?? null;
  // Written straight into the page: a cursor that moves must not draw the view anew.
  const show = (index: number | null): void => {
    const at = index ?? last;
    picture.lines.forEach((line, i) => {
      const element = values.current[i];
      const value = index === null ? latest(line.values) : (line.values[at] ?? null);
      if (element) element.textContent = formatValue(value, picture.format);
    });
    if (stepText.current !== null) stepText.current.textContent = `step ${picture.x[at] ?? "–"}`;
  };
  return (
    <>
      <ul class="legend">
        {picture.lines.map(({ name, tone, dashed, values: own }, i) => (
          <li key={name}>
            <span class={`swatch${dashed === true && !picture.stacked ? " dashed" : ""} tone-${tone % 8}`} />
            {name}{" "}
            <span
              class="value"
              ref={(element) => {
                values.current[i] = element;
              }}
            >
              {formatValue(latest(own), picture.format)}
            </span>
          </li>
        ))}
        <li class="at">
          <span ref={stepText}>step {picture.x[last] ?? "–"}</span>
        </li>
      </ul>
      <LineChart picture={picture} marks={marks} onCursor={show} onOpen={onStep} />
    </>
  );
}

function Grid({
  picture,
  marks,
  wide,
  onCell,
}: {
  picture: GridPicture;
  marks: readonly Mark[];
  wide: boolean;
  onCell: ((row: number, column: number) => void) | null;
}): JSX.Element {
  // The same element is not compared again.
  const drawn = useMemo(
    () => elementOf(drawGrid(picture, marks, wide ? { width: 1240, height: 260 } : { width: 400, height: 250 })),
    [picture, marks, wide],
  );
  const open = (event: MouseEvent): void => {
    const cell = event.target instanceof Element ? event.target.closest("[data-row]") : null;
    if (cell === null) return;
    onCell?.(Number(cell.getAttribute("data-row")), Number(cell.getAttribute("data-column")));
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: what a click opens is reached by the keyboard through the list of questions.
    <div class={onCell === null ? "grid-chart" : "grid-chart opens"} onClick={open}>
      {drawn}
    </div>
  );
}

/** An SVG node as an element. Text stays text. */
function elementOf({ tag, attributes, children }: SvgNode): JSX.Element {
  return createElement(
    tag,
    attributes,
    ...children.map((child) => (typeof child === "string" ? child : elementOf(child))),
  );
}
