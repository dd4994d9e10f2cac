import { describeType, typeError } from './validate.js'

/** What takes the client's log lines: `console`, pino, winston, or anything with these methods. */
export interface Logger {
  debug(message: string, ...rest: unknown[]): void
  info(message: string, ...rest: unknown[]): void
  warn(message: string, ...rest: unknown[]): void
  error(message: string, ...rest: unknown[]): void
  /**
   * True to have Paho's own trace as well, in `debug` lines that begin with `Paho:`; false. Paho knows one trace for
   * all clients of the process, so the lines of others are among them. Read when a connection is made.
   */
  readonly pahoTrace?: boolean
}

/** The logger of a client that was given none. */
export const silentLogger: Logger = Object.freeze({
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
})

function silent(): void {
  // Without a logger nothing is printed.
}

/**
 * The option `logger`, checked.
 * @throws TypeError when one of the methods is missing
 */
export function checkLogger(value: Logger | null | undefined): Logger {
  if (value === undefined || value === null) return silentLogger
  for (const method of ['debug', 'info', 'warn', 'error'] as const) {
    if (typeof value[method] !== 'function') {
      throw typeError(`logger must have the methods debug, info, warn and error, not ${describeType(value)}`)
    }
  }
  return value
}
