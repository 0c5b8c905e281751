// Settings that count only beside certain values of others. One that changes nothing is not accepted in silence: given as
// a flag it is refused, from a file it is noted (layers.ts).
import { z } from "zod";

/**
 * By key of another setting: the values beside which this one counts (`plain:*` is all that begin so), or `above 0`, or `not 0`. All
 * of them must hold.
 */
export type Condition = Readonly<Record<string, readonly string[] | "above 0" | "not 0">>;

const conditions = z.registry<{ readonly onlyWith: Condition }>();

/** The same schema, whose setting is in force only where `condition` holds. */
export function onlyWith<Schema extends z.ZodType>(condition: Condition, schema: Schema): Schema {
  conditions.add(schema, { onlyWith: condition });
  return schema;
}

/** The condition of a setting's schema; null where it is always in force. */
export function conditionOf(schema: z.ZodType): Condition | null {
  return conditions.get(schema)?.onlyWith ?? null;
}

/** What of its condition keeps a setting from being in force, in words; null where it is in force. */
export function idleBecause(schema: z.ZodType, config: Readonly<Record<string, unknown>>): string | null {
  for (const [key, wanted] of Object.entries(conditionOf(schema) ?? {})) {
    const value = config[key];
    const holds =
      wanted === "above 0"
        ? Number(value) > 0
        : wanted === "not 0"
          ? Number(value) !== 0
          : wanted.some((one) => matches(one, String(value)));
    if (holds) continue;
    return `it counts only with ${key} ${typeof wanted === "string" ? wanted : wanted.join(" or ")}, and ${key} is ${String(value)}`;
  }
  return null;
}

const matches = (wanted: string, value: string): boolean =>
  wanted.endsWith("*") ? value.startsWith(wanted.slice(0, -1)) : value === wanted;
