// `sqlm test`: runs tests of topics with Node's own test runner, in processes that know this package by its name, so that a
// folder with a topic needs no installation of its own.
import { spawn } from "node:child_process";
import { Command } from "commander";

export function testCommand(): Command {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  const register = new URL(`../register${extension}`, import.meta.url).href;
  return new Command("test")
    .description("Run the tests of your topics with Node's test runner.")
    .argument("[files...]", "Test files (default: those named *.test.ts and the like below this folder).")
    .addHelpText("after", "\nExamples:\n  sqlm test\n  sqlm test topic.test.ts")
    .action(async (files: readonly string[]) => {
      const args = ["--disable-warning=ExperimentalWarning", "--import", register, "--test", ...files];
      const child = spawn(process.execPath, args, { stdio: "inherit" });
      // The terminal sends Ctrl-C to the child as well, which ends by it.
      const wait = (): void => {};
      process.on("SIGINT", wait);
      process.exitCode = await new Promise<number>((done, failed) => {
        child.on("error", failed);
        child.on("exit", (code) => done(code ?? 1));
      });
      process.off("SIGINT", wait);
    });
}
