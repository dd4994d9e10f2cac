import { CommandError, ExitCode, exitCodeOf, lineOf } from './command-error.js'
import { Interruption } from './signals.js'

/** What a command does; the interruption asks it to end. */
export type Action = (interruption: Interruption) => Promise<void>

/**
 * Runs an action, tells its failure in one line, and sets the exit code of the process. A signal asks the action to
 * end, and is then what the process ends with.
 * @param isQuiet true to tell nothing but errors about options
 */
export async function runAction(action: Action, isQuiet = false): Promise<void> {
  const interruption = new Interruption()
  try {
    await action(interruption)
  } catch (error) {
    if (!interruption.signal.aborted) reportFailure(error, isQuiet)
  }
  // What a terminal or a pipe still has for us must not keep the process.
  process.stdin.destroy()
  if (interruption.exitCode !== ExitCode.OK) process.exitCode = interruption.exitCode
}

/** Tells a failure in one line, and sets the exit code of the process. */
export function reportFailure(error: unknown, isQuiet = false): void {
  const isUsage = error instanceof CommandError || error instanceof TypeError || error instanceof RangeError
  if (!isQuiet || isUsage) process.stderr.write(`${lineOf(error)}\n`)
  process.exitCode = exitCodeOf(error)
}
