import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answersEqual, canonicalAnswer } from "../../src/answer/answer.ts";
import { compareAnswers } from "../../src/answer/compare-answers.ts";
import { randomStream } from "../../src/random.ts";

const tex = String.raw;

interface Pair {
  readonly expected: string;
  readonly given: string;
  readonly equal: boolean;
}
const pairs = JSON.parse(
  readFileSync(new URL("./fixtures/math-answers.json", import.meta.url), "utf8"),
) as readonly Pair[];

describe("pairs of Math-Verify", () => {
  it("agrees on at least 95 % with at most one false equal", () => {
    const wrong = pairs.filter((pair) => answersEqual(pair.expected, pair.given).equal !== pair.equal);
    expect(pairs.length).toBe(134);
    expect(wrong.length / pairs.length).toBeLessThanOrEqual(0.05);
    expect(wrong.filter((pair) => !pair.equal).length).toBeLessThanOrEqual(1);
  });
  it("is symmetric and reflexive on every pair", () => {
    for (const { expected, given } of pairs) {
      expect(answersEqual(given, expected).equal).toBe(answersEqual(expected, given).equal);
      expect(answersEqual(given, given).equal, given).toBe(true);
    }
  });
});

const equal: readonly (readonly [string, string])[] = [
  ["New York.", "**new york**"],
  ["\\boxed{San Jose}", "san jose"],
  ["abc", "c*a*b"],
  ['"red"', "red"],
  ["“Rio”", "Rio"],
  ["ab - cd", "-dc + ba"],
  ["ab", "ba"],
  ["2abe", "2eab"],
  ["5", "x=5"],
  ["1/2", "0.5"],
  ["\\frac{1}{2}", "0.50"],
  ["3", "3.0"],
  ["1e3", "1000"],
  ["1.5\\times 10^{3}", "1500"],
  ["2*10^3", "2000"],
  ["-3", "$-3$"],
  ["5", "\\boxed{5}"],
  ["50%", "0.5"],
  ["50%", "50"],
  ["50\\%", "50 percent"],
  ["12 cm", "12"],
  ["12\\text{ cm}", "12 cm"],
  ["12\\,\\mathrm{cm}^2", "12"],
  ["5\\text{ m}", "5"],
  ["$5", "5 dollars"],
  ["\\$5.00", "5"],
  ["(1,2)", "\\left(1,2\\right)"],
  ["[1,2]", "1 <= x <= 2"],
  ["(-\\infty,3)", "x<3"],
  ["(-\\infty, 1) \\cup (1, \\infty)", "\\mathbb{R} \\setminus \\{1\\}"],
  ["x \\neq 1", "(-\\infty, 1) \\cup (1, \\infty)"],
  ["\\{1,2,3\\}", "\\{3,2,1\\}"],
  ["1, 2, 3", "3, 1, 2"],
  ["{1,2}", "\\{2,1\\}"],
  ["1 and 2", "2, 1"],
  ["x=1 or x=2", "1,2"],
  ["x=1, y=2", "(1,2)"],
  ["(x,y)=(1,2)", "x=1,y=2"],
  ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}"],
  ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "$\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}$"],
  ["\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)"],
  ["\\sum_{i=1}^{4} i", "10"],
  ["\\sum_{i=1}^{2}\\sum_{j=1}^{2} i j", "\\sum_{a=1}^{2}\\sum_{b=1}^{2} a b"],
  ["\\prod_{i=1}^4 i", "24"],
  ["\\sum_{k=1}^n \\frac{1}{k}", "\\sum_{i=1}^{n} \\frac1i"],
  ["42", "**42**"],
  ["\\sqrt{-4}", "2i"],
  ["\\sqrt{-1}", "i"],
  ["1.5 × 10⁻⁴", "0.00015"],
  ["x¹²", "x^{12}"],
  ["\\emptyset", "\\text{no solution}"],
  ["\\mathbb{R}", "all real numbers"],
  ["C", "Option (C)"],
  ["(3,4)", "The point is (3, 4)."],
  ["x^2", "`x^2`"],
  ["x^2-1", "(x-1)(x+1)"],
  ["2(x+1)", "2x+2"],
  ["sin(x)^2+cos(x)^2", "1"],
  ["\\sin^2 x", "1-\\cos^2 x"],
  ["x^2+2x+1", "(x+1)^2"],
  ["\\frac{x}{2}", "0.5x"],
  ["y=2x+1", "2x-y+1=0"],
  ["y=2x+1", "2x+1"],
  ["x+y=1", "2x+2y=2"],
  ["x+y=1", "1=x+y"],
  ["x>2", "2<x"],
  ["2x>4", "x>2"],
  ["x-2>0", "x>2"],
  ["x+y>1", "y+x-1>0"],
  ["-x<-2", "x>2"],
  ["x^2<4", "(-2,2)"],
  ["|x|<2", "-2<x<2"],
  ["\\sqrt{12}", "2\\sqrt{3}"],
  ["\\frac{1}{\\sqrt2}", "\\frac{\\sqrt2}{2}"],
  ["sqrt(2)", "2^{1/2}"],
  ["\\sqrt[3]{8}", "2"],
  ["\\pi", "π"],
  ["2\\pi", "2*pi"],
  ["pi/2", "\\frac{\\pi}{2}"],
  ["e^2", "e^{2}"],
  ["\\ln 2", "ln(2)"],
  ["\\log_2 8", "3"],
  ["1,000", "1000"],
  ["1,234,567", "1234567"],
  ["10{,}000", "10000"],
  ["10,\\!000", "10000"],
  ["0,5", "0.5"],
  ["3,14", "3.14"],
  ["1 1/2", "3/2"],
  ["1\\frac{1}{2}", "1.5"],
  ["0.\\overline{3}", "1/3"],
  ["0.333333", "1/3"],
  ["0.1\\overline{6}", "1/6"],
  ["The answer is 42.", "42"],
  ["So the final answer is: **42**", "42"],
  ["#### 42", "42"],
  ["Answer: 3/4", "0.75"],
  ["Therefore, x = 4.", "4"],
  ["We get 3 + 4 = 7", "7"],
  ["A", "(A)"],
  ["\\text{(B)}", "B"],
  ["Yes", "yes"],
  ["\\text{True}", "True"],
  ["30^\\circ", "30"],
  ["30°", "30 degrees"],
  ["\\frac{\\pi}{6}", "\\pi/6"],
  ["5!", "120"],
  ["\\binom{5}{2}", "10"],
  ["1:2", "1/2"],
  ["3:4", "6:8"],
  ["\\pm 2", "2,-2"],
  ["2 \\pm \\sqrt{3}", "2+\\sqrt3, 2-\\sqrt3"],
  ["i^2", "-1"],
  ["2+3i", "3i+2"],
  ["x \\in [0,1]", "[0,1]"],
  ["\\emptyset", "\\{\\}"],
  ["f(x)=x^2", "f(t)=t^2"],
  ["f(x)=x^2", "x^2"],
  ["a_n=2n+1", "2n+1"],
  ["a_{1}=3", "a_1=3"],
  ["-\\frac{3}{4}", "-3/4"],
  ["\\frac{-3}{4}", "-3/4"],
  ["\\frac{3}{-4}", "-0.75"],
  ["3/4 hours", "3/4"],
  ["x = 3 cm", "3"],
  ["\\frac{1}{2} x^2 + C", "C + x^2/2"],
  ["\\sqrt{x^2+1}", "(x^2+1)^{0.5}"],
  ["\\frac{1}{x+1}+\\frac{1}{x-1}", "\\frac{2x}{x^2-1}"],
  ["2^{10}", "1024"],
  ["10^{100}", "10^{100}"],
  ["\\frac{a}{b}", "a/b"],
  ["\\frac ab", "a/b"],
  ["ab", "ba"],
  ["xyz", "zyx"],
  ["\\tan 45^\\circ", "1"],
  ["n(n+1)/2", "\\frac{n(n+1)}{2}"],
  ["\\left\\{1,2\\right\\}", "1,2"],
  ["\\{x | x > 3\\}", "x>3"],
  ["\\{x : x \\ge 3\\}", "[3,\\infty)"],
  ["$x=2$ and $y=3$", "x=2,y=3"],
  ["1.0", "1"],
  ["1011_2", "1011_{2}"],
  ["0.5 or 2", "2, 1/2"],
  ["\\frac{2}{3}", "0.6666666667"],
  ["\\sqrt{2}", "1.41421356"],
  ["2.71828182846", "e"],
  ["(2, \\pi)", "(2,\\pi)"],
  ["x\\ge 0", "x>=0"],
  ["3.50", "$3.5"],
  ["(1,2), (3,4)", "(3,4),(1,2)"],
  ["x<1 or x>3", "(-\\infty,1)\\cup(3,\\infty)"],
  ["1<x and x<3", "(1,3)"],
  ["\\text{5 apples}", "5"],
  ["5 km/h", "5"],
  ["\\$18.90", "18.90"],
  ["\\frac{1}{3}\\text{ or }2", "2, 1/3"],
  ["$$x=3$$", "3"],
  ["\\[ 3x+2 \\]", "2+3x"],
  ["90\\text{ degrees}", "90^{\\circ}"],
  ["\\angle ABC = 30", "30"],
  ["P(A)=1/3", "1/3"],
  ["\\frac{3}{4}\\pi", "0.75π"],
  ["\\mathbf{3}", "3"],
  ["4\\times 4", "16"],
  ["(-1)^n", "(-1)^{n}"],
  ["[1,2)\\cup[2,3]", "[1,3]"],
  ["[2;3]", "[2,3]"],
  ["(1;2)", "(1,2)"],
  ["\\log 100", "\\log(100)"],
  ["-2<x\\le 5", "(-2,5]"],
  ["0.25", "25%"],
  ["3\\cdot 10^{-2}", "0.03"],
  ["\\frac{1}{2}mv^2", "mv^2/2"],
  ["|x-1|", "|1-x|"],
  ["\\max(1,2)", "2"],
  ["\\lfloor 2.5\\rfloor", "2"],
  ["\\sum_{k=1}^{4} k", "10"],
  ["\\dfrac{\\sqrt{3}+1}{2}", "\\frac{1}{2}+\\frac{\\sqrt 3}{2}"],
  ["x = -\\frac{b}{2a}", "-b/(2a)"],
  ["5\\text{ m/s}", "5"],
  ["\\frac{1}{3}\\text{m}", "1/3"],
  ["x \\in \\mathbb{R}", "(-\\infty,\\infty)"],
  ["\\boxed{\\text{Yes}}", "yes"],
  ["137 \\frac{1}{2}", "137.5"],
  ["6\\sqrt{3} \\mbox{ cm}", "6\\sqrt3"],
  ["8 \\text{ or } 9", "9, 8"],
  ["\\begin{align*} x &= 1+1 \\\\ &= 2 \\end{align*}", "2"],
  ["The answer is: $x = 5$.", "5"],
  ["After all steps we have 7 apples left. The answer is 7.", "7"],
  ["I think it's \\boxed{12}, since 3*4=12.", "12"],
  ["**Answer:** $\\frac{5}{6}$", "5/6"],
  ["The final answer is \\boxed{\\frac{3}{5}}.", "0.6"],
  ["Thus $a+b = 3+4 = \\boxed{7}$.", "7"],
  ["The value of x is 3.5 meters.", "3.5"],
  ["So the total is $1,234.50", "1234.5"],
  ["= 25", "25"],
  ["≈ 3.14", "3.14"],
  ["x ≈ 3.14", "3.14"],
  ["x = \\frac{\\pi}{4} + k\\pi, k \\in \\mathbb{Z}", "x=k\\pi+\\pi/4, k\\in\\mathbb{Z}"],
  ["\\left(\\frac{1}{2}, -\\frac{3}{4}\\right)", "(0.5,-0.75)"],
  ["(x-1)(x+2)=0", "x^2+x-2=0"],
  ["x^2 = 4", "x^2-4=0"],
  ["\\frac{x}{2}+\\frac{y}{3}=1", "3x+2y=6"],
  ["y - 3 = 2(x-1)", "y=2x+1"],
  ["\\sqrt{x}=2", "2\\sqrt{x}=4"],
  ["a^2+b^2=c^2", "c^2=a^2+b^2"],
  ["\\overline{AB}", "AB"],
  ["x\\le-1\\text{ or }x\\ge 3", "(-\\infty,-1]\\cup[3,\\infty)"],
  ["x^2-2x-3 \\ge 0", "(-\\infty,-1]\\cup[3,\\infty)"],
  ["x \\in (-\\infty,-1]\\cup[3,\\infty)", "x \\le -1 \\text{ or } x\\ge 3"],
  ["1 < x < 2 \\text{ or } x > 5", "(1,2)\\cup(5,\\infty)"],
  ["[0,\\pi]", "0\\le x\\le \\pi"],
  ["(-3,3)\\setminus\\{0\\}", "(-3,0)\\cup(0,3)"],
  ["\\{(1,2),(3,4)\\}", "\\{(3,4),(1,2)\\}"],
  ["-0", "0"],
  ["+5", "5"],
  ["(5)", "5"],
  ["[5]", "5"],
  ["{5}", "5"],
  ["5.", "5"],
  ["5,", "5"],
  ["$5$ dollars", "5"],
  ["\\$5", "5"],
  ["5\\%", "5%"],
  ["5 \\%", "0.05"],
  ["1e-3", "0.001"],
  ["6.02e23", "6.02 \\times 10^{23}"],
  ["2 x", "2*x"],
  ["2**3", "8"],
  ["2^3", "8"],
  ["x**2", "x^2"],
  ["\\cfrac{1}{2}", "1/2"],
  ["1/2x", "x/2"],
  ["\\frac{1}{2}x", "x/2"],
  ["a/b/c", "a/(bc)"],
  ["\\sin(2x)", "2\\sin x\\cos x"],
  ["\\cos^2 x - \\sin^2 x", "\\cos 2x"],
  ["e^{i\\pi}", "-1"],
  ["\\ln(e)", "1"],
  ["\\log_{10} 100", "2"],
  ["\\tan^{-1} x", "\\arctan x"],
  ["x^{1/2}", "\\sqrt{x}"],
  ["x^{-1}", "1/x"],
  ["\\frac{\\sqrt{6}}{3}", "\\sqrt{\\frac{2}{3}}"],
  ["(\\sqrt{2}+1)(\\sqrt2-1)", "1"],
  ["C(5,2)", "C(5,2)"],
  ["\\text{The area is }5", "5"],
  ["\\text{Area}=5\\text{ cm}^2", "5"],
  ["S=\\pi r^2", "\\pi r^2"],
  ["V_{max}=3", "3"],
  ["2:3:4", "4:6:8"],
  ["10\\,000", "10000"],
  ["10 000", "10000"],
  ["1.234,56", "1234.56"],
  ["12.345.678", "12345678"],
  ["-\\infty", "-∞"],
  ["x \\to 0", "0"],
  ["\\frac{0}{5}", "0"],
  ["0.1+0.2", "0.3"],
  ["\\frac{22}{7}", "3\\frac{1}{7}"],
  ["100\\%", "1"],
  ["33\\frac{1}{3}\\%", "1/3"],
  ["12\\frac12\\%", "0.125"],
  ["x=5 \\text{ or } x=-5", "\\pm5"],
  ["x=\\pm 5", "5,-5"],
  ["\\{-5,5\\}", "\\pm 5"],
  ["(\\pm1, 2)", "(1,2),(-1,2)"],
  ["5\\text{ units}", "5"],
  ["5 \\, \\text{square units}", "5"],
  ["10\\text{th}", "10"],
  ["2nd", "2"],
  ["\\text{Monday}", "monday"],
  ["\\mathrm{Monday}", "Monday"],
  ["\\textbf{(C)}", "C"],
  ["\\textbf{(C) }12", "12"],
  ["(C) 12", "12"],
  ["C. 12", "12"],
  ["\\boxed{C}", "(C)"],
  ["9:30", "9:30"],
  ["\\text{no solution}", "No solution"],
  ["f'(x)=2x", "2x"],
  ["y' = 2x", "2x"],
  ["\\vec{v}=(1,2)", "(1,2)"],
  ["\\langle 1,2\\rangle", "(1,2)"],
  ["\\left< 1,2 \\right>", "(1,2)"],
  ["3i+4j", "4j+3i"],
  [
    "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}+\\begin{pmatrix}1&0\\\\0&1\\end{pmatrix}",
    "\\begin{pmatrix}2&2\\\\3&5\\end{pmatrix}",
  ],
  ["\\begin{array}{cc}1&2\\\\3&4\\end{array}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"],
  ["2\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(2,4)"],
  ["\\begin{cases}x=1\\\\y=2\\end{cases}", "(1,2)"],
  ["\\gcd(12,18)", "6"],
  ["]1,2[", "(1,2)"],
  ["10!/8!", "90"],
  ["\\lambda = 3", "3"],
  ["\\alpha+\\beta", "\\beta+\\alpha"],
  ["x_1+x_2", "x_2+x_1"],
  ["a_{n+1}=2a_n", "2a_n"],
  ["\\int_0^1 x dx", "\\int_0^1 x dx"],
  ["2\\mathrm{i}", "2i"],
  ["5\\mathrm{~cm}", "5"],
  ["5 \\mathrm{~m} / \\mathrm{s}", "5"],
  ["0.\\dot{3}", "1/3"],
  ["0.333...", "1/3"],
  ["1, 2, \\ldots, 10", "1,2,\\dots,10"],
  ["x=1;x=2", "1,2"],
  ["\\text{x}=5", "5"],
  ["\\frac { 3 } { 4 }", "3/4"],
  ["\\frac{3}{4}.", "3/4"],
  ["{3 \\over 4}", "3/4"],
  ["\\sqrt 2/2", "\\frac{\\sqrt{2}}{2}"],
  ["4 \\frac 1 2", "4.5"],
  ["x\\in\\{1,2\\}", "x=1 or x=2"],
  ["1 \\leq x", "x\\ge1"],
  ["\\neg", "\\neg"],
  ["\\frac{7}{2}a^2", "3.5a^2"],
  ["2^{n+1}-2", "2(2^n-1)"],
  ["\\ln\\frac{1}{2}", "-\\ln2"],
  ["\\log_3 9x", "\\log_3(9x)"],
  ["ax", "xa"],
  ["am", "am"],
  ["on", "On."],
  ["\\boxed{\\sin}", "\\boxed{sin}"],
];

