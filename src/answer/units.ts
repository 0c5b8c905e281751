// Units of measurement: their names, what they measure and how they convert. A unit in an answer must agree with a unit in
// the other one, by conversion; a unit on one side only may be left out (docs/decisions/0021).
//
// Left out: units that nobody gives answers in, and prefixes beyond those listed. What is no unit here is a plain word.
import type { Node } from "./node.ts";
import { one, type Rational, rational, rationalFromDecimal } from "./rational.ts";

export interface Unit {
  /** Its name in one spelling, e.g. `km*h^-1`. */
  readonly text: string;
  /** What it measures, in base units: `m*s^-1`. */
  readonly dimension: string;
  /** Times this, a number is in base units. */
  readonly factor: Node;
  /** Added after `factor`; only temperatures have one. */
  readonly offset: Node | null;
  readonly isDegree: boolean;
}

type Powers = Readonly<Record<string, number>>;

interface Atom {
  readonly name: string;
  readonly dimension: Powers;
  readonly factor: Node;
  readonly offset: Node | null;
}

const number = (value: Rational): Node => ({ kind: "number", value, decimals: 0 });
const times = (a: Node, b: Node): Node => ({ kind: "operation", operator: "*", operands: [a, b] });
const over = (a: Node, b: Node): Node => ({ kind: "operation", operator: "/", operands: [a, b] });

function numberFrom(text: string): Rational {
  const [top, bottom = one] = text.split("/").map((part) => rationalFromDecimal(part));
  const quotient =
    top === null || bottom === null
      ? null
      : rational(top.numerator * bottom.denominator, top.denominator * bottom.numerator);
  if (quotient === null) throw new Error(`${text} is no number of the table of units`);
  return quotient;
}

/** Names of one unit, the first of which is its text | its size | base units. Two spellings of a size are two rows. */
const table = `
m meter meters metre metres | 1 | m
km kilometer kilometers kilometre kilometres kms | 1000 | m
cm centimeter centimeters centimetre centimetres cms | 0.01 | m
dm decimeter decimeters decimetre decimetres | 0.1 | m
mm millimeter millimeters millimetre millimetres | 0.001 | m
µm μm um micrometer micrometers micron microns | 0.000001 | m
nm nanometer nanometers | 0.000000001 | m
in inch inches | 0.0254 | m
ft foot feet | 0.3048 | m
yd yard yards | 0.9144 | m
nmi | 1852 | m
mi mile miles | 1609.344 | m
g gram grams gm gms | 1 | g
kg kilogram kilograms kilo kilos kgs | 1000 | g
mg milligram milligrams | 0.001 | g
µg μg mcg microgram micrograms | 0.000001 | g
lb lbs | 453.59237 | g
pound pounds | 453.59237 | g
oz ounce ounces | 28.349523125 | g
tonne tonnes | 1000000 | g
ton tons | 907184.74 | g
s sec secs second seconds | 1 | s
ms millisecond milliseconds | 0.001 | s
min mins minute minutes | 60 | s
h hr hrs hour hours | 3600 | s
day days | 86400 | s
week weeks wk wks | 604800 | s
month months | 1 | month
yr yrs year years | 12 | month
decade decades | 120 | month
century centuries | 1200 | month
L l liter liters litre litres | 0.001 | m^3
mL ml milliliter milliliters millilitre millilitres cc | 0.000001 | m^3
gallon gallons gal | 0.003785411784 | m^3
quart quarts qt | 0.000946352946 | m^3
pint pints pt | 0.000473176473 | m^3
cup cups | 0.0002365882365 | m^3
acre acres | 4046.8564224 | m^2
ha hectare hectares | 10000 | m^2
mph | 0.44704 | m*s^-1
kmh kph kmph | 5/18 | m*s^-1
knot knots | 463/900 | m*s^-1
dollar dollars $ USD usd buck bucks | 1 | dollar
cent cents ¢ | 0.01 | dollar
euro euros € EUR | 1 | euro
pound_money £ GBP | 1 | pound
yen ¥ JPY | 1 | yen
rupee rupees ₹ INR | 1 | rupee
yuan RMB CNY | 1 | yuan
° degree degrees deg | 1 | angle
rad radian radians | 180/π | angle
N newton newtons | 1000 | g*m*s^-2
kN | 1000000 | g*m*s^-2
mJ millijoule millijoules | 1 | g*m^2*s^-2
J joule joules | 1000 | g*m^2*s^-2
kJ kilojoule kilojoules | 1000000 | g*m^2*s^-2
cal calorie calories | 4184 | g*m^2*s^-2
kcal kilocalorie kilocalories | 4184000 | g*m^2*s^-2
kWh | 3600000000 | g*m^2*s^-2
W watt watts | 1000 | g*m^2*s^-3
kW kilowatt kilowatts | 1000000 | g*m^2*s^-3
MW megawatt megawatts | 1000000000 | g*m^2*s^-3
Pa pascal pascals | 1000 | g*m^-1*s^-2
kPa kilopascal kilopascals | 1000000 | g*m^-1*s^-2
atm atmosphere atmospheres | 101325000 | g*m^-1*s^-2
Hz hertz | 1 | s^-1
kHz kilohertz | 1000 | s^-1
GHz gigahertz | 1000000000 | s^-1
MHz megahertz | 1000000 | s^-1
A amp amps ampere amperes | 1 | A
mA milliamp milliamps | 0.001 | A
V volt volts | 1000 | g*m^2*s^-3*A^-1
mV millivolt millivolts | 1 | g*m^2*s^-3*A^-1
Ω ohm ohms | 1000 | g*m^2*s^-3*A^-2
K kelvin kelvins | 1 | K
mol mole moles | 1 | mol
mmol | 0.001 | mol
bit bits | 1 | bit
byte bytes | 8 | bit
KB kilobyte kilobytes | 8000 | bit
MB megabyte megabytes | 8000000 | bit
GB gigabyte gigabytes | 8000000000 | bit
TB terabyte terabytes | 8000000000000 | bit`;

