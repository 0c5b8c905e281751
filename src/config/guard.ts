// Settings of the guard: what watches whether the vote is still honest, and what is done when it is not.
import { z } from "zod";
import { onlyWith } from "./in-force.ts";
import { fraction, positiveCount } from "./numbers.ts";

const guardModes = ["off", "note", "act"] as const;
const watching = { guard: ["note", "act"] };

export const guard = {
  guard: z
    .enum(guardModes)
    .default("off")
    .describe(
      "Watch with probes whether the vote is still honest: `note` says what it sees, `act` also slows down, takes the vote from an earlier model, rolls back and stops.",
    ),
  probeQuestions: onlyWith(
    watching,
    positiveCount.default(64).describe("Probes: fixed questions that are asked again and again and never taught."),
  ),
  probeAnswers: onlyWith(
    watching,
    z.number().int().min(4).default(12).describe("Answers to each probe, split over the forms of its question."),
  ),
  probeEvery: onlyWith(watching, positiveCount.default(2).describe("Ask the probes every so many steps.")),
  guardAlpha: onlyWith(
    watching,
    z
      .number()
      .gt(0)
      .max(0.5)
      .default(0.01)
      .describe("Chance that a run whose probes get no worse is ever rolled back."),
  ),
  guardMargin: onlyWith(
    watching,
    fraction
      .default(0.05)
      .describe(
        "How much larger a share of the solved probes may be lost than at the start before the guard slows down; it goes back at four times as much.",
      ),
  ),
  guardThreshold: onlyWith(
    watching,
    z.number().positive().default(10).describe("Height of the control charts' alarm, in standard deviations added up."),
  ),
};

export type GuardSettings = z.output<z.ZodObject<typeof guard>>;
