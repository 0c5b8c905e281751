// Reads that belong together.
import { translateErrors } from "./database.ts";
import type { Reader } from "./queries.ts";

/**
 * Runs `work` on the database as it is at one moment: of a step that is recorded meanwhile either everything is seen or nothing, in
 * however many queries. Nobody who writes waits for it. Within another such call it is that one's moment. SQLite's errors are translated.
 */
export function readAtOnce<Result>({ path, database }: Pick<Reader, "path" | "database">, work: () => Result): Result {
  return translateErrors(path, () => {
    if (database.isTransaction) return work();
    database.exec("BEGIN");
    try {
      return work();
    } finally {
      if (database.isTransaction) database.exec("COMMIT");
    }
  });
}
