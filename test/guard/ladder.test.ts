import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Alarm, atEase, type Posture, respond, rungs, underPosture } from "../../src/guard/ladder.ts";

const alarm = (rung: Alarm["rung"]): Alarm => ({ detector: "test", message: "seen", rung, highest: "roll-back" });
const means = { act: true, teacher: true };

/** Postures after each of these looks; a look is the rungs of its alarms. */
function playedAfter(
  looks: readonly (readonly Alarm["rung"][])[],
  with_ = means,
): { postures: Posture[]; actions: string[] } {
  const postures: Posture[] = [];
  const actions: string[] = [];
  let posture = atEase;
  for (const look of looks) {
    const answer = respond(posture, look.map(alarm), with_);
    posture = answer.posture;
    postures.push(posture);
    actions.push(...answer.responses.map(({ action }) => action));
  }
  return { postures, actions };
}

const calm = (looks: number): [][] => Array.from({ length: looks }, () => []);

describe("the ladder", () => {
  it("climbs one rung an alarm while they keep coming", () => {
    expect(playedAfter([["slow"], ["slow"], ["slow"]]).actions).toEqual(["slow", "teacher", "roll-back"]);
    // Where nobody can teach, the next rung takes its place, or one more slowing where that may not be.
    expect(playedAfter([["slow"], ["slow"]], { act: true, teacher: false }).actions).toEqual(["slow", "roll-back"]);
    const low = { ...alarm("slow"), highest: "teacher" as const };
    const { posture } = respond(atEase, [low], { act: true, teacher: false });
    expect(respond(posture, [low], { act: true, teacher: false }).responses[0].action).toBe("slow");
  });

  it("climbs no higher than an alarm may", () => {
    let posture = atEase;
    for (let look = 0; look < 4; look++) {
      posture = respond(posture, [{ ...alarm("slow"), highest: "teacher" }], means).posture;
    }
    expect(posture).toMatchObject({ rung: "teacher", rollbacks: 0, taught: true, slowed: 4 });
    expect(respond(posture, [alarm("slow")], means).posture.rollbacks).toBe(1);
  });

  it("returns where an alarm that a teacher should meet goes on at a sixteenth of the rate, twice and never to a stop", () => {
    let posture = atEase;
    const actions: string[] = [];
    for (let look = 0; look < 40; look++) {
      const { posture: next, responses } = respond(posture, [{ ...alarm("slow"), highest: "teacher" }], means);
      posture = next;
      actions.push(responses[0].action);
    }
    expect(actions.slice(0, 6)).toEqual(["slow", "teacher", "teacher", "teacher", "roll-back", "teacher"]);
    expect(actions.filter((action) => action === "roll-back")).toHaveLength(2);
    expect(posture).toMatchObject({ rollbacks: 2, stopped: false, taught: true });
  });

  it("goes at once to a rung that an alarm asks for, and stops at the third return", () => {
    const { actions, postures } = playedAfter([["roll-back"], ...calm(20), ["roll-back"], ...calm(20), ["roll-back"]]);
    expect(actions).toEqual(["roll-back", "roll-back", "stop"]);
    expect(postures.at(-1)).toMatchObject({ stopped: true, rollbacks: 2 });
  });

  it("answers any alarm soon after a return with another one", () => {
    expect(playedAfter([["roll-back"], ["slow"]]).actions).toEqual(["roll-back", "roll-back"]);
  });

  it("takes back what slows after ten looks without an alarm, and never what a return halved", () => {
    const { postures } = playedAfter([["roll-back"], ...calm(10), ["slow"], ...calm(9), []]);
    expect(postures[11]).toMatchObject({ slowed: 1, rollbacks: 1, skip: true });
    expect(postures[20]).toMatchObject({ slowed: 1 });
    expect(postures[21]).toMatchObject({ slowed: 0, rollbacks: 1, rung: "note" });
  });

  it("only says what it sees where it may not act, and of what there is nothing to do about", () => {
    const { actions, postures } = playedAfter([["roll-back"], ["slow"]], { act: false, teacher: true });
    expect(actions).toEqual(["note", "note"]);
    expect(postures.at(-1)).toMatchObject({ rung: "note", slowed: 0, rollbacks: 0, skip: false });
    expect(playedAfter([["note"]]).actions).toEqual(["note"]);
  });

  it("answers every alarm, and never rolls back more than twice", () => {
    const looks = fc.array(fc.array(fc.constantFrom(...rungs), { maxLength: 3 }), { maxLength: 40 });
    fc.assert(
      fc.property(looks, (given) => {
        const { actions, postures } = playedAfter(given);
        expect(actions).toHaveLength(given.flat().length);
        expect(postures.at(-1)?.rollbacks ?? 0).toBeLessThanOrEqual(2);
      }),
    );
  });

  it("halves the learning rate for each slowing and each return, and asks for more agreement", () => {
    const settings = { learningRate: 1, minAgreement: 0.5, other: "kept" };
    expect(underPosture(settings, atEase)).toBe(settings);
    expect(underPosture(settings, { ...atEase, slowed: 1, rollbacks: 2 })).toEqual({
      learningRate: 0.125,
      minAgreement: 0.6,
      other: "kept",
    });
    expect(underPosture({ ...settings, minAgreement: 0.95 }, { ...atEase, slowed: 3 }).minAgreement).toBe(0.95);
    expect(underPosture(settings, { ...atEase, slowed: 9 }).minAgreement).toBe(0.9);
  });
});
