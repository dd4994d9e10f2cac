import { type InspectOptions, inspect } from 'node:util'

/**
 * What `util.inspect()` shows of an object that has secrets: its own fields, which hold none, and nothing of
 * its accessors, whatever the options ask for.
 */
export function inspectFields(label: string, fields: object, depth: number, options: InspectOptions): string {
  return `${label} ${inspect({ ...fields }, { ...options, depth })}`
}
