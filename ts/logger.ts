import { describeType, typeError } from './validate.js'

/** What takes the client's log lines: `console`, pino, winston, or anything with these methods. */
export interface Logger {
  debug(message: string, ...rest: unknown[]): void
  info(message: string, ...rest: unknown[]): void
  warn(message: string, ...rest: unknown[]): void
  error(message: string, ...rest: unknown[]): void
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
