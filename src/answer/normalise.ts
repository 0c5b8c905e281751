// Makes an answer's text uniform before it is cut into tokens: repaired escapes, one spelling of each character, marked
// units, no layout commands. All patterns are linear in the input.
import { markCurrencies, markUnits, withoutMarks } from "./find-units.ts";

const characters: Readonly<Record<string, string>> = {
  "−": "-",
  "–": "-",
  "—": "-",
  "×": "*",
  "·": "*",
  "⋅": "*",
  "∙": "*",
  "÷": "/",
  "⁄": "/",
  "≤": "\\le ",
  "⩽": "\\le ",
  "≥": "\\ge ",
  "⩾": "\\ge ",
  "≠": "\\ne ",
  "≈": "\\approx ",
  "≡": "\\equiv ",
  π: "\\pi ",
  "∞": "\\infty ",
  "∪": "\\cup ",
  "∩": "\\cap ",
  "∈": "\\in ",
  "∅": "\\emptyset ",
  "√": "\\sqrt ",
  "±": "\\pm ",
  "∓": "\\mp ",
  "∖": "\\setminus ",
  "°": "^\\circ ",
  "½": "(1/2)",
  "¼": "(1/4)",
  "¾": "(3/4)",
  "％": "%",
  "，": ",",
  "（": "(",
  "）": ")",
  "∨": " or ",
  "\u00a0": " ",
  "\u2009": " ",
  "\u202f": " ",
  "…": "\\dots ",
  ℝ: "\\R ",
  "“": "",
  "”": "",
};
/** Digits and signs of a raised number, by position: ⁻² is -2. */
const raised = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺";
const raisedPattern = new RegExp(`[${raised}]+`, "g");
const characterPattern = new RegExp(`[${Object.keys(characters).join("")}]`, "g");

/** Which units are marked: none, those that can be nothing else, or single letters too, as in `5 m`. */
export type UnitMode = "none" | "certain" | "letters";

/** Makes text uniform before tokens: repaired escapes, one spelling of each character, no layout commands. */
export function normaliseText(text: string, units: UnitMode): string {
  const repaired = repairEscapes(withoutMarks(text));
  let result = (units === "none" ? repaired : markCurrencies(repaired))
    .replace(
      raisedPattern,
      (digits) => `^{${[...digits].map((digit) => "0123456789-+"[raised.indexOf(digit)]).join("")}}`,
    )
    .replace(characterPattern, (character) => characters[character] ?? "");
  result = result
    .replace(/\\(?:left|right)\s*\./g, "")
    .replace(
      /\\(?:left|right|middle|[bB]ig+[lrm]?|displaystyle|textstyle|limits|nolimits|hline|phantom)(?![a-zA-Z])/g,
      "",
    )
    .replace(/,\s*\\!\s*(?=\d{3})/g, "{,}")
    .replace(/\\!|\u200b|\ufeff/g, "")
    .replace(/(\d)\s*\\,\s*(?=\d{3}(?!\d))/g, "$1{,}")
    .replace(/\\q?quad/g, " ")
    .replace(/(?<!\\)\\[,;: ]|\\(?:hspace|vspace)\{[^{}]*\}|~/g, " ")
    .replace(/(\d)\{,\}(?=\d{3})/g, "$1")
    .replace(/\*\*/g, "^")
    .replace(/\{([^{}]*)\\over(?![a-z])([^{}]*)\}/g, "\\frac{$1}{$2}")
    .replace(/(\d\.\d{0,6}?)(\d{1,3})\2{1,20}(?:\.{3}|\\[lc]?dots)/g, "$1\\overline{$2}")
    .replace(/(\d*\.\d*)\\dot\{?(\d)\}?/g, "$1\\overline{$2}")
    .replace(/\\[lc]dots|\.{3}/g, "\\dots ")
    .replace(/(\d)(?:st|nd|rd|th)(?![a-z])|(\d\s*)[ap]\.m\.?/g, "$1$2 units ")
    .replace(/\\mathbb\s*\{?\s*([A-Z])\s*\}?/g, "\\$1 ")
    .replace(/\\(?:degree|deg)(?![a-zA-Z])/g, "^\\circ ");
  if (units !== "none") result = markUnits(result, units === "letters");
  // Signs of currency without a number, and the dollars of LaTeX.
  result = result.replace(/\\?\$|[€£¥₹¢]/g, " ");
  // A short unit after a number would look like unknowns: 5\text{ m/s}.
  result = result.replace(
    /([\d})]\s*)\\(?:text|mbox|textrm|mathrm|rm)\s*\{\s*(?!(?:or|and|to|if|for|[ei])\s*\})[a-zA-Zµ]{1,3}(?:\s*\/\s*[a-zA-Z]{1,3})?(?:\^?\{?-?\d\}?)?\s*\}/g,
    "$1 units ",
  );
  const wrappers =
    /\\(?:text|mbox|textbf|textit|textrm|textsf|texttt|mathrm|mathbf|mathit|mathsf|mathcal|boldsymbol|operatorname|emph|bf|rm|boxed|fbox)\s*\{([^{}]*)\}/g;
  // Wrappers nest (\text{\textbf{…}}): peel from inside, a bounded number of times.
  for (let depth = 0; depth < 4; depth++) {
    const peeled = result.replace(wrappers, " $1 ");
    if (peeled === result) break;
    result = peeled;
  }
  return result;
}

/** Undoes what JSON and string literals do to LaTeX: `\f` in `\frac` become a form feed, doubled backslashes. */
function repairEscapes(text: string): string {
  const result = text
    .replace(/\\?\f(?=[a-z])/g, "\\f")
    .replace(/\\?[\b](?=[a-z])/g, "\\b")
    .replace(/\\?\t(?=(?:ext|imes|an|heta|frac|o)(?![a-z]))/g, "\\t")
    .replace(/\\?\r(?=(?:ight|ho|m)(?![a-z]))/g, "\\r");
  if (/\\\\begin/.test(result)) return result.replaceAll("\\\\", "\\");
  return result.includes("\\begin") ? result : result.replace(/\\\\(?=[a-zA-Z{}])/g, "\\");
}
