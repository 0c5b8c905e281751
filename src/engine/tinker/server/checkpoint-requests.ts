// Requests about saved weights: what they are, which there are, where they can be downloaded, away with them.

import { adapterInfo } from "./model-requests.ts";
import { ServerProblem } from "./problem.ts";
import { filesToTake, type Save } from "./saves.ts";
import type { Service } from "./service.ts";

export function weightsInfo(service: Service, path: string) {
  const { baseModel, rank } = service.saves.find(path);
  const { train_unembed, train_mlp, train_attn } = adapterInfo(service);
  return { base_model: baseModel, is_lora: rank !== null, lora_rank: rank, train_unembed, train_mlp, train_attn };
}

const checkpointTypes = { weights: "training", sampler_weights: "sampler", external_weights: "external" } as const;

function describe({ kind, name, time, path, bytes, expires }: Save) {
  return {
    checkpoint_id: `${kind}/${name}`,
    checkpoint_type: checkpointTypes[kind],
    time,
    tinker_path: path,
    size_bytes: bytes,
    public: false,
    expires_at: expires,
  };
}

interface Page {
  readonly offset: number;
  readonly limit: number;
}

/** From a query; what is no number there is refused. */
export function readPage(offset: string | undefined, limit: string | undefined): Page {
  const read = (name: string, text: string | undefined, otherwise: number): number => {
    const value = text === undefined ? otherwise : Number(text);
    if (Number.isInteger(value) && value >= 0) return value;
    throw new ServerProblem(400, `${name} must be a whole number from 0 on.`);
  };
  return { offset: read("offset", offset, 0), limit: Math.min(1000, read("limit", limit, 20)) };
}

function pageOf<Item>(items: readonly Item[], { offset, limit }: Page) {
  return { items: items.slice(offset, offset + limit), cursor: { offset, limit, total_count: items.length } };
}

export function listCheckpoints(service: Service, page: Page) {
  const { items, cursor } = pageOf(service.saves.list().toReversed(), page);
  return { checkpoints: items.map(describe), cursor };
}

export function checkpointsOfRun(service: Service, run: string) {
  return { checkpoints: service.saves.list(run).map(describe), cursor: null };
}

/** Models that are open or have saved something. */
function runs(service: Service) {
  const saved = Map.groupBy(service.saves.list(), ({ run }) => run);
  const ids = new Set([...saved.keys(), ...service.sessions.modelIds()]);
  return [...ids].map((id) => describeRun(service, id, saved.get(id) ?? []));
}

function describeRun(service: Service, id: string, saves: readonly Save[]) {
  const last = (kind: Save["kind"]) => {
    const save = saves.findLast((one) => one.kind === kind);
    return save === undefined ? null : describe(save);
  };
  const { is_lora, lora_rank = null } = adapterInfo(service);
  return {
    training_run_id: id,
    base_model: service.model.names[0],
    model_owner: "local",
    is_lora,
    lora_rank,
    corrupted: false,
    last_request_time: saves.at(-1)?.time ?? new Date().toISOString(),
    last_checkpoint: last("weights"),
    last_sampler_checkpoint: last("sampler_weights"),
    user_metadata: null,
  };
}

export function listRuns(service: Service, page: Page) {
  const { items, cursor } = pageOf(runs(service), page);
  return { training_runs: items, cursor };
}

export function findRun(service: Service, id: string) {
  const found = runs(service).find(({ training_run_id }) => training_run_id === id);
  if (found !== undefined) return found;
  throw new ServerProblem(404, `There is no training run ${id.slice(0, 80)}.`);
}

/** A checkpoint of a run by its kind and name. */
function findSave({ saves }: Service, { run, kind, name }: CheckpointName): Save {
  return saves.find(`tinker://${run}/${kind}/${name}`);
}

export interface CheckpointName {
  readonly run: string;
  readonly kind: string;
  readonly name: string;
}

export function removeCheckpoint(service: Service, name: CheckpointName): void {
  service.saves.remove(findSave(service, name).path);
}

/** @param address makes the address of a download */
export function archiveOf(service: Service, checkpoint: CheckpointName, address: (name: string) => string) {
  const { name, expires } = service.downloads.offer(findSave(service, checkpoint), null);
  return { url: address(name), expires };
}

/** An address for each file. */
export function filesOf(service: Service, checkpoint: CheckpointName, address: (name: string) => string) {
  const save = findSave(service, checkpoint);
  const offers = filesToTake(save).map((file) => ({ file, ...service.downloads.offer(save, file) }));
  const [{ expires } = { expires: new Date().toISOString() }] = offers;
  return { urls: Object.fromEntries(offers.map(({ file, name }) => [file, address(name)])), expires };
}
