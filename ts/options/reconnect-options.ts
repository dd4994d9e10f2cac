import type { MqttError } from '../mqtt/errors.js'
import {
  checkBoolean,
  checkChoice,
  checkInteger,
  checkKeys,
  describeType,
  rangeError,
  typeError,
} from '../support/validate.js'
import type { ConnectionAttempt } from './connection-attempt.js'
import { checkHostname } from './hostname.js'

/** How to reconnect after a loss. */
export interface ReconnectOptions {
  /**
   * Maximum delay of the second attempt in seconds, 0 or more; it doubles with each attempt. The first is immediate.
   * @defaultValue 1
   */
  minDelay?: number | undefined
  /**
   * Maximum delay of any attempt in seconds, not below `minDelay`.
   * @defaultValue 60, or `minDelay` if that is greater
   */
  maxDelay?: number | undefined
  /**
   * Maximum attempts after a loss, 0 or more; after that, everything rejects with the last error.
   * @defaultValue `Infinity`
   */
  maxAttempts?: number | undefined
  /**
   * Additional hosts to try after the constructor's; a host without a port uses the constructor's.
   * @defaultValue none
   */
  hosts?: ReadonlyArray<string | readonly [host: string, port: number]> | undefined
  /**
   * Whether hosts are tried in the given order or in a random one.
   * @defaultValue `'given'`
   */
  order?: 'given' | 'random' | undefined
  /**
   * Whether to subscribe again when the broker has no session.
   * @defaultValue true
   */
  resubscribe?: boolean | undefined
  /**
   * Whether the first `connect()` is retried as well.
   * @defaultValue false
   */
  initial?: boolean | undefined
  /**
   * Decides after a loss, and after each failed attempt, whether to continue: true retries, even if the client considers
   * the error final; a number retries after that many seconds; false gives up. It receives the error and the attempt that
   * would be next. If it returns anything else, or throws, the client decides.
   * @defaultValue errors that may resolve themselves are retried
   */
  retry?: ((error: MqttError, attempt: ConnectionAttempt) => boolean | number | undefined) | null | undefined
  /**
   * Number of connections that may end with the same message as the oldest one that the broker has not answered, 1 or
   * more. After that many the message rejects with `ERR_MQTT_DELIVERY`; with `store` it is set aside there. The same
   * holds for subscriptions, which are not made again then. A message that the broker answers by closing the connection
   * would otherwise hold up all others for ever.
   * @defaultValue 3
   */
  maxDeliveryLosses?: number | undefined
}

/** Without `reconnect`, for clients with `offlineQueue` or `store`, and by default. */
export const USUAL_DELIVERY_LOSSES = 3

/** {@link ReconnectOptions} with nothing left out; every host with its port. */
export interface ReconnectSettings extends Required<Omit<ReconnectOptions, 'retry'>> {
  readonly retry: NonNullable<ReconnectOptions['retry']> | null
  readonly hosts: ReadonlyArray<readonly [host: string, port: number]>
}

const KEYS = new Set([
  'minDelay',
  'maxDelay',
  'maxAttempts',
  'hosts',
  'order',
  'resubscribe',
  'initial',
  'retry',
  'maxDeliveryLosses',
])

/**
 * The option `reconnect`, checked; null when it is off.
 * @param port the port of hosts that are given without one
 * @throws TypeError for an unknown key or a wrong type, RangeError for a wrong value
 */
export function checkReconnect(
  value: boolean | ReconnectOptions | null | undefined,
  port: number,
): ReconnectSettings | null {
  if (value === undefined || value === null || value === false) return null
  const options = value === true ? {} : value
  checkKeys('reconnect', options, KEYS)
  const minDelay = checkDelay('reconnect.minDelay', options.minDelay ?? 1)
  const maxDelay = checkDelay('reconnect.maxDelay', options.maxDelay ?? Math.max(60, minDelay))
  if (minDelay > maxDelay) {
    throw rangeError(`reconnect.minDelay must not exceed reconnect.maxDelay, as ${minDelay} does ${maxDelay}`)
  }
  return Object.freeze({
    minDelay,
    maxDelay,
    maxAttempts: checkAttempts(options.maxAttempts ?? Number.POSITIVE_INFINITY),
    hosts: checkHosts(options.hosts ?? [], port),
    order: checkChoice('reconnect.order', options.order ?? 'given', ['given', 'random']),
    resubscribe: checkBoolean('reconnect.resubscribe', options.resubscribe ?? true),
    initial: checkBoolean('reconnect.initial', options.initial ?? false),
    retry: checkRetry(options.retry),
    maxDeliveryLosses: checkLosses(options.maxDeliveryLosses ?? USUAL_DELIVERY_LOSSES),
  })
}

function checkDelay(name: string, value: unknown): number {
  if (typeof value !== 'number')
    throw typeError(`${name} must be a number of seconds, not ${describeType(value)}`)
  if (!Number.isFinite(value) || value < 0) {
    throw rangeError(`${name} must be a number of seconds that is finite and not negative, not ${value}`)
  }
  return value
}

function checkRetry(value: unknown): ReconnectSettings['retry'] {
  if (value === undefined || value === null) return null
  if (typeof value !== 'function') {
    throw typeError(`reconnect.retry must be a function, not ${describeType(value)}`)
  }
  return value as NonNullable<ReconnectSettings['retry']>
}

function checkLosses(value: unknown): number {
  if (value === Number.POSITIVE_INFINITY) return value
  return checkInteger('reconnect.maxDeliveryLosses', value, 1, Number.MAX_SAFE_INTEGER)
}

function checkAttempts(value: unknown): number {
  if (value === Number.POSITIVE_INFINITY) return value
  return checkInteger('reconnect.maxAttempts', value, 0, Number.MAX_SAFE_INTEGER)
}

function checkHosts(value: unknown, port: number): ReconnectSettings['hosts'] {
  if (!Array.isArray(value)) throw typeError(`reconnect.hosts must be a list, not ${describeType(value)}`)
  return Object.freeze(
    value.map((entry: unknown) => {
      const [host, ownPort] = Array.isArray(entry) ? entry : [entry, port]
      if (Array.isArray(entry) && entry.length !== 2) {
        throw typeError('reconnect.hosts must be a list of hosts and of pairs of a host and a port')
      }
      const name = checkHostname(host, 'reconnect.hosts')
      return Object.freeze([name, checkInteger('reconnect.hosts: port', ownPort, 1, 65535)] as const)
    }),
  )
}
