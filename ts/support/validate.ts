/**
 * The small checks that every module shares. A wrong type is a TypeError, a wrong value a RangeError,
 * and each carries a `code`, as Node's own argument errors do.
 */

import { printable } from './printable.js'

/** A TypeError with `code: 'ERR_MQTT_INVALID_ARG_TYPE'`. */
export function typeError(message: string): TypeError & { code: string } {
  return Object.assign(new TypeError(printable(message)), { code: 'ERR_MQTT_INVALID_ARG_TYPE' })
}

/** A RangeError with `code: 'ERR_MQTT_INVALID_ARG_VALUE'`: what Python raises as ValueError. */
export function rangeError(message: string): RangeError & { code: string } {
  return Object.assign(new RangeError(printable(message)), { code: 'ERR_MQTT_INVALID_ARG_VALUE' })
}

/** How an error message names the type of a value that it did not expect. */
export function describeType(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

/** True for anything that can be read as an object literal: neither null, nor an array, nor a function. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Refuses keys that nobody will read.
 * @param owner what got the options, as the error names it: `Client.publish()`
 * @throws TypeError for anything but an object, and for an unknown key; it names the nearest known one
 */
export function checkKeys(owner: string, options: unknown, known: ReadonlySet<string>): void {
  if (!isObject(options)) throw typeError(`${owner} takes an object of options, not ${describeType(options)}`)
  for (const key in options) {
    if (!known.has(key)) {
      throw typeError(
        `${owner} got an unexpected keyword argument '${key}'. Did you mean '${nearest(key, known)}'?`,
      )
    }
  }
}

/** The known name that has the most in common with this one. */
export function nearest(name: string, known: Iterable<string>): string {
  let best = ''
  let least = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const difference = editDistance(name, candidate) / Math.max(name.length, candidate.length)
    if (difference < least) {
      least = difference
      best = candidate
    }
  }
  return best
}

function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      const inserted = (current[column - 1] ?? 0) + 1
      const removed = (previous[column] ?? 0) + 1
      current.push(Math.min(replaced, inserted, removed))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}

/** @throws TypeError for anything but a number, RangeError for one that is no integer from `min` to `max` */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw typeError(`${name} must be a number, not ${describeType(value)}`)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw rangeError(`${name} must be an integer from ${min} to ${max}, not ${value}`)
  }
  return value
}

/** @throws TypeError for anything but a boolean */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw typeError(`${name} must be a boolean, not ${describeType(value)}`)
  return value
}

/** @throws TypeError for anything but a string, RangeError for one that is not among `choices` */
export function checkChoice<const Choice extends string>(
  name: string,
  value: unknown,
  choices: readonly Choice[],
): Choice {
  if (typeof value !== 'string') throw typeError(`${name} must be a string, not ${describeType(value)}`)
  const choice = choices.find((candidate) => candidate === value)
  if (choice === undefined) {
    throw rangeError(
      `${name} must be one of ${choices.map((known) => `'${known}'`).join(', ')}, not '${value}'`,
    )
  }
  return choice
}

/**
 * Seconds. Zero and less are allowed, as in Python: they expire at once; `Infinity` never does.
 * @throws TypeError for anything but a number, RangeError for NaN
 */
export function checkTimeout(value: unknown): number {
  if (typeof value !== 'number')
    throw typeError(`timeout must be a number of seconds, not ${describeType(value)}`)
  if (Number.isNaN(value)) throw rangeError('timeout must be a number of seconds, not NaN')
  return value
}

/** @throws TypeError for anything but an AbortSignal (of this realm or of another) */
export function checkSignal(value: unknown): AbortSignal {
  if (value instanceof AbortSignal) return value
  if (isObject(value) && Object.prototype.toString.call(value) === '[object AbortSignal]') {
    return value as unknown as AbortSignal
  }
  throw typeError(`signal must be an AbortSignal, not ${describeType(value)}`)
}
