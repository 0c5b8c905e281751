// Plays a run in a folder, killed where a test wants it to be: the next call with the same folder resumes it.
import { type RunConfigInput, runConfigSchema } from "../src/config/config.ts";
import type { Engine } from "../src/engine/engine.ts";
import type { RunEvent, StepRecord } from "../src/events.ts";
import { selfPlay } from "../src/self-play.ts";
import { openWorkspace } from "../src/store/workspace.ts";
import type { DefinedTopic } from "../src/topics/define-topic.ts";

export interface Played {
  readonly events: RunEvent[];
  readonly steps: StepRecord[];
}

/** What a run was killed by, as far as the loop can tell. */
class Killed extends Error {}

export async function playOrKill(
  folder: string,
  settings: RunConfigInput,
  { topic, engine, killAt }: { topic: DefinedTopic; engine: Engine; killAt: (event: RunEvent) => boolean },
): Promise<Played> {
  const config = runConfigSchema.parse(settings);
  await using workspace = openWorkspace(folder);
  const known = workspace.list().at(0);
  await using store = known === undefined ? workspace.createRun(config) : workspace.openRun(known.run);
  const events: RunEvent[] = [];
  try {
    for await (const event of selfPlay({ topic, config, store, engine })) {
      events.push(event);
      if (killAt(event)) throw new Killed();
    }
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  }
  return { events, steps: events.flatMap((event) => (event.type === "step-end" ? [event.record] : [])) };
}
