import type { MqttError } from '../mqtt/errors.js'

/** An attempt to connect, as options that are functions see it. */
export interface ConnectionAttempt {
  /** The broker's host, or the path of its socket. */
  readonly host: string
  /** The broker's port. */
  readonly port: number
  /** Counts the attempts from 1 since `connect()` was called, or since the connection was lost. */
  readonly number: number
  /** The loss, or the failure of the attempt before; null for the first attempt of a `connect()`. */
  readonly error: MqttError | null
}

/**
 * A value, or a function that returns it, called before each attempt to connect. If the function throws, rejects or
 * returns an invalid value, the attempt fails and is retried like any other. Its time counts toward the attempt's.
 */
export type Fresh<T> = T | ((attempt: ConnectionAttempt) => T | Promise<T>)
