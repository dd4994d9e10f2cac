/** Hexadecimal digits without the spaces that make them readable. */
export function hex(...parts: string[]): string {
  return parts.join('').replaceAll(' ', '')
}

/** MQTT's UTF-8 string or binary data, a two-byte length before the bytes, in hexadecimal digits. */
export function field(value: string | Uint8Array): string {
  const bytes = Buffer.from(value)
  return number(bytes.length, 2) + bytes.toString('hex')
}

/** A big-endian integer of `size` bytes in hexadecimal digits. */
export function number(value: number, size: number): string {
  return value.toString(16).padStart(2 * size, '0')
}

/** A packet of this first byte, its remaining length calculated, in hexadecimal digits. */
export function packet(first: string, ...parts: string[]): string {
  const body = hex(...parts)
  let length = body.length / 2
  let header = hex(first)
  do {
    header += number((length % 128) + (length >= 128 ? 128 : 0), 1)
    length = Math.floor(length / 128)
  } while (length > 0)
  return header + body
}
