// Settings of `sqlm run` in this folder; `sqlm config` shows all there are, and where each value comes from. Flags go before
// what is written here: sqlm run --steps 200
import { defineConfig } from "self-questioning";

export default defineConfig({
  topic: "./topic.ts",
  steps: 10,
  groupsPerBatch: 32,
  evalQuestions: 50,
});
