// `sqlm completion`: a script that completes commands, options and their values in bash, zsh or fish. It is written
// from the program itself, so it knows what the program knows.
import { Argument, Command, type Option } from "commander";

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

const join = (words: readonly Word[]): string => words.map(({ name }) => name).join(" ");

function bashScript(program: Command): string {
  const cases = visibleCommands(program).map((command) => {
    const values = choices(command).map(
      ({ long, values }) => `        ${long}) COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$word")); return ;;`,
    );
    const valueCase = values.length === 0 ? "" : `      case "$before" in\n${values.join("\n")}\n      esac\n`;
    return `    ${command.name()})\n${valueCase}      options="${join(optionWords(command))}" ;;`;
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
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _sqlm sqlm
`;
}

function zshScript(program: Command): string {
  const describe = (words: readonly Word[]): string => words.map(({ name, help }) => `'${name}:${help}'`).join(" ");
  const cases = visibleCommands(program).map((command) => {
    const specs = visibleOptions(command).flatMap(({ long, description, argChoices, required, optional }) => {
      if (long === undefined || long === null) return [];
      const values = argChoices === undefined ? "_files" : `(${argChoices.join(" ")})`;
      return [`'${long}[${firstLine(description)}]${required || optional ? `:value:${values}` : ""}'`];
    });
    return `    ${command.name()}) _arguments ${specs.join(" ")} '*:file:_files' ;;`;
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

function fishScript(program: Command): string {
  const lines = commandWords(program).map(
    ({ name, help }) => `complete -c sqlm -f -n __fish_use_subcommand -a ${name} -d '${help}'`,
  );
  for (const command of visibleCommands(program)) {
    for (const { long, description, argChoices, required, optional } of visibleOptions(command)) {
      if (long === undefined || long === null) continue;
      const value = argChoices !== undefined ? ` -x -a '${argChoices.join(" ")}'` : required || optional ? " -r" : "";
      lines.push(
        `complete -c sqlm -n '__fish_seen_subcommand_from ${command.name()}' -l ${long.slice(2)}${value} -d '${firstLine(description)}'`,
      );
    }
  }
  return `# fish completion of sqlm; save it as ~/.config/fish/completions/sqlm.fish\n${lines.join("\n")}\n`;
}
