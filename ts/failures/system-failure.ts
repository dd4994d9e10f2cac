import { MqttError } from '../mqtt/errors.js'
import { errnoText, lookupText, type SystemError } from '../support/errno.js'
import { textOf } from '../support/thrown.js'
import type { Advice } from './advice.js'
import { Failure } from './failure.js'
import type { Retry } from './finality.js'

/** What an error of the operating system, or of name lookup, means. */
const ADVICE: Readonly<Record<string, Advice>> = {
  EACCES: 'no-permission',
  ECONNREFUSED: 'nothing-listens',
  ECONNRESET: 'closed-at-once',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-network',
  ENOENT: 'no-such-socket',
  ETIMEDOUT: 'no-answer',
  EAI_AGAIN: 'name-server-silent',
  ENOTFOUND: 'name-unknown',
}

/** Node's codes and ours for an argument that is wrong. */
const ARGUMENT_CODES: ReadonlySet<string> = new Set([
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_MQTT_INVALID_ARG_TYPE',
  'ERR_MQTT_INVALID_ARG_VALUE',
])

/**
 * What went wrong on the way to the broker, from whatever was thrown there: by Node, by a package, by the user's code,
 * or by ourselves, whose errors know it.
 * @param where what it was about, for example `address:port`
 * @param ofArgument whether an argument that is wrong may be another one the next time
 */
export function thrownFailure(thrown: unknown, where: string, ofArgument: Retry = 'never'): Failure {
  const known = Failure.of(thrown)
  if (known !== undefined) return known
  if (ARGUMENT_CODES.has(codeOf(thrown))) {
    return new Failure({ kind: 'argument', text: textOf(thrown), retry: ofArgument, cause: thrown })
  }
  if (thrown instanceof MqttError) {
    const { message, code, cause } = thrown
    return new Failure({ kind: 'network', text: message, code, cause })
  }
  return networkFailure(thrown, where)
}

/** An error of Node's, a package's or a stream's. */
export function networkFailure(error: unknown, where: string): Failure {
  const cause = lastOf(error)
  return new Failure({
    kind: isLookup(cause) ? 'name' : 'network',
    text: `${failureText(error)} (${where})`,
    code: 'ERR_MQTT_TRANSPORT',
    advice: ADVICE[codeOf(cause)],
    cause,
  })
}

/** A system call of the native side's. @param advice what it means here, if that is not what it means elsewhere */
export function systemFailure(cause: SystemError, where: string, advice?: Advice): Failure {
  return new Failure({
    kind: 'network',
    text: `${errnoText(-cause.errno)} (${where})`,
    code: 'ERR_MQTT_TRANSPORT',
    advice: advice ?? ADVICE[cause.code],
    cause,
  })
}

/** Python's text for an error of the operating system, and the error's own for any other. */
export function failureText(error: unknown): string {
  const cause = lastOf(error)
  if (!(cause instanceof Error)) return textOf(cause)
  const { errno } = cause as NodeJS.ErrnoException
  if (typeof errno !== 'number') return cause.message
  return isLookup(cause) ? lookupText(cause) : errnoText(-errno)
}

/** Whether the peer has reset the connection; `node:tls` says so of an end in the middle of the handshake, too. */
export function isReset(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ECONNRESET' || code === 'EPIPE'
}

function isLookup(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'getaddrinfo'
}

/** Node tries all addresses of a host, and reports all their errors: the last one says as much as Python does. */
function lastOf(error: unknown): unknown {
  return error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error
}

/** A lower error's `code`, such as `ECONNREFUSED`; empty where there is none. That of a DOMException is a number. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
