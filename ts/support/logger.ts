import { nextTick } from './clock.js'
import { printable } from './printable.js'
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
 * A logger of the program's, as the client uses it. No line that goes to it has a control character, so that no topic and
 * no word of a broker's forges another line; and what it throws is an uncaught exception of the program's, which stops
 * nothing that the client was about to do.
 */
class GuardedLogger implements Logger {
  constructor(private readonly logger: Logger & { isLevelEnabled?: unknown }) {}

  debug(message: string): void {
    this.write('debug', message)
  }

  info(message: string): void {
    this.write('info', message)
  }

  warn(message: string): void {
    this.write('warn', message)
  }

  error(message: string): void {
    this.write('error', message)
  }

  get pahoTrace(): boolean {
    return this.logger.pahoTrace === true
  }

  /** pino and winston can say whether a line would be printed at all; others print all. */
  isLevelEnabled(level: 'debug'): boolean {
    const { logger } = this
    return typeof logger.isLevelEnabled !== 'function' || logger.isLevelEnabled(level) === true
  }

  private write(level: 'debug' | 'info' | 'warn' | 'error', message: string): void {
    try {
      this.logger[level](printable(message))
    } catch (error) {
      nextTick(rethrow, error)
    }
  }
}

function rethrow(error: unknown): never {
  throw error
}

/** One for each of the program's: lines that are for all clients of the process go to each logger once. */
const guarded = new WeakMap<Logger, Logger>()

function guard(logger: Logger): Logger {
  let guard = guarded.get(logger)
  if (guard === undefined) {
    guard = new GuardedLogger(logger)
    guarded.set(logger, guard)
  }
  return guard
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
  return guard(value)
}
