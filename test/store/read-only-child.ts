// A process without root's privileges that reads a workspace in a folder that it may not write.
import { openReader, runInfo, runOverview } from "../../src/store/queries.ts";
import { openWorkspace } from "../../src/store/workspace.ts";

const [folder, name] = process.argv.slice(2);
if (process.getuid?.() === 0) {
  process.setgid?.(65534);
  process.setuid?.(65534);
}
const errors = [folder, `${folder}/runs/new`].map((path) => {
  try {
    openWorkspace(path);
    return "none";
  } catch (error) {
    return (error as Error).name;
  }
});
using reader = openReader(folder);
const { totals } = runOverview(reader, name);
console.log(JSON.stringify({ steps: totals.steps, status: runInfo(reader, name).status, errors }));
