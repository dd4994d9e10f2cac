import { inspect } from 'node:util'
import { checkInteger, rangeError } from '../support/validate.js'
import { checkText } from './fields.js'
import { type PacketType, PacketTypes, packetTypeName } from './packet-types.js'

const { CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH } = PacketTypes
const ACKNOWLEDGEMENTS = [CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK, AUTH]

/** Value, name, and the packets that carry it: MQTT 5, 2.4 and the table of each packet in chapter 3. */
const TABLE: ReadonlyArray<[value: number, name: string, packets: readonly PacketType[]]> = [
  [0, 'Success', ACKNOWLEDGEMENTS],
  [0, 'Normal disconnection', [DISCONNECT]],
  [0, 'Granted QoS 0', [SUBACK]],
  [1, 'Granted QoS 1', [SUBACK]],
  [2, 'Granted QoS 2', [SUBACK]],
  [4, 'Disconnect with will message', [DISCONNECT]],
  [16, 'No matching subscribers', [PUBACK, PUBREC]],
  [17, 'No subscription found', [UNSUBACK]],
  [24, 'Continue authentication', [AUTH]],
  [25, 'Re-authenticate', [AUTH]],
  [128, 'Unspecified error', [CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT]],
  [129, 'Malformed packet', [CONNACK, DISCONNECT]],
  [130, 'Protocol error', [CONNACK, DISCONNECT]],
  [131, 'Implementation specific error', [CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT]],
  [132, 'Unsupported protocol version', [CONNACK]],
  [133, 'Client identifier not valid', [CONNACK]],
  [134, 'Bad user name or password', [CONNACK]],
  [135, 'Not authorized', [CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT]],
  [136, 'Server unavailable', [CONNACK]],
  [137, 'Server busy', [CONNACK, DISCONNECT]],
  [138, 'Banned', [CONNACK]],
  [139, 'Server shutting down', [DISCONNECT]],
  [140, 'Bad authentication method', [CONNACK, DISCONNECT]],
  [141, 'Keep alive timeout', [DISCONNECT]],
  [142, 'Session taken over', [DISCONNECT]],
  [143, 'Topic filter invalid', [SUBACK, UNSUBACK, DISCONNECT]],
  [144, 'Topic name invalid', [CONNACK, PUBACK, PUBREC, DISCONNECT]],
  [145, 'Packet identifier in use', [PUBACK, PUBREC, SUBACK, UNSUBACK]],
  [146, 'Packet identifier not found', [PUBREL, PUBCOMP]],
  [147, 'Receive maximum exceeded', [DISCONNECT]],
  [148, 'Topic alias invalid', [DISCONNECT]],
  [149, 'Packet too large', [CONNACK, DISCONNECT]],
  [150, 'Message rate too high', [DISCONNECT]],
  [151, 'Quota exceeded', [CONNACK, PUBACK, PUBREC, SUBACK, DISCONNECT]],
  [152, 'Administrative action', [DISCONNECT]],
  [153, 'Payload format invalid', [CONNACK, PUBACK, PUBREC, DISCONNECT]],
  [154, 'Retain not supported', [CONNACK, DISCONNECT]],
  [155, 'QoS not supported', [CONNACK, DISCONNECT]],
  [156, 'Use another server', [CONNACK, DISCONNECT]],
  [157, 'Server moved', [CONNACK, DISCONNECT]],
  [158, 'Shared subscription not supported', [SUBACK, DISCONNECT]],
  [159, 'Connection rate exceeded', [CONNACK, DISCONNECT]],
  [160, 'Maximum connect time', [DISCONNECT]],
  [161, 'Subscription identifiers not supported', [SUBACK, DISCONNECT]],
  [162, 'Wildcard subscription not supported', [SUBACK, DISCONNECT]],
]

