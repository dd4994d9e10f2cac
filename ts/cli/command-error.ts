import { Failure } from '../failures/failure.js'
import { printable } from '../support/printable.js'
import { messageOf } from './advice.js'

/** What the commands end with beside a broker's refusal, whose code they end with as Mosquitto's do. */
export const ExitCode = {
  OK: 0,
  /** Whatever went wrong: usage, the network, TLS, a refused subscription. */
  FAILURE: 1,
  /** The time of `-W` was over (libmosquitto's `MOSQ_ERR_TIMEOUT`). */
  TIMEOUT: 27,
  /** SIGINT, as a shell has it: 128 and the number of the signal. */
  SIGINT: 130,
  /** SIGTERM. */
  SIGTERM: 143,
} as const

/** How the commands end, for `--help`. */
export const EXIT_CODES = `
Exit codes:
  0         all went well
  1         usage, network, TLS or any other error, in one line on stderr
  1-5       the broker refused the connection (MQTT 3.x: CONNACK's return code)
  128-162   the broker refused the connection (MQTT 5: CONNACK's reason code)
  130, 143  ended by SIGINT or SIGTERM, after DISCONNECT; a second signal ends at once`

/** A failure that one line tells, without a stack. */
export class CommandError extends Error {
  /** @param exitCode what the process ends with */
  constructor(
    message: string,
    readonly exitCode: number = ExitCode.FAILURE,
  ) {
    super(message)
  }
}

/** The line for whatever was thrown. */
export function lineOf(error: unknown): string {
  const failure = Failure.of(error)
  const text =
    failure !== undefined ? messageOf(failure) : error instanceof Error ? error.message : String(error)
  return printable(`Error: ${text.replaceAll(/\s*\n\s*/g, ' ')}`)
}

/** What the process ends with after it. */
export function exitCodeOf(error: unknown): number {
  return error instanceof CommandError ? error.exitCode : ExitCode.FAILURE
}
