// How a report looks; colours of pictures are those of tones.ts.
import { cellShades } from "./svg.ts";
import { mix, type Tones, tones } from "./tones.ts";

function variables({ lines, cells, axis, grid, zone, marks }: Tones): string {
  return [
    ...lines.map((colour, i) => `--tone-${i}:${colour}`),
    ...Array.from({ length: cellShades }, (_, i) => `--shade-${i}:${mix(cells[0], cells[1], i / (cellShades - 1))}`),
    ...Object.entries(marks).map(([kind, colour]) => `--mark-${kind}:${colour}`),
    `--axis:${axis};--grid:${grid};--zone:${zone}`,
  ].join(";");
}

const light =
  "--ground:#f6f7fa;--card:#fff;--line:#dfe3eb;--text:#171b26;--soft:#566074;--note:#e6ebfb;--warn:#fdf0dc;--control:#f6e8fa";
const dark =
  "--ground:#0f131c;--card:#171c28;--line:#2a3141;--text:#e8ebf2;--soft:#9aa5ba;--note:#232c4a;--warn:#35260f;--control:#331c3b";

/** The style sheet of a report. */
export function reportStyle(): string {
  return `
:root{${light};${variables(tones.light)};color-scheme:light}
@media (prefers-color-scheme:dark){:root{${dark};${variables(tones.dark)};color-scheme:dark}}
${pictureStyle()}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
main{max-width:1320px;margin:0 auto;padding:24px}
h1,h2,h3,h4,p,figure,ul{margin:0}
h1{font-size:25px;overflow-wrap:anywhere}
h2{font-size:20px;margin:28px 0 8px;overflow-wrap:anywhere}
h3{font-size:16px;margin:24px 0 8px}
h4{font-size:15px}
.faint,figcaption p{color:var(--soft);font-size:13px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:14px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;min-width:0;break-inside:avoid}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px;margin:6px 0}
.swatch{display:inline-block;width:14px;height:4px;border-radius:2px;vertical-align:middle;margin-right:5px;background:var(--own)}
.swatch.dashed{background:repeating-linear-gradient(90deg,var(--own) 0 5px,transparent 5px 8px)}
.notice{border-radius:10px;padding:8px 14px;margin:8px 0;background:var(--note);overflow-wrap:anywhere}
.notice-warning{background:var(--warn)}
.notice-control{background:var(--control)}
.scroll{overflow:auto;max-height:420px;background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 10px;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}
td{overflow-wrap:anywhere}
bdi{unicode-bidi:isolate;font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.94em}
summary{cursor:pointer;color:var(--soft);font-size:13px;padding:4px 0}
@media print{.scroll{max-height:none}}
`;
}

/** The part that drawings need: with it and one ground, an SVG file can stand alone. */
function pictureStyle(): string {
  const own = Array.from({ length: 8 }, (_, i) => `.tone-${i}{--own:var(--tone-${i})}`).join("");
  const shades = Array.from({ length: cellShades }, (_, i) => `.shade-${i}{fill:var(--shade-${i})}`).join("");
  const marks = ["guard", "anomaly", "resumed", "evaluation", "checkpoint"]
    .map((kind) => `.mark-${kind}{stroke:var(--mark-${kind})}.sign-${kind}{fill:var(--mark-${kind})}`)
    .join("");
  return `${own}${shades}${marks}
.picture{display:block;width:100%;height:auto}
.picture text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.tick{fill:var(--axis);font-size:12px}
.grid{stroke:var(--grid)}
.axis{stroke:var(--axis)}
.line{fill:none;stroke:var(--own);stroke-width:2;stroke-linejoin:round}
.dashed{stroke-dasharray:6 4}
.band{fill:var(--own);opacity:.17}
.area{fill:var(--own);fill-opacity:.55;stroke:var(--own);stroke-width:1}
.dot{fill:var(--own)}
.mark{stroke-dasharray:4 3}
.zone-frame{fill:none;stroke:var(--zone);stroke-width:1.5}
.zone{fill:var(--zone);opacity:.12}`;
}

/** Style of an SVG file that stands alone, on light ground. */
export function standaloneStyle(): string {
  return `svg{${variables(tones.light)};background:#fff}${pictureStyle()}`;
}
