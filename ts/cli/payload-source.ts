import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { PayloadType } from '../mqtt/payload.js'
import { CommandError } from './command-error.js'
import { wholeInput } from './stdin.js'

/** What the options for the payload say. */
export interface PayloadFlags {
  message?: string
  file?: string
  nullMessage?: boolean
  stdinFile?: boolean
  stdinLine?: boolean
}

/** Adds the options of mosquitto_pub for the payload. */
export function addPayloadOptions(command: Command): Command {
  return command
    .option('-m, --message <text>', 'the payload')
    .option('-f, --file <file>', "a file's content as the payload")
    .option('-n, --null-message', 'an empty payload')
    .option('-s, --stdin-file', 'all of standard input as the payload')
}

/** @throws {CommandError} none of the options, or more than one */
export function checkSource(flags: PayloadFlags, names: string): void {
  const { message, file, nullMessage, stdinFile, stdinLine } = flags
  const given = [message, file, nullMessage, stdinFile, stdinLine].filter((value) => value !== undefined)
  if (given.length !== 1) throw new CommandError(`There must be one of ${names}`)
}

/** Read before the client connects, so that no broker is bothered for a file that is not there. */
export async function payloadOf(
  { message, file, stdinFile }: PayloadFlags,
  signal: AbortSignal,
): Promise<{ payload: PayloadType }> {
  if (message !== undefined) return { payload: message }
  if (stdinFile) return { payload: await wholeInput(signal) }
  if (file === undefined) return { payload: null }
  try {
    return { payload: await readFile(file) }
  } catch (error) {
    throw new CommandError(`-f cannot be read: ${(error as Error).message}`)
  }
}
