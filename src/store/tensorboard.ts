// Metrics and evaluations of a run as a TensorBoard event file: TFRecord frames (length, payload, masked CRC-32C) around
// Event messages of tensorflow/core/util/event.proto, of which only scalars are needed.
import { writeFileSync } from "node:fs";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { LevelResult } from "../types.ts";
import { allRows } from "./database.ts";
import { idOf, metricSeries, type Reader, runInfo, runOverview } from "./queries.ts";

/** A scalar at a step; `wallTime` in seconds since 1970. */
export interface ScalarEvent {
  readonly tag: string;
  readonly step: number;
  readonly value: number;
  readonly wallTime: number;
}

/**
 * Writes `events.out.tfevents.…` into an existing folder and returns the file's path. Times are those at which steps were
 * recorded; what was evaluated before the first step has the run's start. Throws UsageError for an unknown run.
 */
export function exportTensorboard(reader: Reader, run: string, folder: string): string {
  const started = Date.parse(runInfo(reader, run).created) / 1000;
  const times = new Map(
    allRows<{ step: number; recorded: number }>(
      reader.database.prepare("SELECT step, recorded FROM steps WHERE run_id = ? AND superseded = 0"),
      idOf(reader, run),
    ).map((row) => [row.step, row.recorded / 1000]),
  );
  const timeOf = (step: number): number => times.get(step) ?? started;
  const events: ScalarEvent[] = [];
  for (const { name, steps, values } of metricSeries(reader, run)) {
    steps.forEach((step, i) => {
      events.push({ tag: name, step, value: values[i], wallTime: timeOf(step) });
    });
  }
  for (const { step, levels } of runOverview(reader, run).evaluations) {
    events.push(...levelScalars(step, levels, timeOf(step)));
  }
  events.sort((a, b) => a.step - b.step);
  const path = `${folder}/events.out.tfevents.${Math.floor(started)}.${run}`;
  writeFileSync(path, tensorboardFile(events, started));
  return path;
}

/** The scalars of a step's metrics. */
export function metricScalars(
  step: number,
  metrics: Readonly<Record<string, number>>,
  wallTime: number,
): ScalarEvent[] {
  return Object.entries(metrics).map(([tag, value]) => ({ tag, step, value, wallTime }));
}

/** The scalars of an evaluation: three for each difficulty level. */
export function levelScalars(step: number, levels: readonly LevelResult[], wallTime: number): ScalarEvent[] {
  return levels.flatMap((level) =>
    (["passAt1", "greedy", "majAt16"] as const).map((measure) => ({
      tag: `evaluation/${measure}/difficulty ${level.difficulty}`,
      step,
      value: level[measure],
      wallTime,
    })),
  );
}

/** The bytes that add these scalars to the end of an event file. */
export function tensorboardRecords(events: readonly ScalarEvent[]): Uint8Array {
  return Buffer.concat(events.map((event) => frame(scalarMessage(event))));
}

/** The bytes of an event file with these scalars. */
export function tensorboardFile(events: readonly ScalarEvent[], wallTime: number): Uint8Array {
  // Event.file_version is field 3.
  const version = eventMessage(wallTime, null, (writer) =>
    writer.tag(3, WireType.LengthDelimited).string("brain.Event:2"),
  );
  return Buffer.concat([frame(version), tensorboardRecords(events)]);
}

function scalarMessage({ tag, step, value, wallTime }: ScalarEvent): Uint8Array {
  return eventMessage(wallTime, step, (writer) => {
    // Event.summary is field 5; Summary.value field 1; Value.tag field 1, Value.simple_value field 2.
    writer.tag(5, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(tag);
    // fround: a number beyond single precision becomes infinite, as a cast in C makes it; the writer would throw.
    writer.tag(2, WireType.Bit32).float(Math.fround(value));
    writer.join().join();
  });
}

function eventMessage(wallTime: number, step: number | null, rest: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(wallTime);
  if (step !== null) writer.tag(2, WireType.Varint).int64(step);
  rest(writer);
  return writer.finish();
}

/** One TFRecord: little-endian 64-bit length, its masked CRC, the data, its masked CRC. */
function frame(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(12 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return record;
}

/** CRC-32C, rotated and offset as TFRecord wants it (tensorflow/core/lib/hash/crc32c.h). */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78); the check value of "123456789" is 0xe3069283. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}
