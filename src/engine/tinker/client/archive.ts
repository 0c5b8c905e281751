// An adapter that the server keeps, brought home as a PEFT folder: as one archive behind an address that the server names, or
// file by file. What comes is read as far as an adapter goes and no further, whatever it says of its size.
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { createTarDecoder } from "modern-tar";
import { type Dispatcher, request } from "undici";
import { z } from "zod";
import { FileFormatError } from "../../../errors.ts";
import { adapterConfigFile, adapterWeightsFile, isAdapterFolder } from "../../../model/adapter.ts";
import { baseFile } from "../../../model/base-identity.ts";
import { SafetensorsFile } from "../../../model/safetensors.ts";
import { checkMessage, readJson } from "../wire/body.ts";
import { apiRoot, endpoints } from "../wire/messages.ts";
import { openDispatcher } from "./address.ts";
import { type Connection, ServerError } from "./connection.ts";
import { TooLargeError } from "./exchange.ts";

/** With the most bytes of each. Servers of this package add the identity of the base. */
const mostBytes: Readonly<Record<string, number>> = {
  [adapterConfigFile]: 2 ** 20,
  [adapterWeightsFile]: 2 ** 34,
  [baseFile]: 2 ** 20,
};
const adapterFiles = Object.keys(mostBytes);
/** Of a whole archive, unpacked. */
const mostArchiveBytes = 2 ** 35;
/** An archive that is still being packed is asked for again after so long, so often. */
const packingSeconds = 30;
const attempts = 6;

/**
 * Writes the adapter's two files into a folder; false where the server offers no download. Throws FileFormatError for an archive
 * that is cut off or holds no adapter, ServerError where it cannot be had.
 */
export async function downloadAdapter(connection: Connection, samplerPath: string, folder: string): Promise<boolean> {
  const [run, ...rest] = samplerPath.replace(/^tinker:\/\//, "").split("/");
  const name = rest.at(-1);
  if (name === undefined || run === "") return false;
  const { address } = connection.options;
  const dispatcher = openDispatcher(address, 2, 600);
  try {
    // Servers name a checkpoint with its kind or without.
    for (const checkpoint of [`sampler_weights/${name}`, name]) {
      const found = await locate(connection, dispatcher, run, checkpoint);
      if (found === null) continue;
      if (typeof found === "string") await unpack(await openDownload(found, connection, dispatcher), folder, found);
      else await fetchFiles(found, connection, dispatcher, folder);
      checkWhole(folder);
      return true;
    }
    return false;
  } catch (error) {
    // No half of it may stay.
    for (const file of adapterFiles) await rm(join(folder, file), { force: true });
    throw error;
  } finally {
    await dispatcher.destroy();
  }
}

/** The address of the archive, or those of the files by name; null where the server knows neither. */
async function locate(
  connection: Connection,
  dispatcher: Dispatcher,
  run: string,
  checkpoint: string,
): Promise<string | Readonly<Record<string, string>> | null> {
  const fill = (path: string): string =>
    path
      .replace("{run}", encodeURIComponent(run))
      .replace("{checkpoint}", checkpoint.split("/").map(encodeURIComponent).join("/"));
  for (const endpoint of [endpoints.archive, endpoints.externalWeights]) {
    const path = fill(endpoint.path);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const url = `${connection.options.address.baseUrl}${apiRoot}${path}`;
      const { statusCode, headers, body } = await get(url, connection, dispatcher);
      if (statusCode >= 300 && statusCode < 400) {
        await body.dump();
        const location = [headers.location].flat()[0];
        return location === undefined ? null : onTheWeb(new URL(location, url).href);
      }
      if (statusCode === 503 || statusCode === 425) {
        await body.dump();
        await connection.rest(packingSeconds);
        continue;
      }
      if (statusCode !== 200) {
        await body.dump();
        break;
      }
      const answer = checkMessage(
        path,
        z.object({ url: z.string().nullish(), urls: z.record(z.string(), z.string()).nullish() }),
        readJson(path, await wholeOf(body, 2 ** 20)),
      );
      return onTheWeb(answer.url ?? null) ?? answer.urls ?? null;
    }
  }
  return null;
}

