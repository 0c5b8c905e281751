// `sqlm completion`: a script that completes commands, options and their values, topics, models and recorded runs in bash,
// zsh or fish. It is written from the program itself, so it knows what the program knows; runs are asked for when needed.
import { Argument, Command, type Option } from "commander";
import { shippedModels } from "../../model/find-model.ts";
import { builtInTopicNames } from "../../topics/registry.ts";

interface Word {
  readonly name: string;
  readonly help: string;
}

export function completionCommand(): Command {
  const command = new Command("completion")
    .description("Print a completion script for a shell.")
    .addArgument(new Argument("<shell>", "Shell to complete in.").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      "\nExamples:\n  source <(sqlm completion bash)       in ~/.bashrc\n  source <(sqlm completion zsh)        in ~/.zshrc\n  sqlm completion fish > ~/.config/fish/completions/sqlm.fish",
    );
  return command.action((shell: string) => {
    const program = command.parent ?? command;
    process.stdout.write(completionScript(program, shell as keyof typeof writers));
  });
}

/** The script for one shell. */
export function completionScript(program: Command, shell: "bash" | "zsh" | "fish"): string {
  return writers[shell](program);
}

const writers = { bash: bashScript, zsh: zshScript, fish: fishScript };

function visibleCommands(program: Command): readonly Command[] {
  return program.createHelp().visibleCommands(program);
}

function visibleOptions(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

const firstLine = (text: string): string => text.split("\n")[0].replaceAll(/['"`\\$:[\]]/g, " ");

const commandWords = (program: Command): Word[] =>
  visibleCommands(program).map((command) => ({ name: command.name(), help: firstLine(command.description()) }));

const optionWords = (command: Command): Word[] =>
  visibleOptions(command).flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ name: long, help: firstLine(description) }],
  );

/** Words that may follow: the values of each option that has a fixed set of them. */
const choices = (command: Command): { readonly long: string; readonly values: readonly string[] }[] =>
  visibleOptions(command).flatMap(({ long, argChoices }) =>
    long === undefined || long === null || argChoices === undefined ? [] : [{ long, values: argChoices }],
  );

/** What the words after a command are, beside its options. */
interface Operands {
  readonly words: readonly string[];
  readonly runs: boolean;
  readonly files: boolean;
}

/** By the name of a command's first argument, which is the same for the same thing in every command. */
function operandsOf(command: Command): Operands {
  const [first] = command.registeredArguments;
  if (first?.argChoices !== undefined) {
    const runs = command.registeredArguments.some((argument) => isRun(argument.name()));
    return { words: first.argChoices, runs, files: false };
  }
  const name = first?.name() ?? "";
  if (isRun(name)) return { words: ["latest"], runs: true, files: false };
  if (name === "topic") return { words: builtInTopicNames, runs: false, files: true };
  if (name === "model") return { words: ["latest", ...shippedModels()], runs: true, files: true };
  return { words: [], runs: false, files: true };
}

const isRun = (name: string): boolean => name === "run" || name === "runs" || name === "other";

/** Words for the value of an option that is a topic or a model. */
function valueWords(long: string): Operands | null {
  if (long === "--topic") return { words: builtInTopicNames, runs: false, files: true };
  if (long === "--model") return { words: ["seed", "latest", ...shippedModels()], runs: true, files: true };
  return null;
}

/** Prints the names of recorded runs, and nothing where there is no workspace. */
const listNames = "sqlm list --names 2>/dev/null";

const join = (words: readonly Word[]): string => words.map(({ name }) => name).join(" ");

