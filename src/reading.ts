// Short ways to say what came of reading a model's reply.
import type { Reading } from "./types.ts";

/** A reply that could not be read, with the reason. */
export const refuse = (reason: string): Extract<Reading<never>, { readonly ok: false }> => ({ ok: false, reason });
