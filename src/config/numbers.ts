// Kinds of number that settings have.
import { z } from "zod";

export const fraction = z.number().min(0).max(1);
export const decay = z.number().min(0).lt(1);
export const count = z.number().int().min(0);
export const positiveCount = z.number().int().min(1);
