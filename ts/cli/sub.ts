import type { Command } from 'commander'
import { runAction } from './action.js'
import { CommandError, EXIT_CODES } from './command-error.js'
import { addConnectionOptions, addLogOptions } from './connection-options.js'
import { Output } from './output.js'
import { addOutputOptions, FORMAT_HELP, type OutputFlags, printerOf } from './printer.js'
import { addSubscriptionOptions, consume, type SubscriptionFlags } from './subscription.js'

interface SubFlags extends SubscriptionFlags, OutputFlags {
  count?: boolean
}

const AFTERWORD = `
Options are mosquitto_sub's, and mean the same. Configuration files of Mosquitto's tools are not read. If the connection
is lost, the client reconnects and subscribes again.
${FORMAT_HELP}
${EXIT_CODES}
  27        the time of -W was over`

/** Makes it `aiomqtt sub`. */
export function build(command: Command): Command {
  addOutputOptions(addSubscriptionOptions(command))
    .option('--count', 'print nothing but the number of messages, at the end')
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((flags: SubFlags) =>
    runAction(async ({ signal }) => {
      if (flags.json && flags.count) throw new CommandError('--json and --count cannot be used together')
      const print = printerOf(flags)
      const output = new Output()
      const told = (count: number) => {
        if (flags.count) output.text(`${count}\n`)
      }
      await consume(flags, signal, output, flags.count ? null : print, told)
    }, flags.quiet),
  )
}
