import { types } from 'node:util'
import { byteLength, checkUsable, copiedBytes, plainBytes } from '../support/bytes.js'
import { rangeError, typeError } from '../support/validate.js'
import { MAX_REMAINING_LENGTH } from './fields.js'

/**
 * What can be sent. Strings go as UTF-8, numbers, bigints and booleans as their `String()`, null and
 * undefined as an empty payload, bytes as they are.
 */
export type PayloadType = string | Uint8Array | ArrayBuffer | number | bigint | boolean | null | undefined

/**
 * A payload as text or as bytes, whichever takes no copy: both are written straight to where they are sent
 * from. Bytes still belong to the caller, who may change them in a later turn, and whose `length` may be anything:
 * `byteLength()` tells how many there are.
 * @throws TypeError for any other type, and for bytes that are gone with a detached buffer; RangeError `Payload too large.` above 268,435,455 bytes
 */
export function payloadSource(payload: PayloadType): string | Uint8Array {
  if (typeof payload === 'string') {
    // A UTF-16 code unit takes at most three bytes: all but huge texts need no counting.
    if (payload.length * 3 > MAX_REMAINING_LENGTH) checkLength(Buffer.byteLength(payload))
    return payload
  }
  if (types.isUint8Array(payload)) {
    const length = byteLength(payload)
    if (length === 0) checkUsable('payload', payload)
    checkLength(length)
    return payload
  }
  if (payload === null || payload === undefined) return ''
  if (typeof payload === 'number' || typeof payload === 'bigint' || typeof payload === 'boolean') {
    return String(payload)
  }
  if (types.isArrayBuffer(payload)) {
    const bytes = plainBytes('payload', payload)
    checkLength(bytes.length)
    return bytes
  }
  throw typeError('payload must be a string, bytearray, int, float or None.')
}

/**
 * A payload as bytes of its own, which nobody else can change: a copy, also of shared memory.
 * @throws as {@link payloadSource}
 */
export function payloadBytes(payload: PayloadType): Uint8Array {
  const source = payloadSource(payload)
  return typeof source === 'string' ? Buffer.from(source) : copiedBytes('payload', source)
}

function checkLength(length: number): void {
  if (length > MAX_REMAINING_LENGTH) throw rangeError('Payload too large.')
}
