// What the command lines of the examples have in common.

import { parseArgs } from 'node:util'

/** A mistake on the command line, whose message alone tells the user what to do. */
export class UsageError extends Error {}

/** @throws {UsageError} for what the definitions do not know */
export function parse(args, options) {
  try {
    return parseArgs({ args, options }).values
  } catch (error) {
    throw new UsageError(error.message)
  }
}

/** @throws {UsageError} */
export function wholeNumber(name, text, smallest, largest) {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= smallest && value <= largest) return value
  throw new UsageError(`--${name} must be a whole number from ${smallest} to ${largest}, not '${text}'.`)
}
