import { type Command, InvalidArgumentError, Option } from 'commander'
import { CommandError, ExitCode } from './command-error.js'

/** For commander: a whole number of a range. */
export function integer(least: number, greatest: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= greatest) return value
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${greatest}.`)
  }
}

/** For commander: a number of a range. */
export function decimal(least: number, greatest: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && value >= least && value <= greatest) return value
    throw new InvalidArgumentError(`It must be a number from ${least} to ${greatest}.`)
  }
}

/** For commander: an option that may be given several times. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

/** An option of Mosquitto's that there is not here: whoever gives it is told why, and nothing is done. */
export function refuse(command: Command, flags: string, reason: string): void {
  const option = new Option(flags, `not supported: ${reason}`)
  command.addOption(option)
  command.on(`option:${option.name()}`, () => {
    throw new CommandError(`${option.short ?? option.long} is not supported: ${reason}`, ExitCode.FAILURE)
  })
}
