import { CODE_REFUSED, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE } from '../engine/binding.js'
import { MqttCodeError } from '../mqtt/errors.js'
import { type PacketType, PacketTypes } from '../mqtt/packet-types.js'
import { type ReasonCode, receivedReasonCode } from '../mqtt/reason-code.js'
import { refusedByPaho } from './local-errors.js'
import type { Operation } from './operation.js'

/** Reason codes from here on are failures (MQTT 5, 2.4). */
export const FAILURE = 0x80
export const PACKET_IDENTIFIER_NOT_FOUND = 0x92

/**
 * Settles the promise of an operation that is done.
 * @param code DONE's
 * @param bytes one reason code a filter; none in an UNSUBACK of MQTT 3.x
 */
export function settle(operation: Operation, code: number, bytes: Uint8Array): void {
  const { kind, qos } = operation
  if (code >= CODE_REFUSED) operation.fail(() => refusedByPaho(CODE_REFUSED - code))
  else if (kind === COMMAND_SUBSCRIBE)
    operation.resolve(Array.from(bytes, (value) => reasonCode(PacketTypes.SUBACK, value)))
  else if (kind === COMMAND_UNSUBSCRIBE)
    settleWith(operation, PacketTypes.UNSUBACK, bytes.find((value) => value >= FAILURE) ?? 0)
  else settleWith(operation, acknowledgement(qos, code), code)
}

/** Resolves, or rejects if the broker's code is a failure. */
function settleWith(operation: Operation, packetType: PacketType, code: number): void {
  if (code < FAILURE) operation.resolve(undefined)
  else operation.fail(() => new MqttCodeError(reasonCode(packetType, code)))
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
