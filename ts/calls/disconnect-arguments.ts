import { PacketTypes } from '../mqtt/packet-types.js'
import type { PropertiesLike } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { ReasonCode } from '../mqtt/reason-code.js'
import { checkInteger, checkKeys, rangeError } from '../support/validate.js'
import { checkProperties } from './publish-arguments.js'

/** Options of `disconnect()`, on MQTT 5. */
export interface DisconnectOptions {
  /**
   * Reason for the broker, as a number or a {@link ReasonCode}: 0, 4, 128 to 131, 144, 147 to 153 (MQTT 5, 3.14.2.1).
   * 4 makes the broker publish the will.
   * @defaultValue 0, a normal disconnection, with which the broker deletes the will
   */
  reasonCode?: number | ReasonCode
  /**
   * Properties of DISCONNECT: `sessionExpiryInterval`, in seconds, takes the place of that of CONNECT, where it was not 0
   * (MQTT 5, 3.14.2.2); `reasonString` and `userProperty` are for the broker's log.
   * @defaultValue none
   */
  properties?: PropertiesLike | null
}

/** What DISCONNECT says. */
export interface Farewell {
  readonly reason: number
  /** With their length prefix, or null for none. */
  readonly properties: Uint8Array | null
}

/** A normal disconnection. */
export const NO_WORDS: Farewell = { reason: 0, properties: null }

const DISCONNECT_OPTIONS = new Set(['reasonCode', 'properties'])

/** The codes that a client may send (MQTT 5, 3.14.2.1). */
const CODES_OF_CLIENTS = new Set([0, 4, 128, 129, 130, 131, 144, 147, 148, 149, 150, 151, 152, 153])

/**
 * Checks the arguments of `disconnect()`.
 * @param sessionExpiryInterval CONNECT's, in seconds
 * @throws TypeError for an unknown key or a wrong type, RangeError for what a client may not say, or not on MQTT 3.x
 */
export function checkDisconnect(
  protocol: ProtocolVersion,
  options: DisconnectOptions | null | undefined,
  sessionExpiryInterval: number,
): Farewell {
  if (options === undefined || options === null) return NO_WORDS
  checkKeys('Client.disconnect()', options, DISCONNECT_OPTIONS)
  const reason = checkReason(options.reasonCode)
  const properties = checkProperties(protocol, PacketTypes.DISCONNECT, options.properties)
  if (reason !== 0 && protocol !== ProtocolVersion.V5) throw rangeError('Reason codes only apply to MQTT V5')
  if (properties?.serverReference !== undefined) {
    throw rangeError('Property serverReference does not apply to the DISCONNECT of a client')
  }
  if (sessionExpiryInterval === 0 && (properties?.sessionExpiryInterval ?? 0) > 0) {
    throw rangeError('Property sessionExpiryInterval must be 0 in DISCONNECT if it was 0 in CONNECT')
  }
  const isNone = properties === undefined || properties.isEmpty()
  return { reason, properties: isNone ? null : properties.encode() }
}

function checkReason(code: unknown): number {
  if (code === undefined || code === null) return 0
  const value = checkInteger('reasonCode', code instanceof ReasonCode ? code.value : code, 0, 255)
  if (!CODES_OF_CLIENTS.has(value)) {
    throw rangeError(`Reason code ${value} does not apply to the DISCONNECT of a client`)
  }
  return value
}
