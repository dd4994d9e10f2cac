import { MqttError } from '../mqtt/errors.js'
import { errnoText } from '../support/errno.js'
import { lookupText } from './name-lookup.js'

/**
 * What went wrong on the way to the broker, from what Node, a package or the user's code threw. Errors of ours, and
 * errors about arguments, stay as they are.
 * @param where what it was about, for example `address:port`
 */
export function transportError(error: unknown, where: string): unknown {
  if (/^ERR_(MQTT|INVALID_ARG)_/.test(codeOf(error))) return error
  return new MqttError(`${failureText(error)} (${where})`, {
    code: 'ERR_MQTT_TRANSPORT',
    cause: lastOf(error),
  })
}

/** Python's text for an error of the operating system, and the error's own for any other. */
export function failureText(error: unknown): string {
  const cause = lastOf(error)
  if (!(cause instanceof Error)) return String(cause)
  const { errno, syscall } = cause as NodeJS.ErrnoException
  if (typeof errno !== 'number') return cause.message
  return syscall === 'getaddrinfo' ? lookupText(cause) : errnoText(-errno)
}

/** Whether the peer has reset the connection; `node:tls` says so of an end in the middle of the handshake, too. */
export function isReset(error: unknown): boolean {
  return /^(ECONNRESET|EPIPE)$/.test(codeOf(error))
}

/** Node tries all addresses of a host, and reports all their errors: the last one says as much as Python does. */
function lastOf(error: unknown): unknown {
  return error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