const unequal: readonly (readonly [string, string])[] = [
  // Words are no products, and what follows a name is no unit of it.
  ["New York", "New Delhi"],
  ["\\text{New York}", "New York City"],
  ["San Jose", "San Juan"],
  ["El Paso", "El Salvador"],
  ["Hot Springs", "Hot Rocks"],
  ["La Paz", "La Plata"],
  ["dog", "god"],
  ["big", "gib"],
  ["up", "pu"],
  ["on", "no"],
  ["\\boxed{\\sin}", "\\boxed{\\cos}"],
  ["on", "n*o"],
  ["to", "ot"],
  ["log on", "log no"],
  ["hit/run", "run/hit"],
  ["hit/run", "nur/tih"],
  ["co-op", "op-co"],
  ["1", "2"],
  ["1/2", "1/3"],
  ["x", "y"],
  ["x=1", "y=1"],
  ["(1,2)", "(2,1)"],
  ["[1,2]", "(1,2)"],
  ["[1,2]", "[1,2)"],
  ["{1,2}", "{1,3}"],
  ["1,2", "1,2,3"],
  ["x^2", "x^3"],
  ["x>2", "x>=2"],
  ["x>2", "x<2"],
  ["x+y=1", "x+y=2"],
  ["x+y>1", "x+y<1"],
  ["0.33", "1/3"],
  ["3.14", "\\pi"],
  ["-5", "5"],
  ["5", "50"],
  ["A", "B"],
  ["yes", "no"],
  ["2x", "2"],
  ["x+1", "x-1"],
  ["sqrt(x^2)", "x"],
  ["\\sqrt{2}", "\\sqrt{3}"],
  ["1.4142", "\\sqrt{2}"],
  ["f(2)", "f(3)"],
  ["f(x)", "g(x)"],
  ["[0,1]\\cup[2,3]", "[0,3]"],
  ["\\pm 3", "3"],
  ["1:30", "2:30"],
  ["2^{100}", "2^{101}"],
  ["10^{20}", "10^{20}+1"],
  ["e", "2.718"],
  ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\4&3\\end{pmatrix}"],
  ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix} 1 & 2 & 3 & 4 \\end{pmatrix}"],
  ["\\sum_{i=1}^n i", "\\sum_{i=1}^n k"],
  ["\\sum_{i=1}^{2}\\sum_{j=1}^{2} i j", "\\sum_{i=1}^{2}\\sum_{j=1}^{2} j^2"],
  ["\\sqrt{-4}", "-2i"],
  ["C", "Option D"],
  ["\\emptyset", "all real numbers"],
  ["x=2,y=3", "x=3,y=2"],
  ["50%", "5"],
  ["0.5", "50"],
  ["101_2", "101_3"],
  ["a<b", "a>b"],
  ["(1,2,3)", "(1,3,2)"],
  ["\\infty", "-\\infty"],
  ["\\emptyset", "0"],
  ["sin x", "cos x"],
  ["ln x", "log_2 x"],
  ["12", "1.2"],
  ["1,234", "1.235"],
  ["9^{9^{9^9}}", "9^{9^{9^8}}"],
  ["2 hours", "3 hours"],
  ["n!", "(n+1)!"],
  ["2", "2i"],
  ["x^2+y^2=1", "x^2+y^2=4"],
  ["y=x", "y=2x"],
  ["-1<x<1", "-1<x<=1"],
  ["", "0"],
  ["C", "D"],
  ["north", "south"],
];