const pi: Node = { kind: "symbol", name: "pi", word: false };

function readPowers(text: string): Powers {
  const powers: Record<string, number> = {};
  for (const part of text.split("*")) {
    const [name, power = "1"] = part.split("^");
    powers[name] = (powers[name] ?? 0) + Number(power);
  }
  return powers;
}

const atoms: ReadonlyMap<string, Atom> = (() => {
  const rows = new Map<string, Atom>();
  for (const line of table.trim().split("\n")) {
    const [names, size, dimension] = line.split(" | ");
    const [name, ...others] = names.split(" ");
    const factor = size === "180/π" ? over(number(numberFrom("180")), pi) : number(numberFrom(size));
    const atom: Atom = { name, dimension: readPowers(dimension), factor, offset: null };
    for (const each of [name, ...others]) rows.set(each, atom);
  }
  const kelvin = { K: 1 };
  const celsius = {
    name: "°C",
    dimension: kelvin,
    factor: number(numberFrom("1")),
    offset: number(numberFrom("273.15")),
  };
  const fahrenheit = {
    name: "°F",
    dimension: kelvin,
    factor: number(numberFrom("5/9")),
    offset: number(numberFrom("45967/180")),
  };
  for (const name of ["°C", "celsius", "centigrade"]) rows.set(name, celsius);
  for (const name of ["°F", "fahrenheit"]) rows.set(name, fahrenheit);
  return rows;
})();

/** The unit that a word names, or null. Case counts where it must: MW and mW, but KM is km. */
export const unitNamed = (word: string): string | null =>
  (atoms.get(word) ?? (word.length > 1 ? atoms.get(word.toLowerCase()) : undefined))?.name ?? null;

const known = new Map<string, Unit | null>();

/** The unit with this text, e.g. `km*h^-1`; null for one that is not of this form. */
export function unitOf(text: string): Unit | null {
  const before = known.get(text);
  if (before !== undefined) return before;
  const unit = combineAtoms(text);
  if (known.size < 1000) known.set(text, unit);
  return unit;
}

function combineAtoms(text: string): Unit | null {
  const powers = new Map<string, number>();
  let factor = number(numberFrom("1"));
  let offset: Node | null = null;
  let isDegree = false;
  const parts = text.split("*");
  for (const part of parts) {
    const [name, power = "1"] = part.split("^");
    const atom = atoms.get(name);
    const count = Number(power);
    if (atom === undefined || !Number.isInteger(count) || Math.abs(count) > 9) return null;
    for (const [base, of] of Object.entries(atom.dimension)) powers.set(base, (powers.get(base) ?? 0) + of * count);
    for (let i = 0; i < Math.abs(count); i++)
      factor = count > 0 ? times(factor, atom.factor) : over(factor, atom.factor);
    if (parts.length === 1 && count === 1) {
      offset = atom.offset;
      isDegree = atom.name === "°";
      factor = atom.factor;
    }
  }
  return { text, dimension: writeDimension(powers), factor, offset, isDegree };
}

const writeDimension = (powers: ReadonlyMap<string, number>): string =>
  [...powers]
    .filter(([, power]) => power !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([base, power]) => (power === 1 ? base : `${base}^${power}`))
    .join("*");

/** The dimension of a product (`power` 1) or quotient (−1). */
export function joinDimensions(a: string, b: string, power: number): string {
  const powers = new Map<string, number>();
  for (const [text, by] of [
    [a, 1],
    [b, power],
  ] as const) {
    if (text === "") continue;
    for (const [base, of] of Object.entries(readPowers(text))) powers.set(base, (powers.get(base) ?? 0) + of * by);
  }
  return writeDimension(powers);
}
