// Entry of the command line: parses, runs one command, and turns whatever was thrown into a sentence and an exit code.
import { describeError } from "./command.ts";
import { watchOutput } from "./interrupt.ts";
import { projectParts } from "./parts.ts";
import { buildProgram } from "./program.ts";
import { resolveOwnPackage } from "./resolve-self.ts";

watchOutput();
resolveOwnPackage();
try {
  const program = buildProgram(projectParts);
  if (process.argv.length <= 2) program.outputHelp();
  else await program.parseAsync(process.argv);
} catch (error) {
  const { text, exitCode } = describeError(error);
  if (text !== "") process.stderr.write(`${text}\n`);
  process.exitCode = exitCode;
}
