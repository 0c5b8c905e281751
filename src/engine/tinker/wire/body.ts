// From bytes to a checked message, in both forms that the protocol has: JSON and protobuf. Fields that a schema does not
// name are left out, as the protocol asks: a newer other side may send more.
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { z } from "zod";
import { firstLine } from "./said.ts";
import { WireError } from "./wire-error.ts";

export type WireFormat = "json" | "protobuf";

export const mediaTypes: Readonly<Record<WireFormat, string>> = {
  json: "application/json",
  protobuf: "application/x-protobuf",
};

/** The form that a `Content-Type` or `Accept` header names; JSON where it names neither. */
export function formatOf(header: string | null | undefined): WireFormat {
  return header?.includes("application/x-protobuf") === true ? "protobuf" : "json";
}

/** A protobuf message. Throws WireError where the bytes are none. */
export function readProtobuf<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new WireError(schema.name, `${bytes.length} bytes that are no such message`, { cause });
  }
}

const decoder = new TextDecoder();

/** A JSON value. Throws WireError where the text is none. */
export function readJson(expected: string, bytes: Uint8Array): unknown {
  const text = decoder.decode(bytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const start = firstLine(text, 60);
    throw new WireError(expected, start === "" ? "the body is empty" : `no JSON but "${start}"`, { cause });
  }
}

/** A value as a message. Throws WireError that names the first field that does not fit. */
export function checkMessage<Schema extends z.ZodType>(
  expected: string,
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const field = issue.path.map(String).join(".");
  throw new WireError(expected, field === "" ? issue.message : `${field}: ${issue.message}`);
}