describe("equality", () => {
  it.each(equal)("%s equals %s", (a, b) => {
    expect(answersEqual(a, b).equal).toBe(true);
    expect(answersEqual(b, a).equal).toBe(true);
  });
  it.each(unequal)("%s differs from %s", (a, b) => {
    expect(answersEqual(a, b).equal).toBe(false);
    expect(answersEqual(b, a).equal).toBe(false);
  });
  it("is symmetric between any two of these answers", () => {
    const all = [...equal, ...unequal].flat();
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.constantFrom(...all), (a, b) => {
        expect(answersEqual(a, b).equal).toBe(answersEqual(b, a).equal);
      }),
      { numRuns: 500, seed: 3 },
    );
  });
  it("calls answers with the same canonical text equal", () => {
    const groups = new Map<string, string[]>();
    for (const answer of [...equal, ...unequal].flat()) {
      const read = canonicalAnswer(answer);
      if (read.ok) groups.set(read.value, [...(groups.get(read.value) ?? []), answer]);
    }
    for (const group of groups.values()) {
      for (const answer of group) {
        const [named, other] = [answersEqual(group[0], answer), answersEqual(answer, group[0])];
        // x = 1 and y = 1 share the value 1 and differ by their names: the one way in which texts say less.
        if (!/[a-zA-Z_]\s*=/.test(answer + group[0])) expect([named.equal, other.equal]).toEqual([true, true]);
      }
    }
  });
});

