/// <reference lib="es2024.string" />
import { describeType, rangeError, typeError } from '../support/validate.js'

/** What a string, a topic or binary data may take at most on the wire, in bytes (MQTT 5, 1.5.4 and 1.5.6). */
export const MAX_FIELD_LENGTH = 65535

/** What may follow a packet's fixed header, in bytes (MQTT 5, 1.5.5 and 2.1.4). */
export const MAX_REMAINING_LENGTH = 268_435_455

/**
 * @param remaining the bytes of a packet after its fixed header
 * @throws RangeError above 268,435,455
 */
export function checkRemainingLength(remaining: number): void {
  if (remaining <= MAX_REMAINING_LENGTH) return
  throw rangeError(
    `The packet is too large: MQTT allows ${MAX_REMAINING_LENGTH} bytes after the fixed header, not ${remaining}`,
  )
}

/**
 * Text that MQTT can carry: at most 65535 bytes of UTF-8, no U+0000, no lone surrogate (MQTT 5, 1.5.4).
 * @throws TypeError for anything but a string, RangeError for text that the wire cannot carry
 */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== 'string') throw typeError(`${name} must be a string, not ${describeType(value)}`)
  const flaw = textFlaw(value)
  if (flaw !== null) throw rangeError(`${name} ${flaw}`)
  return value
}

/** The same as {@link checkText}, with null for what is not there. */
export function checkOptionalText(name: string, value: unknown): string | null {
  return value === undefined || value === null ? null : checkText(name, value)
}

/**
 * Refuses `user:password@host` where a host name alone is meant: it would stand in every error.
 * @throws RangeError that does not show it
 */
export function checkNoCredentials(name: string, host: string): void {
  if (host.includes('@'))
    throw rangeError(`${name} must be a host name or an address, without user and password`)
}

/** Why MQTT cannot carry this text, as the second half of a sentence, or null when it can. */
export function textFlaw(text: string): string | null {
  if (text.includes('\0')) return 'must not contain NUL characters'
  if (!text.isWellFormed()) return 'must not contain lone surrogates'
  return exceedsField(text) ? `must be at most ${MAX_FIELD_LENGTH} bytes of UTF-8` : null
}

/** True when the text takes more bytes of UTF-8 than a field of MQTT can hold. */
export function exceedsField(text: string): boolean {
  // A UTF-16 code unit takes at most three bytes: short texts need no counting.
  return text.length * 3 > MAX_FIELD_LENGTH && Buffer.byteLength(text) > MAX_FIELD_LENGTH
}

/** Quality of service: 0 at most once, 1 at least once, 2 exactly once. */
export type QoS = 0 | 1 | 2

/** @throws TypeError for anything but a number, RangeError `Invalid QoS level.` for anything but 0, 1 and 2 */
export function checkQoS(value: unknown): QoS {
  if (value === 0 || value === 1 || value === 2) return value
  if (typeof value !== 'number') throw typeError(`qos must be 0, 1 or 2, not ${describeType(value)}`)
  throw rangeError('Invalid QoS level.')
}
