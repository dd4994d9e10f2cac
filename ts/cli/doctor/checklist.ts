import { Failure } from '../../failures/failure.js'
import { printable } from '../../support/printable.js'
import { adviceOn } from '../advice.js'
import { CommandError } from '../command-error.js'
import type { Output } from '../output.js'

/** What a step found out. */
export interface Finding<T> {
  /** The rest of its line. */
  readonly text: string
  /** Lines below it. */
  readonly details?: readonly string[]
  /** True when it is neither good nor bad. */
  readonly isNeutral?: boolean
  /** What the next steps need. */
  readonly value: T
}

/** A step that failed: why, and what to do about it. */
export class Fault extends Error {
  constructor(
    message: string,
    readonly details: readonly string[] = [],
  ) {
    super(message)
  }
}

/** The steps of an examination, each printed as a line when it is over. */
export class Checklist {
  readonly #output: Output
  /** Ends the examination. */
  readonly signal: AbortSignal
  /** For each step. */
  readonly seconds: number
  /** Steps that failed. */
  failures = 0

  constructor(output: Output, signal: AbortSignal, seconds: number) {
    this.#output = output
    this.signal = signal
    this.seconds = seconds
  }

  /** Does a step and prints how it went; null when it failed. */
  async step<T>(name: string, action: (signal: AbortSignal) => Promise<Finding<T>>): Promise<T | null> {
    const limit = AbortSignal.timeout(this.seconds * 1000)
    const start = performance.now()
    try {
      const finding = await endingWith(AbortSignal.any([this.signal, limit]), action)
      await this.#print(
        finding.isNeutral ? '–' : '✔',
        name,
        finding.text,
        finding.details,
        performance.now() - start,
      )
      return finding.value
    } catch (error) {
      this.signal.throwIfAborted()
      this.failures += 1
      const fault =
        limit.aborted && !(error instanceof Fault) ? new Fault(`no answer within ${this.seconds} s`) : error
      const { message, details } = faultOf(fault)
      await this.#print('✘', name, message, details, performance.now() - start)
      return null
    }
  }

  async #print(
    mark: '✔' | '✘' | '–',
    name: string,
    text: string,
    details: readonly string[] | undefined,
    milliseconds: number,
  ): Promise<void> {
    // Names in certificates, reason strings and the like are somebody else's.
    this.#output.text(`${mark} ${name.padEnd(12)} ${printable(text)} (${milliseconds.toFixed(1)} ms)\n`)
    for (const detail of details ?? []) this.#output.text(`${' '.repeat(15)}${printable(detail)}\n`)
    await this.#output.flush()
  }
}

function faultOf(error: unknown): { message: string; details: readonly string[] } {
  if (error instanceof Fault) return error
  if (error instanceof CommandError) throw error
  const failure = Failure.of(error)
  if (failure !== undefined) return { message: failure.text, details: adviceOn(failure) }
  return { message: (error as Error).message, details: [] }
}

/** An action that ends with its signal, even if it does not listen to it. */
async function endingWith<T>(signal: AbortSignal, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return await Promise.race([action(signal), aborted])
}
