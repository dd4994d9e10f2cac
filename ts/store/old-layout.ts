import { encodePublish, RELEASED } from './message-record.js'
import type { StoreRecord } from './store.js'

// The layout of the first version: one file of records, each of them a mark, a byte of flags, the length of its key (two
// bytes), that of its value (four), a CRC-32 of all the rest, its key, its value. A message's value was the addon's command
// for it. Such a file is read once, and written anew.

const MARK = Buffer.from('aMq1')
const FLAGS_AT = 4
const KEY_LENGTH_AT = 5
const VALUE_LENGTH_AT = 7
const CHECKSUM_AT = 11
const HEAD = 15
const DELETES = 0b01
const ENDS_BATCH = 0b10

const PUBLISH_KEY = /^out-\d{14}$/
const FORMAT = 1
const VALUE_HEAD = 4
const STATE_RELEASED = 1
/** Words of a command's head; the lengths of topic, properties and payload stand in three of them. */
const COMMAND_HEAD = 32
const TOPIC_LENGTH_AT = 16
const PROPERTIES_LENGTH_AT = 20
const PAYLOAD_LENGTH_AT = 24
const COMMAND_FLAGS_AT = 5
const FLAG_QOS = 0b011
const FLAG_RETAIN = 0b100

const POLYNOMIAL = 0xedb8_8320
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ ((value & 1) * POLYNOMIAL)
  return value
})

/** What a file of the first version holds. */
interface OldContents {
  readonly records: StoreRecord[]
  /** How many of its bytes could be read; behind them nothing was looked for. */
  readonly read: number
  /** Keys of records that could be read and not be understood. */
  readonly unknown: string[]
}

/** Whether a file begins as those of the first version do. */
export function isOldLayout(beginning: Uint8Array): boolean {
  return beginning.length >= MARK.length && MARK.equals(beginning.subarray(0, MARK.length))
}

/** The records in a file of the first version, up to the first one that is damaged. */
export function readOldLayout(file: Buffer): OldContents {
  const found = new Map<string, Buffer | null>()
  let batch: Array<[string, Buffer | null]> = []
  let read = 0
  for (let at = 0; isOldLayout(file.subarray(at)) && at + HEAD <= file.length; ) {
    const keyEnd = HEAD + file.readUInt16LE(at + KEY_LENGTH_AT)
    const length = keyEnd + file.readUInt32LE(at + VALUE_LENGTH_AT)
    if (at + length > file.length) break
    const record = file.subarray(at, at + length)
    if (record.readUInt32LE(CHECKSUM_AT) !== crc32(record.subarray(0, CHECKSUM_AT), record.subarray(HEAD)))
      break
    const flags = record[FLAGS_AT] as number
    batch.push([
      record.toString('latin1', HEAD, keyEnd),
      (flags & DELETES) === 0 ? record.subarray(keyEnd) : null,
    ])
    at += length
    if ((flags & ENDS_BATCH) === 0) continue
    for (const [key, value] of batch) found.set(key, value)
    batch = []
    read = at
  }
  const records: StoreRecord[] = []
  const unknown: string[] = []
  for (const [key, value] of found) {
    if (value === null) continue
    const converted = PUBLISH_KEY.test(key) ? convert(value) : value
    if (converted === null) unknown.push(key)
    else records.push([key, converted])
  }
  return { records, read, unknown }
}

/** A message's value in today's layout; null for one that makes no sense. */
function convert(value: Buffer): Uint8Array | null {
  if (value.length < VALUE_HEAD || value[0] !== FORMAT) return null
  const identifier = value.readUInt16LE(2)
  if (value[1] === STATE_RELEASED) return encodePublish({ identifier, ...RELEASED })
  const command = value.subarray(VALUE_HEAD)
  if (command.length < COMMAND_HEAD || command.readUInt32LE(0) !== command.length) return null
  const topicEnd = COMMAND_HEAD + command.readUInt32LE(TOPIC_LENGTH_AT)
  const propertiesEnd = topicEnd + 1 + command.readUInt32LE(PROPERTIES_LENGTH_AT)
  const payloadEnd = propertiesEnd + command.readUInt32LE(PAYLOAD_LENGTH_AT)
  if (payloadEnd > command.length) return null
  const flags = command[COMMAND_FLAGS_AT] as number
  return encodePublish({
    identifier,
    qos: flags & FLAG_QOS,
    isRetained: (flags & FLAG_RETAIN) !== 0,
    isReleased: false,
    topic: command.subarray(COMMAND_HEAD, topicEnd),
    properties: command.subarray(topicEnd + 1, propertiesEnd),
    payload: command.subarray(propertiesEnd, payloadEnd),
  })
}

function crc32(...pieces: Uint8Array[]): number {
  let crc = 0xffff_ffff
  for (const piece of pieces) {
    for (const byte of piece) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number)
  }
  return ~crc >>> 0
}
