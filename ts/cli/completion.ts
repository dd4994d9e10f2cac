import { type Argument, type Command, Argument as CommandArgument, type Option } from 'commander'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

const AFTERWORD = `
bash: aiomqtt completion bash > ~/.local/share/bash-completion/completions/aiomqtt
zsh:  aiomqtt completion zsh > "\${fpath[1]}/_aiomqtt"
fish: aiomqtt completion fish > ~/.config/fish/completions/aiomqtt.fish`

/** Makes it `aiomqtt completion`. */
export function build(command: Command, whole: () => Promise<Command>): Command {
  return command
    .addArgument(new CommandArgument('<shell>', 'whose script').choices(SHELLS))
    .addHelpText('after', AFTERWORD)
    .action(async (shell: Shell) => {
      const { commands } = await whole()
      process.stdout.write(SCRIPTS[shell](commands))
    })
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Command[]) => string>> = { bash, zsh, fish }

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => {
    const words = [...command.options.flatMap(names), ...choicesOf(command.registeredArguments)]
    return `    ${command.name()}) words='${words.join(' ')}' ;;`
  })
  return `# bash completion for aiomqtt
_aiomqtt() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${commands.map((command) => command.name()).join(' ')} --help --version'
  else
    case \${COMP_WORDS[1]} in
${cases.map((line) => `  ${line}`).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _aiomqtt aiomqtt
`
}

function zsh(commands: readonly Command[]): string {
  const list = commands.map((command) => `    ${quoted(`${command.name()}:${command.description()}`)}`)
  const cases = commands.map((command) => {
    const specs = command.options.map(zshOption)
    const choices = choicesOf(command.registeredArguments)
    const rest = choices.length > 0 ? `'1:argument:(${choices.join(' ')})'` : `'*:file:_files'`
    return `    ${command.name()}) _arguments -s ${[...specs, rest].join(' ')} ;;`
  })
  return `#compdef aiomqtt
_aiomqtt() {
  local -a commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $name in
${cases.join('\n')}
  esac
}
compdef _aiomqtt aiomqtt
`
}

function zshOption(option: Option): string {
  const value = option.required ? ':value:_files' : ''
  const text = option.description.replaceAll(/[[\]:]/g, (character) => `\\${character}`)
  const [first = '', second] = names(option)
  const flags = second === undefined ? quoted(first) : `{${first},${second}}`
  return `${flags}${quoted(`[${text}]${value}`)}`
}

function fish(commands: readonly Command[]): string {
  const lines = ['# fish completion for aiomqtt']
  for (const command of commands) {
    const name = command.name()
    lines.push(
      `complete -c aiomqtt -n __fish_use_subcommand -f -a ${name} -d ${quoted(command.description())}`,
    )
    const condition = `-n '__fish_seen_subcommand_from ${name}'`
    for (const choice of choicesOf(command.registeredArguments)) {
      lines.push(`complete -c aiomqtt ${condition} -f -a ${choice}`)
    }
    for (const option of command.options) {
      const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`
      const long = option.long === undefined ? '' : ` -l ${option.long.slice(2)}`
      const value = option.required ? ' -r' : ''
      lines.push(`complete -c aiomqtt ${condition}${short}${long}${value} -d ${quoted(option.description)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function names({ short, long }: Option): string[] {
  return [short, long].filter((name) => name !== undefined)
}

function choicesOf(args: readonly Argument[]): readonly string[] {
  return args.flatMap(({ argChoices }) => argChoices ?? [])
}

/** For any shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
