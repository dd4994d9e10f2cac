import type { SecureContext, ConnectionOptions as TLSConnectionOptions } from 'node:tls'
import type { ConnectionWill } from '../engine/binding.js'
import { Failure } from '../failures/failure.js'
import { thrownFailure } from '../failures/system-failure.js'
import { checkOptionalText } from '../mqtt/fields.js'
import type { ProtocolVersion } from '../mqtt/protocol-version.js'
import { textOf } from '../support/thrown.js'
import { typeError } from '../support/validate.js'
import { checkPassword, checkTLSContext, checkWill } from './client-option-checks.js'
import type { ConnectionAttempt, Fresh } from './connection-attempt.js'

/** Options that may be functions, as they were checked. */
export interface Values {
  readonly username: string | null
  readonly password: Uint8Array | null
  readonly will: ConnectionWill | null
  readonly websocketPath: string | null
  readonly tlsContext: SecureContext | TLSConnectionOptions | null
}

/** The functions among the options. */
export type Makers = { readonly [Name in keyof Values]?: (attempt: ConnectionAttempt) => unknown }

/** How what a function gave is checked: as the option itself. */
const CHECKS: {
  readonly [Name in keyof Values]: (value: never, protocol: ProtocolVersion) => Values[Name]
} = {
  username: (value) => checkOptionalText('username', value),
  password: (value) => checkPassword(value),
  will: (value, protocol) => checkWill(protocol, value),
  websocketPath: (value) => checkOptionalText('websocketPath', value),
  tlsContext: (value) => {
    // Without one the connection would be in the clear.
    if (value === null || value === undefined) throw typeError('tlsContext must not be missing')
    return checkTLSContext(value)
  },
}

/**
 * Splits an option that may be a function.
 * @returns the value, undefined for a function
 */
export function fixedValue<T>(option: Fresh<T>): T | undefined {
  return typeof option === 'function' ? undefined : option
}

/** The functions among the options that may be some. */
export function makersOf(options: { readonly [Name in keyof Values]?: unknown }): Makers {
  const names = Object.keys(CHECKS) as Array<keyof Values>
  return Object.fromEntries(
    names.flatMap((name) => (typeof options[name] === 'function' ? [[name, options[name]]] : [])),
  )
}

/**
 * Asks the functions, all at the same time.
 * @param where what errors call the broker
 * @throws {MqttError} one of them failed, by name, with what it threw as the cause
 * @throws {TypeError | RangeError} one of them gave what its option does not take
 */
export async function makeValues(
  makers: Makers,
  attempt: ConnectionAttempt,
  protocol: ProtocolVersion,
  where: string,
): Promise<Partial<Values>> {
  const made = Object.entries(makers).map(async ([name, maker]) => {
    const value: unknown = await ask(name, () => maker(attempt), where)
    return [name, check(name as keyof Values, value, protocol)]
  })
  return Object.fromEntries(await Promise.all(made))
}

/** Asks the function of one option. */
export async function ask<T>(name: string, maker: () => T, where: string): Promise<Awaited<T>> {
  try {
    return await maker()
  } catch (cause) {
    const text = `The option ${name} failed: ${textOf(cause)} (${where})`
    throw new Failure({ kind: 'option', text, cause }).error()
  }
}

function check(name: keyof Values, value: unknown, protocol: ProtocolVersion): Values[keyof Values] {
  try {
    return CHECKS[name](value as never, protocol)
  } catch (error) {
    throw thrownFailure(error, name, 'later').error()
  }
}
