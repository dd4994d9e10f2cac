import { CODE_REFUSED, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE } from '../engine/binding.js'
import { fact } from '../failures/failure.js'
import { MqttCodeError } from '../mqtt/errors.js'
import { type PacketType, PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { type ReasonCode, receivedReasonCode } from '../mqtt/reason-code.js'
import { refusedByPaho } from './local-errors.js'
import type { Operation } from './operation.js'

/** Reason codes from here on are failures (MQTT 5, 2.4). */
export const FAILURE = 0x80
export const PACKET_IDENTIFIER_NOT_FOUND = 0x92

/**
 * Settles the promise of an operation that is done.
 * @param code DONE's
 * @param codes one reason code a filter; none in an UNSUBACK of MQTT 3.x
 * @param properties what the broker said beside a code that is a failure, raw
 */
export function settle(operation: Operation, code: number, codes: Uint8Array, properties: Uint8Array): void {
  const { kind, qos } = operation
  if (code >= CODE_REFUSED) operation.fail(() => refusedByPaho(CODE_REFUSED - code))
  else if (kind === COMMAND_SUBSCRIBE && !operation.rejectsRefusal)
    operation.resolve(Array.from(codes, (value) => reasonCode(PacketTypes.SUBACK, value)))
  else if (kind === COMMAND_SUBSCRIBE) settleWith(operation, PacketTypes.SUBACK, codes[0] ?? 0, properties)
  else if (kind === COMMAND_UNSUBSCRIBE)
    settleWith(operation, PacketTypes.UNSUBACK, codes.find((value) => value >= FAILURE) ?? 0, properties)
  else settleWith(operation, acknowledgement(qos, code), code, properties)
}

/**
 * What the broker refused.
 * @param raw what it said beside its code, which is kept
 */
export function refusedBy(packetType: PacketType, code: number, raw: Uint8Array): MqttCodeError {
  const rc = reasonCode(packetType, code)
  if (raw.length === 0) return new MqttCodeError(rc)
  const properties = Properties.decode(packetType, raw)
  const { reasonString } = properties
  return new MqttCodeError(rc, '', {
    properties,
    cause: reasonString === undefined ? undefined : fact(reasonString),
  })
}

/** Resolves, or rejects if the broker's code is a failure. */
function settleWith(
  operation: Operation,
  packetType: PacketType,
  code: number,
  properties: Uint8Array,
): void {
  if (code < FAILURE) {
    operation.resolve(undefined)
    return
  }
  // The bytes are there for this moment only.
  const own = Uint8Array.from(properties)
  operation.fail(() => refusedBy(packetType, code, own))
}

/** The packet that has ended a publish. */
function acknowledgement(qos: number, code: number): PacketType {
  if (qos < 2) return PacketTypes.PUBACK
  return code === PACKET_IDENTIFIER_NOT_FOUND ? PacketTypes.PUBCOMP : PacketTypes.PUBREC
}

/** The native side has checked that the code may stand in this packet. */
function reasonCode(packetType: PacketType, value: number): ReasonCode {
  return receivedReasonCode(packetType, value) as ReasonCode
}