function bashScript(program: Command): string {
  const cases = visibleCommands(program).map((command) => {
    const values = choices(command).map(
      ({ long, values }) => `        ${long}) COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$word")); return ;;`,
    );
    const named = optionWords(command).flatMap(({ name }) => {
      const operands = valueWords(name);
      return operands === null ? [] : [`        ${name}) ${bashOperands(operands)}; return ;;`];
    });
    const all = [...values, ...named];
    const valueCase = all.length === 0 ? "" : `      case "$before" in\n${all.join("\n")}\n      esac\n`;
    const operands = `      [[ $word != -* ]] && { ${bashOperands(operandsOf(command))}; return; }\n`;
    return `    ${command.name()})\n${valueCase}${operands}      options="${join(optionWords(command))}" ;;`;
  });
  return `# bash completion of sqlm; load it with: source <(sqlm completion bash)
_sqlm() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" options=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${join(commandWords(program))} ${join(optionWords(program))}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -o filenames -F _sqlm sqlm
`;
}

/** Sets the replies to the operands that begin like the word. */
function bashOperands({ words, runs, files }: Operands): string {
  const list = `${words.join(" ")}${runs ? ` $(${listNames})` : ""}`;
  return `COMPREPLY=($(compgen ${files ? "-f " : ""}-W "${list}" -- "$word"))`;
}

function zshScript(program: Command): string {
  const describe = (words: readonly Word[]): string => words.map(({ name, help }) => `'${name}:${help}'`).join(" ");
  const cases = visibleCommands(program).map((command) => {
    const specs = visibleOptions(command).flatMap(({ long, description, argChoices, required, optional }) => {
      if (long === undefined || long === null) return [];
      const words = valueWords(long);
      const values =
        words !== null ? zshOperands(words) : argChoices === undefined ? "_files" : `(${argChoices.join(" ")})`;
      return [`'${long}[${firstLine(description)}]${required || optional ? `:value:${values}` : ""}'`];
    });
    return `    ${command.name()}) _arguments ${specs.join(" ")} '*:word:${zshOperands(operandsOf(command))}' ;;`;
  });
  return `#compdef sqlm
# zsh completion of sqlm; load it with: source <(sqlm completion zsh)
_sqlm() {
  local -a commands
  commands=(${describe(commandWords(program))})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
compdef _sqlm sqlm
`;
}

/** An action of _arguments that offers the operands. */
function zshOperands({ words, runs, files }: Operands): string {
  if (!runs && words.length === 0) return "_files";
  // Double quotes, since the action stands in single ones.
  const listed = `compadd -- ${words.join(" ")}${runs ? ` \${(f)"$(${listNames})"}` : ""}`;
  return `{ ${listed}${files ? "; _files" : ""} }`;
}

function fishScript(program: Command): string {
  const lines = commandWords(program).map(
    ({ name, help }) => `complete -c sqlm -f -n __fish_use_subcommand -a ${name} -d '${help}'`,
  );
  for (const command of visibleCommands(program)) {
    const operands = operandsOf(command);
    if (operands.runs || operands.words.length > 0) {
      const files = operands.files ? "" : " -f";
      lines.push(
        `complete -c sqlm${files} -n '__fish_seen_subcommand_from ${command.name()}' -a '${fishOperands(operands)}'`,
      );
    }
    for (const { long, description, argChoices, required, optional } of visibleOptions(command)) {
      if (long === undefined || long === null) continue;
      const words = valueWords(long);
      const value =
        words !== null
          ? ` -r -a '${fishOperands(words)}'`
          : argChoices !== undefined
            ? ` -x -a '${argChoices.join(" ")}'`
            : required || optional
              ? " -r"
              : "";
      lines.push(
        `complete -c sqlm -n '__fish_seen_subcommand_from ${command.name()}' -l ${long.slice(2)}${value} -d '${firstLine(description)}'`,
      );
    }
  }
  return `# fish completion of sqlm; save it as ~/.config/fish/completions/sqlm.fish\n${lines.join("\n")}\n`;
}

/** Fish runs what is in parentheses when it completes. */
const fishOperands = ({ words, runs }: Operands): string => `${words.join(" ")}${runs ? ` (${listNames})` : ""}`;
