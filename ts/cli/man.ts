import type { Command, Option } from 'commander'
import { version } from '../version.js'

/** Makes it `aiomqtt man`. */
export function build(command: Command, whole: () => Promise<Command>): Command {
  return command.addHelpText('after', '\nTo read it: aiomqtt man | man -l -').action(async () => {
    process.stdout.write(manPage(await whole()))
  })
}

/** The man page in roff, of what `--help` is made of. */
function manPage(program: Command): string {
  const lines = [
    `.TH AIOMQTT 1 "" "aiomqtt ${version}" "User Commands"`,
    '.SH NAME',
    roff(`aiomqtt - ${program.description()}`),
    '.SH SYNOPSIS',
    '.B aiomqtt',
    '.I command',
    '[\\fIoptions\\fR]',
    '.SH COMMANDS',
    ...program.commands.flatMap((command) => [
      '.TP',
      `.B ${roff(command.name())}`,
      roff(command.description()),
    ]),
    ...program.commands.flatMap(section),
  ]
  return `${lines.join('\n')}\n`
}

function section(command: Command): string[] {
  const name = command.name()
  const args = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  )
  const options = command.createHelp().visibleOptions(command)
  return [
    `.SH ${name.toUpperCase()}`,
    roff(`${command.description()}`),
    '.PP',
    `.B ${roff(['aiomqtt', name, ...args, '[options]'].join(' '))}`,
    ...options.flatMap(entry),
    ...afterword(command),
  ]
}

function entry(option: Option): string[] {
  return ['.TP', `.B ${roff(option.flags)}`, roff(option.description)]
}

/** What `--help` says after the options. */
function afterword(command: Command): string[] {
  let text = ''
  const before = command.configureOutput()
  command.configureOutput({
    ...before,
    writeOut: (part) => {
      text += part
    },
  })
  command.outputHelp()
  command.configureOutput(before)
  const rest = text.slice(command.helpInformation().length).trim()
  return rest === '' ? [] : ['.PP', '.nf', roff(rest), '.fi']
}

/** Text in which nothing is taken for a command of roff's. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1')
}
