import { types } from 'node:util'
import { typeError } from './validate.js'

/** %TypedArray%.prototype: its getters and methods read the array itself, whatever its owner has put over them. */
const prototype = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array
const bufferOf = getter<ArrayBuffer>('buffer')
const offsetOf = getter<number>('byteOffset')
const lengthOf = getter<number>('length')

function getter<Value>(name: 'buffer' | 'byteOffset' | 'length'): () => Value {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as () => Value
}

/**
 * The number of bytes in a caller's array. Its `length` may be a property or a getter of the caller's own: code that
 * copies the array must never go by that.
 */
export function byteLength(bytes: Uint8Array): number {
  return Reflect.apply(lengthOf, bytes, [])
}

/**
 * A caller's bytes as an array with nothing of the caller's but the memory.
 * @param name what errors call them
 * @throws TypeError for a detached ArrayBuffer, or a view of one, or a view of a buffer that has become too short for it
 */
export function plainBytes(name: string, source: Uint8Array | ArrayBuffer): Uint8Array {
  if (!types.isUint8Array(source)) return viewOf(name, source)
  const length = byteLength(source)
  if (length === 0) checkUsable(name, source)
  return new Uint8Array(Reflect.apply(bufferOf, source, []), Reflect.apply(offsetOf, source, []), length)
}

/**
 * The same as a copy that nobody else can change, also of memory that is shared with other threads.
 * @throws as {@link plainBytes}
 */
export function copiedBytes(name: string, source: Uint8Array | ArrayBuffer): Buffer {
  return Buffer.from(plainBytes(name, source))
}

/** @throws TypeError for an array without bytes because its buffer is detached or has been cut; not for an empty one */
export function checkUsable(name: string, bytes: Uint8Array): void {
  try {
    // The cheapest method that refuses such an array.
    Reflect.apply(prototype.at, bytes, [0])
  } catch (cause) {
    throw unusable(name, cause)
  }
}

function viewOf(name: string, buffer: ArrayBuffer): Uint8Array {
  try {
    return new Uint8Array(buffer)
  } catch (cause) {
    throw unusable(name, cause)
  }
}

function unusable(name: string, cause: unknown): TypeError {
  const error = typeError(`${name} must not be a detached ArrayBuffer, or a view that is out of its bounds`)
  return Object.assign(error, { cause })
}
