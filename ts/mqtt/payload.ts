import { types } from 'node:util'
import { rangeError, typeError } from '../support/validate.js'

/**
 * What can be sent. Strings go as UTF-8, numbers, bigints and booleans as their `String()`, null and
 * undefined as an empty payload, bytes as they are.
 */
export type PayloadType = string | Uint8Array | ArrayBuffer | number | bigint | boolean | null | undefined

/** The longest payload, in bytes: what the remaining length of a packet can say (MQTT 5, 1.5.5). */
const MAX_PAYLOAD_LENGTH = 268_435_455

/**
 * A payload as text or as bytes, whichever takes no copy: both are written straight to where they are sent
 * from. Bytes still belong to the caller, who may change them in a later turn.
 * @throws TypeError for any other type; RangeError `Payload too large.` above 268,435,455 bytes
 */
export function payloadSource(payload: PayloadType): string | Uint8Array {
  if (typeof payload === 'string') {
    // A UTF-16 code unit takes at most three bytes: all but huge texts need no counting.
    if (payload.length * 3 > MAX_PAYLOAD_LENGTH) checkLength(Buffer.byteLength(payload))
    return payload
  }
  if (types.isUint8Array(payload)) {
    checkLength(payload.length)
    return payload
  }
  if (payload === null || payload === undefined) return ''
  if (typeof payload === 'number' || typeof payload === 'bigint' || typeof payload === 'boolean') {
    return String(payload)
  }
  if (types.isArrayBuffer(payload)) {
    checkLength(payload.byteLength)
    return new Uint8Array(payload)
  }
  throw typeError('payload must be a string, bytearray, int, float or None.')
}

/**
 * A payload as bytes of its own, which nobody else can change: a copy, also of shared memory.
 * @throws as {@link payloadSource}
 */
export function payloadBytes(payload: PayloadType): Uint8Array {
  return Buffer.from(payloadSource(payload))
}

function checkLength(length: number): void {
  if (length > MAX_PAYLOAD_LENGTH) throw rangeError('Payload too large.')
}
