import { isUtf8 } from 'node:buffer'
import { MqttCodeError } from './errors.js'
import { checkRemainingLength } from './fields.js'
import { type PacketType, PacketTypes, packetTypeName } from './packet-types.js'
import {
  BINARY,
  FLAG,
  FOUR_BYTES,
  isRepeatable,
  PAIRS,
  type PropertySpec,
  propertiesOf,
  propertyNumbered,
  TEXT,
  TWO_BYTES,
  VARIABLE_BYTES,
} from './property-table.js'
import { ReasonCode } from './reason-code.js'
import { readVariable, variableLength, writeVariable } from './variable-byte-integer.js'

/** A name and its value in `userProperty`; a name may stand more than once. */
export type UserProperty = readonly [name: string, value: string]

/** What a property holds: one value, or a list for the two that may repeat. */
export type PropertyValue = number | string | Buffer | number[] | UserProperty[]

/** The properties of one packet by their number on the wire. */
export type PropertyValues = Map<number, PropertyValue>

const MALFORMED_PACKET = 129
const PROTOCOL_ERROR = 130

const TOO_SHORT = 'The properties end too early'

/**
 * Reads properties as they came, without their length prefix. Binary values are views of `bytes`.
 * @throws MqttCodeError 129 (malformed packet) or 130 (protocol error); its cause says what is wrong
 */
export function decodeProperties(packetType: PacketType, bytes: Uint8Array): PropertyValues {
  const reader = new Reader(bytes)
  const allowed = propertiesOf(packetType)
  const values: PropertyValues = new Map()
  while (!reader.atEnd) {
    const id = reader.variable()
    const property = allowed?.get(id)
    if (property === undefined) {
      throw flaw(
        MALFORMED_PACKET,
        `Property ${id} does not apply to packet type ${packetTypeName(packetType)}`,
      )
    }
    const before = values.get(id)
    if (before !== undefined && !isRepeatable(property, packetType)) {
      throw flaw(PROTOCOL_ERROR, `Property ${property.name} stands more than once`)
    }
    if (property.kind === PAIRS) {
      const pair: UserProperty = [reader.text(), reader.text()]
      if (before === undefined) values.set(id, [pair])
      else (before as UserProperty[]).push(pair)
    } else if (property.kind === VARIABLE_BYTES) {
      const number = checkReceived(property, reader.variable())
      if (before === undefined) values.set(id, [number])
      else (before as number[]).push(number)
    } else {
      values.set(id, readValue(reader, property))
    }
  }
  return values
}

function readValue(reader: Reader, property: PropertySpec): number | string | Buffer {
  switch (property.kind) {
    case TEXT:
      return reader.text()
    case BINARY:
      return reader.binary()
    case FLAG:
      return checkReceived(property, reader.byte())
    case TWO_BYTES:
      return checkReceived(property, reader.twoBytes())
    default:
      return checkReceived(property, reader.fourBytes())
  }
}

function checkReceived(property: PropertySpec, value: number): number {
  // Only flags have an upper limit of their own here: a broker's packets may be larger than ours can be.
  if (value < property.min || (property.kind === FLAG && value > property.max)) {
    throw flaw(PROTOCOL_ERROR, `Property ${property.name} must not be ${value}`)
  }
  return value
}

function flaw(code: number, description: string): MqttCodeError {
  return new MqttCodeError(new ReasonCode(PacketTypes.DISCONNECT, undefined, code), '', {
    cause: new Error(description),
  })
}

