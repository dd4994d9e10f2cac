import { inspect } from 'node:util'

/** What somebody's code has thrown, as text: the message of an error, and what anything else is or looks like. */
export function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    // There are objects without a text.
    return inspect(thrown, { customInspect: false })
  }
}

/** The same as an error. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(textOf(thrown))
}
