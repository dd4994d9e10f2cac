import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { within } from './deadline.js'

/** How long a server may take to end, in milliseconds. */
const patience = 10_000

/** Ends a child process, if it has not ended yet, and waits for that. */
export async function endChild(
  child: ChildProcess | undefined,
  signal: NodeJS.Signals,
  what: string,
): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await within(patience, `${what}'s end after ${signal}`, exit)
}