/** Reads the data types of MQTT 5 (1.5), and refuses to read past the end. */
class Reader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  byte(): number {
    return this.#bytes[this.#skip(1)] as number
  }

  twoBytes(): number {
    return this.#bytes.readUInt16BE(this.#skip(2))
  }

  fourBytes(): number {
    return this.#bytes.readUInt32BE(this.#skip(4))
  }

  variable(): number {
    const read = readVariable(this.#bytes, this.#offset)
    if (read === 'long') throw flaw(MALFORMED_PACKET, 'A variable byte integer is longer than four bytes')
    if (read === 'short') throw flaw(MALFORMED_PACKET, TOO_SHORT)
    this.#offset = read.end
    return read.value
  }

  binary(): Buffer {
    const length = this.twoBytes()
    const start = this.#skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  text(): string {
    const length = this.twoBytes()
    const start = this.#skip(length)
    const text = this.#bytes.toString('utf8', start, start + length)
    if (text.includes('\0')) throw flaw(MALFORMED_PACKET, 'A string contains a NUL character')
    // What is no UTF-8 decodes to U+FFFD; only where that stands a second look is needed.
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(start, start + length))) {
      throw flaw(MALFORMED_PACKET, 'A string is not UTF-8')
    }
    return text
  }

  #skip(length: number): number {
    const start = this.#offset
    if (start + length > this.#bytes.length) throw flaw(MALFORMED_PACKET, TOO_SHORT)
    this.#offset = start + length
    return start
  }
}

/**
 * Writes checked properties, with their length prefix.
 * @throws RangeError for more than a packet can hold
 */
export function encodeProperties(values: PropertyValues): Uint8Array {
  let length = 0
  for (const [id, value] of values) length += valueLength(propertyNumbered(id), value)
  checkRemainingLength(length)
  const bytes = Buffer.allocUnsafe(variableLength(length) + length)
  let offset = writeVariable(bytes, 0, length)
  for (const [id, value] of values) offset = writeValue(bytes, offset, propertyNumbered(id), value)
  return bytes
}

/** Puts the length prefix before properties that are encoded already. */
export function prefixLength(raw: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(variableLength(raw.length) + raw.length)
  bytes.set(raw, writeVariable(bytes, 0, raw.length))
  return bytes
}

/** The same without it; null if it is not their length. */
export function withoutPrefix(encoded: Uint8Array): Uint8Array | null {
  const prefix = readVariable(encoded, 0)
  if (typeof prefix === 'string' || prefix.end + prefix.value !== encoded.length) return null
  return encoded.subarray(prefix.end)
}

/** The bytes that a property takes with its number, once for each value of a list. */
function valueLength(property: PropertySpec, value: PropertyValue): number {
  switch (property.kind) {
    case FLAG:
      return 2
    case TWO_BYTES:
      return 3
    case FOUR_BYTES:
      return 5
    case VARIABLE_BYTES:
      return (value as number[]).reduce((sum, number) => sum + 1 + variableLength(number), 0)
    case TEXT:
      return 3 + Buffer.byteLength(value as string)
    case BINARY:
      return 3 + (value as Buffer).length
    default:
      return (value as UserProperty[]).reduce(
        (sum, [name, text]) => sum + 5 + Buffer.byteLength(name) + Buffer.byteLength(text),
        0,
      )
  }
}

function writeValue(bytes: Buffer, start: number, property: PropertySpec, value: PropertyValue): number {
  let offset = start
  switch (property.kind) {
    case VARIABLE_BYTES:
      for (const number of value as number[]) {
        offset = writeVariable(bytes, bytes.writeUInt8(property.id, offset), number)
      }
      return offset
    case PAIRS:
      for (const [name, text] of value as UserProperty[]) {
        offset = writeText(bytes, writeText(bytes, bytes.writeUInt8(property.id, offset), name), text)
      }
      return offset
  }
  offset = bytes.writeUInt8(property.id, offset)
  switch (property.kind) {
    case FLAG:
      return bytes.writeUInt8(value as number, offset)
    case TWO_BYTES:
      return bytes.writeUInt16BE(value as number, offset)
    case FOUR_BYTES:
      return bytes.writeUInt32BE(value as number, offset)
    case TEXT:
      return writeText(bytes, offset, value as string)
    default:
      return writeBinary(bytes, offset, value as Buffer)
  }
}

function writeText(bytes: Buffer, offset: number, text: string): number {
  const length = bytes.write(text, offset + 2)
  bytes.writeUInt16BE(length, offset)
  return offset + 2 + length
}

function writeBinary(bytes: Buffer, offset: number, data: Buffer): number {
  bytes.set(data, bytes.writeUInt16BE(data.length, offset))
  return offset + 2 + data.length
}
