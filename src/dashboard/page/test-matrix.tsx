// Programs against the tests of their question: who passed what, and which tests can be trusted.
import type { JSX } from "preact";
import type { TestsVerdict, UnitTest } from "../../types.ts";
import { ModelLine } from "./text.tsx";
import { Scroll } from "./ui.tsx";

export function TestMatrix({ verdict, tests }: { verdict: TestsVerdict; tests: readonly UnitTest[] }): JSX.Element {
  const { passed, passFractions, trustedTests, unagreedTests, contradictoryTests } = verdict;
  const count = passed[0]?.length ?? tests.length;
  const columns = Array.from({ length: count }, (_, i) => i);
  const kind = (test: number): string =>
    trustedTests.includes(test)
      ? "trusted"
      : contradictoryTests.includes(test)
        ? "contradictory"
        : unagreedTests.includes(test)
          ? "nobody passes"
          : "not confirmed";
  return (
    <section class="card">
      <h2>Answers × tests</h2>
      <p class="faint">
        A test is trusted where strictly most programs give what it expects, or by quorum where one program passes it
        together with another test. Mean share passed: {Math.round(verdict.meanPassFraction * 100)} %.
      </p>
      <Scroll label="Answers and tests">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">answer</th>
              {columns.map((test) => (
                <th key={test} scope="col">
                  <div class="test-name">
                    {tests[test] === undefined ? (
                      `test ${test + 1}`
                    ) : (
                      <ModelLine
                        text={`${tests[test].function}(${tests[test].args.map((one) => JSON.stringify(one)).join(", ")}) → ${JSON.stringify(tests[test].expected)}`}
                        width={60}
                      />
                    )}
                  </div>
                  <span class={`status test-${kind(test).split(" ")[0]}`}>{kind(test)}</span>
                </th>
              ))}
              <th scope="col">passed</th>
            </tr>
          </thead>
          <tbody>
            {passed.map((row, answer) => (
              <tr key={answer}>
                <th scope="row">{answer + 1}</th>
                {columns.map((test) => (
                  <td key={test} class={row[test] === true ? "pass" : "fail"}>
                    {row[test] === true ? "✓" : "✗"}
                  </td>
                ))}
                <td class="number">{Math.round((passFractions[answer] ?? 0) * 100)} %</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
