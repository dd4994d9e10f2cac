import { crc32 } from './crc32.js'
import type { StoreChange } from './store.js'

// The layout of a store's file: records, one after the other. A record is a mark, a byte of flags, the length of its key
// (two bytes), that of its value (four), a checksum of all the rest (four), its key, its value. Numbers are little
// endian.

const MARK = Buffer.from('aMq1')
const FLAGS_AT = 4
const KEY_LENGTH_AT = 5
const VALUE_LENGTH_AT = 7
const CHECKSUM_AT = 11
const HEAD = 15

const DELETES = 0b01
/** The last record of a batch: until it is there, none of the batch counts. */
const ENDS_BATCH = 0b10

/** Where a record stands in the file. */
export interface Place {
  readonly at: number
  readonly length: number
}

/** A record that was found in a file. */
export interface Found extends Place {
  readonly key: string
  readonly deletes: boolean
  /** Its key, too, may be wrong. */
  readonly isDamaged: boolean
}

/** The bytes of a batch. */
export function encodeBatch(changes: readonly StoreChange[]): { bytes: Buffer; lengths: number[] } {
  const lengths: number[] = []
  const pieces = changes.map(([key, value], index) => {
    const ends = index === changes.length - 1
    const record = encode(key, value, (value === null ? DELETES : 0) | (ends ? ENDS_BATCH : 0))
    lengths.push(record.length)
    return record
  })
  return { bytes: Buffer.concat(pieces), lengths }
}

/** What a record adds to its key and its value. */
export function recordLength(key: string, value: Uint8Array | null): number {
  return HEAD + key.length + (value?.length ?? 0)
}

/** A whole record as one that is a batch of its own. */
export function alone(record: Buffer): Buffer {
  record[FLAGS_AT] = (record[FLAGS_AT] as number) | ENDS_BATCH
  record.writeUInt32LE(checksumOf(record), CHECKSUM_AT)
  return record
}

/** @returns the value in a record's bytes; null if they are damaged */
export function valueIn(record: Buffer): Buffer | null {
  if (record.length < HEAD || record.readUInt32LE(CHECKSUM_AT) !== checksumOf(record)) return null
  return record.subarray(HEAD + record.readUInt16LE(KEY_LENGTH_AT))
}

/**
 * The records in a file, without those of a last batch that is not there as a whole.
 * @returns them, and how many bytes they take from the file's beginning on, whatever stands between them
 */
export function scan(file: Buffer): { found: Found[]; end: number; isDamaged: boolean } {
  const found: Found[] = []
  let batch: Found[] = []
  let end = 0
  let isDamaged = false
  let at = 0
  while (at < file.length) {
    const length = lengthAt(file, at)
    if (length === 0) {
      isDamaged = true
      at = file.indexOf(MARK, at + 1)
      if (at < 0) break
      continue
    }
    const record = file.subarray(at, at + length)
    const flags = record[FLAGS_AT] as number
    const isWhole = valueIn(record) !== null
    const keyLength = record.readUInt16LE(KEY_LENGTH_AT)
    const key = record.toString('latin1', HEAD, HEAD + keyLength)
    if (!isWhole) isDamaged = true
    batch.push({ at, length, key, deletes: isWhole && (flags & DELETES) !== 0, isDamaged: !isWhole })
    // A damaged length hides what follows: only a mark proves where the next record begins.
    const next = at + length
    const isFollowed = next === file.length || file.subarray(next, next + MARK.length).equals(MARK)
    at = isWhole || isFollowed ? next : at + 1
    if (isWhole && (flags & ENDS_BATCH) !== 0) {
      found.push(...batch)
      batch = []
      end = next
    }
  }
  return { found, end, isDamaged: isDamaged || end < file.length }
}

function encode(key: string, value: Uint8Array | null, flags: number): Buffer {
  const record = Buffer.allocUnsafe(recordLength(key, value))
  record.set(MARK)
  record[FLAGS_AT] = flags
  record.writeUInt16LE(key.length, KEY_LENGTH_AT)
  record.writeUInt32LE(value?.length ?? 0, VALUE_LENGTH_AT)
  record.write(key, HEAD, 'latin1')
  if (value !== null) record.set(value, HEAD + key.length)
  record.writeUInt32LE(checksumOf(record), CHECKSUM_AT)
  return record
}

/** @returns 0 if no record begins here that the file has as a whole */
function lengthAt(file: Buffer, at: number): number {
  if (at + HEAD > file.length || !file.subarray(at, at + MARK.length).equals(MARK)) return 0
  const length = HEAD + file.readUInt16LE(at + KEY_LENGTH_AT) + file.readUInt32LE(at + VALUE_LENGTH_AT)
  return at + length > file.length ? 0 : length
}

function checksumOf(record: Uint8Array): number {
  return crc32(record.subarray(0, CHECKSUM_AT), record.subarray(HEAD))
}
