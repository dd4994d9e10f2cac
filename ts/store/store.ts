import { describeType, isObject, rangeError, typeError } from '../support/validate.js'

/** What a store keeps: a few bytes under a name of 1 to 255 printable ASCII characters. */
export type StoreRecord = readonly [key: string, value: Uint8Array]

/** A record that is to be put, over an older one with its key if there is one; or with null, deleted. */
export type StoreChange = readonly [key: string, value: Uint8Array | null]

/**
 * Where a client keeps what must outlive its process: the option `store`. One store serves one client (and its client
 * identifier) at a time. Whoever made it closes it, after `disconnect()`.
 *
 * `storeConformance()` of `aiomqtt/store/conformance` tests one.
 */
export interface Store {
  /**
   * All records, in the order of their keys (that of their characters' codes). A client reads them before its first
   * connection: all of them, unless the store has `last()`.
   * @param warn to be called with what the operator should know of: records that are damaged, for example. The client's
   *   goes to its logger
   * @param after only records whose keys come after this one are wanted
   */
  load(warn?: (text: string) => void, after?: string): AsyncIterable<StoreRecord> | Iterable<StoreRecord>
  /**
   * The last key that begins with `prefix`, in the order of the keys; null if there is none. A store that has this
   * method is read in portions, as its messages are sent, so that a client's memory does not grow with it: `load()` is
   * called again and again with `after`, its iteration is left early, and batches may be made meanwhile. They never
   * change what has not been read yet.
   */
  last?(prefix: string): Promise<string | null> | string | null
  /**
   * Makes changes, in their order, all of them or none. The client waits for this before it sends what depends on it,
   * and makes no further call meanwhile: so what this resolves to is what the store promises. Bytes are given away.
   * @returns nothing when they are made already, or a promise that resolves when they are; it rejects, and the
   *   publish calls concerned with it, when they cannot be made
   */
  batch(changes: readonly StoreChange[]): Promise<void> | void
}

const KEY = /^[ -~]{1,255}$/

/**
 * The option `store`, checked.
 * @throws {TypeError} it is no store
 */
export function checkStore(value: Store | null | undefined): Store | null {
  if (value === undefined || value === null) return null
  if (!isObject(value) || typeof value.load !== 'function' || typeof value.batch !== 'function') {
    const what = isObject(value) ? 'an object without the methods load and batch' : describeType(value)
    throw typeError(`store must be a Store, not ${what}`)
  }
  return value as unknown as Store
}

/**
 * The argument of `batch()`, checked.
 * @throws {TypeError} a wrong type
 * @throws {RangeError} a key that is none
 */
export function checkChanges(changes: readonly StoreChange[]): void {
  if (!Array.isArray(changes)) throw typeError(`changes must be an array, not ${describeType(changes)}`)
  for (const change of changes as readonly StoreChange[]) {
    if (!Array.isArray(change)) throw typeError(`changes must hold [key, value], not ${describeType(change)}`)
    const [key, value] = change
    if (typeof key !== 'string') throw typeError(`a key must be a string, not ${describeType(key)}`)
    if (!KEY.test(key)) throw rangeError('a key must be 1 to 255 printable ASCII characters')
    if (value !== null && !(value instanceof Uint8Array)) {
      throw typeError(`a value must be a Uint8Array or null, not ${describeType(value)}`)
    }
  }
}
