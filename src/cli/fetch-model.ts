// Brings a model of the Hugging Face hub onto this machine, and says how far the download is.
import { fetchModel, type ModelRequest } from "../model/find-model.ts";
import { type Progress, startProgress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

const megabyte = 1_000_000;

/**
 * Folder or GGUF file of a model; one that is named by its hub id and not on this machine is downloaded first. Throws UsageError where there
 * is none.
 */
export async function fetchWithProgress(request: ModelRequest, terminal: Terminal): Promise<string> {
  let shown: { readonly file: string; readonly progress: Progress } | null = null;
  const found = await fetchModel(request, {
    onProgress: ({ file, size, done }) => {
      if (shown?.file !== file) {
        shown?.progress.end();
        shown = { file, progress: startProgress(terminal, `downloading ${file}, MB`, Math.ceil(size / megabyte)) };
      }
      shown.progress.update(Math.round(done / megabyte));
    },
  });
  terminal.status(null);
  return found;
}
