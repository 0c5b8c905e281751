// Text that a model wrote. It reaches the page as text nodes only: nothing here can become markup, and characters that
// would hide or turn the text are shown as signs.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { TokenText } from "../api.ts";
import { visibleLine, visibleParts } from "../visible.ts";

/** Characters that are shown at first. */
const shownCharacters = 3000;

export function ModelText({ text, block = false }: { text: string; block?: boolean }): JSX.Element {
  const [whole, setWhole] = useState(false);
  const long = text.length > shownCharacters;
  const shown = long && !whole ? text.slice(0, shownCharacters) : text;
  return (
    <>
      <bdi class={block ? "model-text block" : "model-text"} dir="ltr">
        {visibleParts(shown).map(({ text: part, name }) =>
          name === null ? (
            part
          ) : (
            <span class="sign" title={name}>
              {part}
            </span>
          ),
        )}
      </bdi>
      {long && !whole && (
        <button type="button" class="quiet" onClick={() => setWhole(true)}>
          … all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </>
  );
}

/** One line of text, cut. */
export function ModelLine({ text, width = 80 }: { text: string; width?: number }): JSX.Element {
  const line = visibleLine(text, width);
  return (
    <bdi class="model-text" dir="ltr" title={text.length > width ? visibleLine(text, 1000) : undefined}>
      {line}
    </bdi>
  );
}

/** Tokens, shaded by how unlikely each was when it was sampled. */
export function Tokens({ text }: { text: TokenText | null }): JSX.Element {
  if (text === null) return <span class="faint">The model of this run is gone, so its tokens cannot be read.</span>;
  return (
    <bdi class="model-text tokens" dir="ltr">
      {text.pieces.map(([piece, logprob], i) => (
        <Piece key={i} piece={piece} logprob={logprob} />
      ))}
      {text.left > 0 && <span class="faint"> … and {text.left.toLocaleString("en")} more tokens</span>}
    </bdi>
  );
}

function Piece({ piece, logprob }: { piece: string; logprob: number | null }): JSX.Element {
  const probability = logprob === null ? null : Math.exp(logprob);
  const title = probability === null ? undefined : `probability ${probability.toFixed(probability < 0.01 ? 4 : 2)}`;
  const style = probability === null ? "token" : `token surprise-${surprise(probability)}`;
  if (piece === "") {
    return (
      <span
        class={`${style} end-token`}
        title={title === undefined ? "a token without text" : `a token without text, ${title}`}
      >
        ▪
      </span>
    );
  }
  return (
    <span class={style} title={title}>
      {visibleParts(piece).map(({ text, name }) =>
        name === null ? (
          text
        ) : (
          <span class="sign" title={name}>
            {text}
          </span>
        ),
      )}
    </span>
  );
}

/** 0 for what was sure to 5 for what was hardly to be expected. */
function surprise(probability: number): number {
  const steps = [0.9, 0.7, 0.5, 0.25, 0.08];
  return steps.filter((least) => probability < least).length;
}

export function ShadingKey(): JSX.Element {
  return (
    <p class="faint shading-key">
      Shading: how unlikely the token was.{" "}
      {["over 90 %", "70–90 %", "50–70 %", "25–50 %", "8–25 %", "below 8 %"].map((name, i) => (
        <span key={name} class={`token surprise-${i}`}>
          {name}
        </span>
      ))}
    </p>
  );
}
