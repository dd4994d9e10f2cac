// Variable byte integers (MQTT 5, 1.5.5): seven bits a byte, the least first, four bytes at most.

const LONGEST = 4

/** One that was read, and the offset behind it. */
export interface VariableByteInteger {
  readonly value: number
  readonly end: number
}

/** The bytes that a value takes. */
export function variableLength(value: number): number {
  if (value < 128) return 1
  if (value < 128 ** 2) return 2
  return value < 128 ** 3 ? 3 : 4
}

/** @returns the offset behind it */
export function writeVariable(bytes: Buffer, start: number, value: number): number {
  let offset = start
  let rest = value
  while (rest >= 128) {
    offset = bytes.writeUInt8(0x80 | (rest & 0x7f), offset)
    rest = Math.floor(rest / 128)
  }
  return bytes.writeUInt8(rest, offset)
}

/** @returns `short` if the bytes end before it does, `long` if it does not end in time */
export function readVariable(bytes: Uint8Array, start: number): VariableByteInteger | 'short' | 'long' {
  let value = 0
  for (let at = 0; at < LONGEST; at++) {
    const byte = bytes[start + at]
    if (byte === undefined) return 'short'
    value += (byte & 0x7f) * 128 ** at
    if (byte < 0x80) return { value, end: start + at + 1 }
  }
  return 'long'
}
