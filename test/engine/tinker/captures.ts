// Recorded exchanges of the official SDK with servers of others (fixtures/, each file says which).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { apiRoot, endpoints } from "../../../src/engine/tinker/wire/messages.ts";

type RecordedBody = { readonly json: unknown } | { readonly protobuf: string; readonly base64: string } | null;

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly request: { readonly headers: Readonly<Record<string, string>>; readonly body: RecordedBody };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: RecordedBody;
  };
}

export interface Capture {
  readonly name: string;
  readonly exchanges: readonly Exchange[];
}

const folder = join(import.meta.dirname, "fixtures");

export const captures: readonly Capture[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => ({ name, ...JSON.parse(readFileSync(join(folder, name), "utf8")) }));

export function bytesOf(body: RecordedBody): Uint8Array {
  if (body === null) return new Uint8Array();
  return "json" in body ? new TextEncoder().encode(JSON.stringify(body.json)) : Buffer.from(body.base64, "base64");
}

export type EndpointName = keyof typeof endpoints;

/** The endpoint that an exchange went to; null for those that this package has no use for. */
export function endpointOf({ method, path }: Pick<Exchange, "method" | "path">): EndpointName | null {
  const [wanted] = path.slice(apiRoot.length).split("?");
  const names = Object.keys(endpoints) as EndpointName[];
  return (
    names.find((name) => {
      const endpoint = endpoints[name];
      const pattern = new RegExp(`^${endpoint.path.replace(/\{\w+\}/g, "[^/]+")}$`);
      return endpoint.method === method && pattern.test(wanted);
    }) ?? null
  );
}
