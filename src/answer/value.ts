// What an answer means: a number or expression, an equation, a region of real numbers, a list, a moment or words, and when
// two meanings are the same. How trees become meanings is in readings.ts.
import { type Moment, sameMoment } from "./moment.ts";
import { sameUnit, type UnitTag } from "./quantities.ts";
import { type Region, sameRegion } from "./region.ts";
import { type Scalar, sameScalar } from "./scalar.ts";

/** What stands beside a meaning and must agree where both have it. */
export interface Beside {
  /** What it is the value of: the x of x = 5, the day of day 3. */
  readonly name?: string;
  readonly unit?: UnitTag;
  /** The canonical text without units, where they are in it: answers to one question may leave them away. */
  readonly bare?: string;
  /** Nouns that are no units, in the plural: apples. */
  readonly nouns?: readonly string[];
  /** Of a matrix with one row or one column. */
  readonly shape?: "row" | "column";
  /** The letter of an option of a multiple choice, with its text behind it. */
  readonly option?: boolean;
}

export type Value = Beside &
  (
    | Scalar
    | { readonly kind: "equation" | "inequality" | "text"; readonly canonical: string }
    | { readonly kind: "moment"; readonly moment: Moment; readonly canonical: string }
    | { readonly kind: "region"; readonly region: Region; readonly conditional: boolean; readonly canonical: string }
    | {
        readonly kind: "list";
        readonly ordered: boolean;
        readonly items: readonly Readings[];
        readonly canonical: string;
      }
  );

/** All that an answer can mean, the preferred meaning first: it gives the canonical text. Never empty. */
export type Readings = readonly Value[];

/**
 * Symmetric: true when any two readings mean the same. Where both are times of day, or both options, nothing else counts:
 * 2:30 and 1:15 are one ratio but two times.
 */
export function sameReadings(a: Readings, b: Readings): boolean {
  for (const decides of [isMoment, isOption]) {
    const [left, right] = [a.filter(decides), b.filter(decides)];
    if (left.length > 0 && right.length > 0) return anySame(left, right);
  }
  return anySame(a, b);
}

const isMoment = (value: Value): boolean => value.kind === "moment";
const isOption = (value: Value): boolean => value.option === true;

const anySame = (a: Readings, b: Readings): boolean => a.some((left) => b.some((right) => sameValue(left, right)));

function sameBeside(a: Beside, b: Beside): boolean {
  if (a.name !== undefined && b.name !== undefined && a.name !== b.name) return false;
  if (a.shape !== undefined && b.shape !== undefined && a.shape !== b.shape) return false;
  const [left, right] = [a.nouns ?? [], b.nouns ?? []];
  if (left.length > 0 && right.length > 0 && !left.some((noun) => right.includes(noun))) return false;
  return sameUnit(a.unit, b.unit);
}

function sameValue(a: Value, b: Value): boolean {
  if (!sameBeside(a, b)) return false;
  if (a.kind === "scalar" && b.kind === "scalar") return sameScalar(a, b);
  if (a.kind === "region" && b.kind === "region") return sameRegion(a.region, b.region);
  if (a.kind === "moment" && b.kind === "moment") return sameMoment(a.moment, b.moment);
  if (a.kind === "list" && b.kind === "list") {
    if (a.items.length !== b.items.length) return false;
    if (a.canonical.startsWith("matrix") !== b.canonical.startsWith("matrix")) return false;
    // An ordered and an unordered list agree where they were written in the same order.
    if (a.ordered || b.ordered) return a.items.every((item, i) => sameReadings(item, b.items[i]));
    const within = (some: readonly Readings[], all: readonly Readings[]): boolean =>
      some.every((item) => all.some((other) => sameReadings(item, other)));
    return within(a.items, b.items) && within(b.items, a.items);
  }
  return a.kind === b.kind && a.canonical === b.canonical;
}
