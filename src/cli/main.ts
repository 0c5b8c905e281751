// Entry of the command line: parses, runs one command, and turns whatever was thrown into a sentence and an exit code.
import { describeError, exitCodes } from "./command.ts";
import { projectParts } from "./parts.ts";
import { buildProgram } from "./program.ts";
import { resolveOwnPackage } from "./resolve-self.ts";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read our output has gone (`sqlm list | head -1`): nothing is wrong.
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  throw error;
});

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
