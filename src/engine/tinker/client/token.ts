// Servers that want it exchange the key for a token that ends soon, and that every other request shows.
import { endpoints } from "../wire/messages.ts";
import { askOnce, readFirst } from "./ask-once.ts";
import type { Connection } from "./connection.ts";

/** A token is exchanged for a new one so long before it ends. */
const renewSeconds = 300;
const leastSeconds = 30;

export interface TokenKeeper {
  stop(): void;
}

/** Exchanges now, and again before each token ends. */
export async function keepToken(connection: Connection, onToken: (token: string) => void): Promise<TokenKeeper> {
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  const exchange = async (): Promise<void> => {
    const answer = await askOnce(connection, "POST", endpoints.authToken.path, {});
    const { jwt } = readFirst(connection, endpoints.authToken, answer);
    connection.useToken(jwt);
    onToken(jwt);
    again(Math.max(leastSeconds, lifetimeOf(jwt) - renewSeconds));
  };
  const again = (seconds: number): void => {
    if (stopped) return;
    // A failure is not the end: the old token may be good for some minutes.
    timer = setTimeout(() => exchange().catch(() => again(leastSeconds)), seconds * 1000).unref();
  };
  await exchange();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer ?? undefined);
    },
  };
}

/** Seconds from when a token was made to its end, by its own two times: this machine's clock may be wrong. */
function lifetimeOf(jwt: string): number {
  try {
    const { exp, iat } = JSON.parse(Buffer.from(jwt.split(".")[1], "base64url").toString("utf8"));
    return Number.isFinite(exp - iat) ? exp - iat : 0;
  } catch {
    return 0;
  }
}
