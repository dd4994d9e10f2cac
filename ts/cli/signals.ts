import { ExitCode } from './command-error.js'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Ends a command by SIGINT and SIGTERM: the first asks it to end, the second ends it at once. */
export class Interruption {
  readonly #controller = new AbortController()
  #exitCode: number = ExitCode.OK

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#interrupt)
  }

  /** Fires with the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** 128 and the number of the signal that came, or 0. */
  get exitCode(): number {
    return this.#exitCode
  }

  readonly #interrupt = (signal: (typeof SIGNALS)[number]) => {
    // From now on the system does what it does by default: it ends the process.
    for (const each of SIGNALS) process.off(each, this.#interrupt)
    this.#exitCode = ExitCode[signal]
    this.#controller.abort()
  }
}