/** For each packet type the names of its codes by value. */
const NAMES = new Map<PacketType, Map<number, string>>(
  Object.values(PacketTypes).map((packetType) => [
    packetType,
    new Map(
      TABLE.filter(([, , packets]) => packets.includes(packetType)).map(([value, name]) => [value, name]),
    ),
  ]),
)

/**
 * What a broker answered, or the reason for which it or the client ended the connection, as paho's
 * `ReasonCode`. Compares as its number (`code >= 128`) and reads as its name. Frozen.
 */
export class ReasonCode {
  /** The packet that carries the code: one value has a name in one packet and another in another. */
  readonly packetType: PacketType
  /** The code on the wire, 0 to 162; from 128 on it is a failure. */
  readonly value: number

  /**
   * @param packetType one of `PacketTypes`
   * @param name the name of the code, unless `identifier` is given
   * @param identifier the value of the code, or -1 to look it up by `name`
   * @throws TypeError for a wrong type, RangeError for a code that this packet does not have
   */
  constructor(packetType: PacketType, name = 'Success', identifier = -1) {
    const names = NAMES.get(packetType)
    if (names === undefined) throw rangeError(`${inspect(packetType)} is not one of PacketTypes`)
    this.packetType = packetType
    this.value =
      identifier === -1 ? valueNamed(names, packetType, name) : checkInteger('identifier', identifier, 0, 255)
    if (!names.has(this.value)) {
      throw rangeError(
        `Reason code ${identifier} does not apply to packet type ${packetTypeName(packetType)}`,
      )
    }
    Object.freeze(this)
  }

  /** True from 128 on. */
  get isFailure(): boolean {
    return this.value >= 128
  }

  /** The name of the code: `Not authorized`. */
  getName(): string {
    return NAMES.get(this.packetType)?.get(this.value) ?? ''
  }

  /** The same as {@link getName}. */
  toString(): string {
    return this.getName()
  }

  /** The number, so that codes compare with numbers: `code >= 128`. */
  valueOf(): number {
    return this.value
  }

  /** The name, as paho's `json()`. */
  toJSON(): string {
    return this.getName()
  }

  /** Python's `repr()`: `ReasonCode(Suback, 'Granted QoS 1')`. @internal */
  [inspect.custom](): string {
    return `ReasonCode(${packetTypeName(this.packetType)}, '${this.getName()}')`
  }
}

function valueNamed(names: ReadonlyMap<number, string>, packetType: PacketType, name: string): number {
  checkText('name', name)
  // Paho lets DISCONNECT be made without a name, although none of its codes is called Success.
  if (packetType === DISCONNECT && name === 'Success') return 0
  for (const [value, known] of names) if (known === name) return value
  throw rangeError(`Reason code name not found: ${name}`)
}

const shared = new Map<number, ReasonCode>()

/**
 * The reason code that came in a packet, without making one for each; undefined for a value that the
 * packet must not carry, which is a protocol error.
 */
export function receivedReasonCode(packetType: PacketType, value: number): ReasonCode | undefined {
  const key = (packetType << 8) | value
  let code = shared.get(key)
  if (code === undefined && NAMES.get(packetType)?.has(value) === true) {
    code = new ReasonCode(packetType, undefined, value)
    shared.set(key, code)
  }
  return code
}

/** What the return codes of MQTT 3.x's CONNACK (3.1.1, 3.2.2.3) are called in MQTT 5. */
const RETURN_CODES = [0, 132, 133, 136, 134, 135]

/**
 * The reason of a CONNACK in the words of MQTT 5, whatever version the broker speaks: on MQTT 3.x a
 * return code is translated as paho does it, an unknown one is an unspecified error. On MQTT 5 a code 1
 * comes from a broker that knows 3.x only; any other unknown code is undefined, a protocol error.
 */
export function connackReasonCode(isV5: boolean, code: number): ReasonCode | undefined {
  if (isV5 && code !== 1) return receivedReasonCode(CONNACK, code)
  return receivedReasonCode(CONNACK, RETURN_CODES[code] ?? 128)
}