describe("numbers", () => {
  const fraction = fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: 1, max: 99 }));
  it("reads every spelling of a fraction to the same canonical text", () => {
    fc.assert(
      fc.property(fraction, fc.integer({ min: 1, max: 9 }), ([top, bottom], factor) => {
        const spellings = [
          `${top}/${bottom}`,
          `${top * factor}/${bottom * factor}`,
          tex`\frac{${top}}{${bottom}}`,
          tex`$\dfrac{${top * factor}}{${bottom * factor}}$`,
          tex`\boxed{\frac{${top}}{${bottom}}}`,
          `The answer is ${top}/${bottom}.`,
          `x = ${top}/${bottom}`,
        ];
        const read = spellings.map(canonicalAnswer);
        expect(read.every((each) => each.ok)).toBe(true);
        expect(new Set(read.map((each) => (each.ok ? each.value : each.reason))).size).toBe(1);
      }),
      { seed: 1 },
    );
  });
  it("tells different fractions apart", () => {
    fc.assert(
      fc.property(fraction, fraction, ([a, b], [c, d]) => {
        expect(answersEqual(`${a}/${b}`, tex`\frac{${c}}{${d}}`).equal).toBe(a * d === b * c);
      }),
      { seed: 2 },
    );
  });
});

describe("votes by canonical text", () => {
  it("never depend on the order of answers", () => {
    const pool = [...equal, ...unequal].flat();
    const count = (answers: readonly string[]): string => {
      const votes = new Map<string, number>();
      for (const answer of answers) {
        const read = canonicalAnswer(answer);
        const key = read.ok ? read.value : `unreadable ${read.reason}`;
        votes.set(key, (votes.get(key) ?? 0) + 1);
      }
      return JSON.stringify([...votes].sort());
    };
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pool), { maxLength: 24 }), fc.nat(), (answers, seed) => {
        expect(count(randomStream("order", seed).shuffle(answers))).toBe(count(answers));
      }),
      { numRuns: 200, seed: 4 },
    );
  });
});

