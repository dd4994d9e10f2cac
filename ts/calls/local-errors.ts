import { MqttCodeError } from '../mqtt/errors.js'

// Paho's codes for what a client refuses by itself, as Python users know them.

const NOT_CONNECTED = 4
const UNKNOWN_ERROR = 13
const QUEUE_FULL = 15

/**
 * `[code:4] The client is not currently connected.`
 * @param cause why it has given up, if it has
 */
export function notConnected(cause?: Error): MqttCodeError {
  return new MqttCodeError(NOT_CONNECTED, '', { cause })
}

/** `[code:15] Message queue full.` */
export function queueFull(cause?: Error): MqttCodeError {
  return cause === undefined ? new MqttCodeError(QUEUE_FULL) : new MqttCodeError(QUEUE_FULL, '', { cause })
}

/**
 * What no check of ours has foreseen: a fault of this library's.
 * @param result what Paho C returned
 */
export function refusedByPaho(result: number): MqttCodeError {
  return new MqttCodeError(UNKNOWN_ERROR, '', { cause: new Error(`Paho C refused the call with ${result}`) })
}
