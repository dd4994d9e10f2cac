import { MqttCodeError, MqttError } from '../mqtt/errors.js'
import { isVerificationCode } from '../transports/tls-errors.js'

/**
 * Reason codes of CONNACK that tell of this client and not of the moment: the same CONNECT would get the same answer.
 * (Those of MQTT 3.x are translated to these.)
 */
const FINAL_REFUSALS: ReadonlySet<number> = new Set([
  0x81, // Malformed packet
  0x82, // Protocol error
  0x84, // Unsupported protocol version
  0x85, // Client identifier not valid
  0x86, // Bad user name or password
  0x87, // Not authorized
  0x8a, // Banned
  0x8c, // Bad authentication method
  0x90, // Topic name invalid (the will's)
  0x95, // Packet too large
  0x99, // Payload format invalid (the will's)
  0x9a, // Retain not supported (the will's)
  0x9b, // QoS not supported (the will's)
])

/** The same for DISCONNECT. */
const FINAL_FAREWELLS: ReadonlySet<number> = new Set([
  0x87, // Not authorized
  0x8c, // Bad authentication method
])

const SESSION_TAKEN_OVER = 0x8e

/** What a broker's TLS says of our certificate, and what OpenSSL says of our options. */
const FINAL_TLS = /^ERR_OSSL_|ALERT_(UNKNOWN_CA|ACCESS_DENIED|(BAD_|UNSUPPORTED_)?CERTIFICATE(_\w+)?)$/

/**
 * Whether there is no use in trying the same broker again: it does not accept this client (credentials, identifier,
 * version, will), one of both does not trust the other (TLS), or the options cannot work. What passes (a broker that
 * is not there, busy, shutting down or out of quota) is worth another attempt.
 */
export function isFinal(error: unknown): boolean {
  // What is not about the connection is about an argument, or was thrown by a function of the user's.
  if (!(error instanceof MqttError)) return true
  if (error.code === 'ERR_MQTT_UNSUPPORTED') return true
  if (error.code === 'ERR_MQTT_TLS') {
    const { code } = (error.cause ?? {}) as { code?: unknown }
    return typeof code === 'string' && (isVerificationCode(code) || FINAL_TLS.test(code))
  }
  if (!(error instanceof MqttCodeError)) return false
  const codes = error.code === 'ERR_MQTT_CONNECT' ? FINAL_REFUSALS : FINAL_FAREWELLS
  return codes.has(Number(error.rc))
}

/**
 * Whether somebody else connected with our client identifier. Coming back would throw them out, who would come back in
 * turn, for ever.
 */
export function isTakenOver(error: unknown): boolean {
  return error instanceof MqttCodeError && Number(error.rc) === SESSION_TAKEN_OVER
}
