import { types } from 'node:util'
import { checkText, MAX_FIELD_LENGTH } from '../mqtt/fields.js'
import { plainBytes } from '../support/bytes.js'
import { checkKeys, describeType, rangeError, typeError } from '../support/validate.js'

/** Enhanced authentication (MQTT 5, 4.12): a method, and how to answer the broker's challenges. */
export interface Authentication {
  /** The name of the method, as the broker knows it. */
  method: string
  /**
   * What CONNECT carries for it, at most 65,535 bytes (3.1.2.11.10).
   * @defaultValue none
   */
  data?: Uint8Array | null | undefined
  /**
   * The answer to a challenge, `null` in either for none. What it throws or rejects with, and what is no such answer,
   * ends the connection; the error of `connect()` or `reauthenticate()` has it as its `cause`. It must answer within the
   * client's `timeout`.
   */
  respond(challenge: Buffer | null): Uint8Array | null | Promise<Uint8Array | null>
}

const KEYS = new Set(['method', 'data', 'respond'])

/** {@link Authentication} with nothing left out. */
export type AuthenticationSettings = Readonly<Required<Authentication>> & { readonly data: Uint8Array | null }

/**
 * The option `authentication`, checked and copied; null when there is none.
 * @throws TypeError for an unknown key or a wrong type, RangeError for what the wire cannot carry
 */
export function checkAuthentication(value: Authentication | null | undefined): AuthenticationSettings | null {
  if (value === undefined || value === null) return null
  checkKeys('authentication', value, KEYS)
  if (typeof value.respond !== 'function') {
    throw typeError(`authentication.respond must be a function, not ${describeType(value.respond)}`)
  }
  return Object.freeze({
    method: checkText('authentication.method', value.method),
    data: checkAuthenticationData('authentication.data', value.data),
    respond: (challenge: Buffer | null) => value.respond(challenge),
  })
}

/**
 * Authentication data, copied; null for none.
 * @param name what the error calls it
 */
export function checkAuthenticationData(name: string, data: unknown): Uint8Array | null {
  if (data === undefined || data === null) return null
  if (!types.isUint8Array(data)) throw typeError(`${name} must be a Uint8Array, not ${describeType(data)}`)
  const bytes = plainBytes(name, data)
  if (bytes.length > MAX_FIELD_LENGTH) throw rangeError(`${name} must be at most ${MAX_FIELD_LENGTH} bytes`)
  return Buffer.from(bytes)
}
