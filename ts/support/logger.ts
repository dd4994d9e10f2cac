import { describeType, typeError } from './validate.js'

/** What takes the client's log lines: `console`, pino, winston, or anything with these methods. */
export interface Logger {
  /** Packets that come and go, and Paho's trace. */
  debug(message: string, ...rest: unknown[]): void
  /** Attempts to connect again, and what they come after. */
  info(message: string, ...rest: unknown[]): void
  /** What the program may want to mend: dropped messages, many pending calls, a forced disconnect. */
  warn(message: string, ...rest: unknown[]): void
  /** Must be there; nothing is logged at this level, since errors reject calls. */
  error(message: string, ...rest: unknown[]): void
  /**
   * True to have Paho's own trace as well, in `debug` lines that begin with `Paho:`. Paho knows one trace for
   * all clients of the process, so the lines of others are among them. Read when a connection is made.
   * @defaultValue false
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
