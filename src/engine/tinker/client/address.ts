// Where the server is and what it is told of who asks. The key comes from the environment alone and goes into one header; it
// is in no setting, record, message or error.
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { UsageError } from "../../../errors.ts";

/** Of the hosted service, as its own SDK has it. */
const hostedUrl = "https://tinker.thinkingmachines.dev/services/tinker-prod";
const keyVariable = "TINKER_API_KEY";
const urlVariable = "TINKER_BASE_URL";

export interface Address {
  /** Without a slash at the end, without user and password. */
  readonly baseUrl: string;
  /** The two parts of it: `https://host:port`, and what follows. */
  readonly origin: string;
  readonly path: string;
  readonly key: string;
  readonly loopback: boolean;
}

/**
 * The address that a setting or the environment names, the hosted service where neither does. Throws UsageError for what is no
 * address, and where the key is missing or can be no key.
 */
export function addressOf(setting: string | undefined, environment: NodeJS.ProcessEnv): Address {
  const given = setting || environment[urlVariable] || hostedUrl;
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(
      `"${given.slice(0, 100)}" is no address of a Tinker server.`,
      "Give it as --base-url http://HOST:PORT or https://HOST/PATH.",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(
      "The base URL holds a user name or password, which would be recorded with the run.",
      `Leave them out of --base-url; the key belongs into the environment variable ${keyVariable}.`,
    );
  }
  const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const path = url.pathname.replace(/\/+$/, "").replace(/\/api\/v1$/, "");
  return {
    baseUrl: url.origin + path,
    origin: url.origin,
    path,
    key: keyFrom(environment, loopback, url.host),
    loopback,
  };
}

function keyFrom(environment: NodeJS.ProcessEnv, loopback: boolean, host: string): string {
  const key = environment[keyVariable] ?? "";
  // Servers of this machine mostly ask for none; some want to see something that looks like one.
  if (key === "" && loopback) return "tml-dummy";
  if (key === "") {
    throw new UsageError(
      `The server ${host} needs a key, and ${keyVariable} is not set.`,
      `Put the key into the environment variable ${keyVariable}; it is read from nowhere else and never recorded.`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new UsageError(
      `${keyVariable} holds characters that no key has (a line break or a blank, perhaps).`,
      "Copy the key again, without quotes around it.",
    );
  }
  return key;
}

/** Connections to a server, at most so many at once; through the proxy that the environment names, unless it is this machine. */
export function openDispatcher({ loopback }: Address, connections: number, answerSeconds: number): Dispatcher {
  const options = {
    connections,
    pipelining: 1,
    connect: { timeout: 5000 },
    keepAliveTimeout: 30_000,
    headersTimeout: answerSeconds * 1000,
    // Between two pieces of an answer.
    bodyTimeout: answerSeconds * 1000,
  };
  return loopback ? new Agent(options) : new EnvHttpProxyAgent(options);
}