/** The address, unless it is one that nothing is fetched from: some servers name a file of their own machine. */
const onTheWeb = (address: string | null): string | null => (/^https?:/i.test(address ?? "") ? address : null);

/** The key goes to the server itself and to nobody else: downloads are often at a store of another company. */
function get(url: string, connection: Connection, dispatcher: Dispatcher): Promise<Dispatcher.ResponseData> {
  const { baseUrl, key } = connection.options.address;
  const own = new URL(url).origin === new URL(baseUrl).origin;
  return request(url, { dispatcher, headers: own ? { "x-api-key": key, accept: "*/*" } : { accept: "*/*" } });
}

async function openDownload(url: string, connection: Connection, dispatcher: Dispatcher): Promise<Readable> {
  const { statusCode, body } = await get(url, connection, dispatcher);
  if (statusCode === 200) return body;
  await body.dump();
  throw new ServerError(`The adapter cannot be downloaded: the server answered ${statusCode}.`, statusCode, retryHint);
}

const retryHint = "The weights are safe on the server: try again later with `sqlm export adapter RUN`.";

/** Takes the adapter's files out of an archive, packed with gzip or not; what else is in it is passed over. */
async function unpack(download: Readable, folder: string, url: string): Promise<void> {
  const source = new URL(url).host;
  try {
    const bytes = await unzipped(download);
    await pipeline(bytes, atMost(mostArchiveBytes), async (limited: AsyncIterable<Buffer>) => {
      const entries = (Readable.toWeb(Readable.from(limited)) as ReadableStream<Uint8Array>).pipeThrough(
        createTarDecoder(),
      );
      for await (const { header, body } of entries) {
        // Only names that are known: an archive may name files outside of it.
        const name = adapterFiles.find((file) => header.type === "file" && basename(header.name) === file);
        if (name === undefined) await body.cancel();
        else await writeFile(Readable.fromWeb(body as never), folder, name);
      }
    });
  } catch (cause) {
    const why = cause instanceof TooLargeError ? "larger than any adapter is" : "cut off or no archive";
    throw new FileFormatError(`the adapter from ${source}`, why, retryHint, { cause });
  }
}

/** Passes bytes on, and throws TooLargeError beyond so many. */
function atMost(most: number): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      size += chunk.length;
      if (size > most) done(new TooLargeError());
      else done(null, chunk);
    },
  });
}

async function wholeOf(content: Readable, most: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await pipeline(content, atMost(most), async (limited: AsyncIterable<Buffer>) => {
    for await (const piece of limited) pieces.push(piece);
  });
  return Buffer.concat(pieces);
}

async function unzipped(download: Readable): Promise<Readable> {
  const iterator = download[Symbol.asyncIterator]();
  const first = await iterator.next();
  const head: Buffer = first.done === true ? Buffer.alloc(0) : first.value;
  const whole = Readable.from(
    (async function* () {
      yield head;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    })(),
  );
  if (head[0] !== 0x1f || head[1] !== 0x8b) return whole;
  const gunzip = createGunzip();
  pipeline(whole, gunzip).catch((error) => gunzip.destroy(error));
  return gunzip;
}

async function writeFile(content: Readable, folder: string, name: string): Promise<void> {
  const partial = join(folder, `${name}.partial`);
  try {
    await pipeline(content, atMost(mostBytes[name]), createWriteStream(partial, { flush: true }));
    await rename(partial, join(folder, name));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function fetchFiles(
  urls: Readonly<Record<string, string>>,
  connection: Connection,
  dispatcher: Dispatcher,
  folder: string,
): Promise<void> {
  for (const [path, url] of Object.entries(urls)) {
    const name = adapterFiles.find((file) => basename(path) === file);
    if (name !== undefined) await writeFile(await openDownload(url, connection, dispatcher), folder, name);
  }
}

/** Throws FileFormatError unless both files are there and the weights are whole. */
function checkWhole(folder: string): void {
  try {
    if (!isAdapterFolder(folder)) throw new FileFormatError(folder, `has no ${adapterConfigFile}`, retryHint);
    using _weights = new SafetensorsFile(join(folder, adapterWeightsFile));
  } catch (cause) {
    throw new FileFormatError(folder, "the downloaded adapter is not whole", retryHint, { cause });
  }
}
