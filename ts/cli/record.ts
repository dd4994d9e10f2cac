import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Command } from 'commander'
import { runAction } from './action.js'
import { CommandError, EXIT_CODES } from './command-error.js'
import { addConnectionOptions, addLogOptions } from './connection-options.js'
import type { Printer } from './format.js'
import { messageLine } from './message-json.js'
import { Output } from './output.js'
import { addSubscriptionOptions, consume, type SubscriptionFlags } from './subscription.js'

interface RecordFlags extends SubscriptionFlags {
  append?: boolean
}

const NEWLINE = 0x0a

const AFTERWORD = `
The file has a line of JSON for each message, as \`aiomqtt sub --json\` prints it: the time it was received, topic,
payload, QoS, retained and properties. A message is never dropped: if the disk is slow, the broker waits.
${EXIT_CODES}
  27        the time of -W was over`

/** Makes it `aiomqtt record`. */
export function build(command: Command): Command {
  command.argument('<file>', 'the file to write')
  addSubscriptionOptions(command)
    .optionsGroup('File:')
    .option('--append', 'add to the file if there is one, which is refused otherwise')
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((file: string, flags: RecordFlags) =>
    runAction(({ signal }) => record(file, flags, signal), flags.quiet),
  )
}

async function record(file: string, flags: RecordFlags, signal: AbortSignal): Promise<void> {
  const stream = createWriteStream(file, { flags: flags.append ? 'a' : 'wx' })
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve())
    stream.once('error', (error: NodeJS.ErrnoException) => {
      const isThere = error.code === 'EEXIST'
      reject(
        new CommandError(isThere ? `${file} is there already: give --append or another name` : error.message),
      )
    })
  })
  const print: Printer = (message, output, moment) => {
    output.text(messageLine(message, moment))
    output.byte(NEWLINE)
  }
  let recorded = 0
  const told = (count: number) => {
    recorded = count
    if (!flags.quiet) process.stderr.write(`${count} messages in ${file}\n`)
  }
  try {
    await consume(flags, signal, new Output(stream), print, told)
  } finally {
    await new Promise((resolve) => stream.end(resolve))
    // A file of ours in which nothing is would be in the way of the next try.
    if (recorded === 0 && !flags.append) await rm(file, { force: true })
  }
}
