// The adapter of a checkpoint whose weights are on a server alone, brought here afterwards.
import { UnsupportedError } from "../../../errors.ts";
import { addressOf } from "./address.ts";
import { downloadAdapter } from "./archive.ts";
import { readServerState } from "./checkpoint.ts";
import { monotonicClock } from "./clock.ts";
import { Connection } from "./connection.ts";
import { connectionLimits } from "./limits.ts";
import { WaitingBoard } from "./waiting.ts";

/**
 * Writes the adapter into an existing folder, as PEFT reads it. Throws FileFormatError for a folder that names no weights or where
 * what came is not whole, UsageError for a missing key, UnsupportedError or ServerError where the server does not give it.
 * @param checkpoint folder of the checkpoint
 */
export async function fetchAdapter(
  checkpoint: string,
  to: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const { samplerPath, server } = readServerState(checkpoint);
  const address = addressOf(server, environment);
  const connection = new Connection({
    ...connectionLimits,
    address,
    board: new WaitingBoard(),
    clock: monotonicClock(),
  });
  try {
    if (samplerPath !== null && (await downloadAdapter(connection, samplerPath, to))) return;
  } finally {
    await connection.close();
  }
  throw new UnsupportedError(
    `The server ${server} gives out no copy of these weights.`,
    "Its own documentation says how they are taken from it; they are named in the checkpoint's tinker.json.",
  );
}