describe("hostile answers", () => {
  const many = (text: string, count: number): string => text.repeat(count);
  const hostile: Readonly<Record<string, string>> = {
    "100 kB of braces": many("{", 100_000),
    "100 kB of matching braces": many("{", 50_000) + many("}", 50_000),
    "nested parentheses": `${many("(", 3000)}1${many(")", 3000)}`,
    "nested boxes": many("\\boxed{", 15_000),
    "many boxes": many("\\boxed{1}", 11_000),
    "nested fractions": `${many("\\frac{1}{1+", 400)}1${many("}", 400)}`,
    "a dollar flood": many("$ ", 50_000),
    "a flood of markers": many("final answer is ", 6000),
    "a flood of conclusions": many("\ntherefore, ", 8000),
    "100,000 digits": many("9", 100_000),
    commas: many("1,", 50_000),
    backslashes: many("\\", 100_000),
    environments: many("\\begin{a}", 10_000),
    "nested sums": `${many("\\sum_{k=1}^{200}", 8)}k`,
    "nested powers": "((((x+y+z+w+1)^24+1)^24+1)^24)^24",
    bars: many("|x", 180),
    roots: `${many("\\sqrt", 60)}2`,
    "a matrix of 900": `\\begin{pmatrix}${many("1&", 900)}1\\end{pmatrix}`,
    "repeated groups": many("0.333", 20_000),
    letters: many("a", 100_000),
    "a megabyte": many("x+", 500_000),
  };
  it.each(Object.entries(hostile))("%s: an answer or a typed reason, never an exception", (_, text) => {
    const read = canonicalAnswer(text);
    if (!read.ok) expect(["empty", "no-answer", "too-long", "too-deep", "not-unicode"]).toContain(read.reason);
    else expect(read.value.length).toBeLessThan(10_000);
    expect(answersEqual(text, "5").equal).toBe(false);
  });
  it("gives the reason", () => {
    const reason = (text: string): string => {
      const read = canonicalAnswer(text);
      return read.ok ? read.value : read.reason;
    };
    expect(reason("")).toBe("empty");
    expect(reason(" \n")).toBe("empty");
    expect(reason("\ud800 5")).toBe("not-unicode");
    expect(reason(Buffer.from([0x35, 0xff, 0xfe]).toString("utf8"))).toBe("not-unicode");
    expect(reason(many("x", 300_000))).toBe("too-long");
    expect(reason(`${many("(", 190)}1${many(")", 190)}`)).toBe("too-deep");
    expect(reason(many("{", 100_000))).toBe("no-answer");
  });
  it("compares what has no value by how it is written", () => {
    expect(answersEqual("9^9^9^9", "9 ^ 9 ^ 9 ^ 9").equal).toBe(true);
    expect(answersEqual("9^9^9^9", "9^9^9^8").equal).toBe(false);
    expect(answersEqual("9^9^9^9", "9").equal).toBe(false);
    expect(answersEqual("1000000!", "1000000").equal).toBe(false);
    expect(answersEqual("x^{999999999}", "x^{999999997}").equal).toBe(false);
    expect(answersEqual("1/0", "2/0").equal).toBe(false);
  });
  it("never throws on random text", () => {
    const alphabet = [
      ..."0123456789xyzfi.,;:+-*/^_=<>()[]{}|$%!\\ \n",
      "\\frac",
      "\\sqrt",
      "\\boxed{",
      "\\pm",
      "\\cup",
      "\\le ",
      "\\begin{pmatrix}",
      "\\end{pmatrix}",
      "&",
      "\\\\",
      "\\text{",
      "and",
      "answer is ",
      "\\infty",
      "°",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...alphabet), { maxLength: 40 }), fc.string(), (parts, other) => {
        const text = parts.join("");
        expect(answersEqual(text, other).equal).toBe(answersEqual(other, text).equal);
        expect(canonicalAnswer(text)).toEqual(canonicalAnswer(text));
      }),
      { numRuns: 1000, seed: 5 },
    );
  });
});

describe("compareAnswers", () => {
  it("answers with the verdict and both canonical texts", () => {
    expect(compareAnswers({ expected: "1/2", given: "The answer is 0.5." })).toEqual({
      equal: true,
      expectedParsed: "1/2",
      givenParsed: "1/2",
    });
    expect(compareAnswers({ expected: "", given: "5" })).toEqual({
      equal: false,
      expectedParsed: null,
      givenParsed: "5",
    });
  });
  it.each([
    [{}],
    [{ expected: "1" }],
    [{ expected: 1, given: "1" }],
    [[]],
    [null],
    ["x"],
    [{ expected: "1", given: "1", more: 1 }],
  ])("refuses %j with a hint", (input) => {
    expect(() => compareAnswers(input)).toThrow(/not a pair of answers/);
  });
});
