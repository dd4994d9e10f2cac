import { crc32c, masked } from './crc32c.js'

// The layout of a store's files, which docs/store.md tells to the byte: blocks, in them fragments of records, as in the
// logs of LevelDB and RocksDB. A fragment's head has a checksum of its own, so that damaged bytes cost their fragment and
// nothing behind it while its length can be trusted; and checksums hold for one place of one file only.

/** A reader finds its footing at each multiple of this, whatever stands before. */
export const BLOCK = 32 * 1024

/** A fragment's head: its checksum, the file's tag, the data's length, the type, the data's checksum. */
export const FRAGMENT_HEAD = 15
const TAG_AT = 4
const LENGTH_AT = 8
const TYPE_AT = 10
const DATA_CHECKSUM_AT = 11

export const FULL = 1
export const FIRST = 2
const MIDDLE = 3
export const LAST = 4

/** A record's head: its kind, the length of its key, and that of its value. */
export const RECORD_HEAD = 6
export const LONGEST_KEY = 255
/** The longest value: more than any MQTT packet takes. */
export const LONGEST_VALUE = 0x7fff_ffff

export const PUT = 1
export const DELETE = 2
/** The first record of each file. */
export const FILE_HEAD = 3
/** Files with smaller numbers are over. */
export const FLOOR = 4
/** Added to the kind of a batch's last record: until that is there, none of the batch counts. */
export const ENDS_BATCH = 0x80

const CHUNK = 1024 * 1024
const SMALLEST_CHUNK = 512

/** Where a record stands in its file. */
export interface Span {
  readonly at: number
  /** From its first fragment's head to its last one's end. */
  readonly size: number
}

/** A fragment's head that is in order. */
interface FragmentHead {
  readonly type: number
  readonly length: number
  readonly checksum: number
}

const position = Buffer.alloc(4)

function headChecksum(block: number, bytes: Uint8Array, at: number): number {
  position.writeUInt32LE(block >>> 0)
  return masked(crc32c(bytes, at + TAG_AT, at + FRAGMENT_HEAD, crc32c(position)))
}

/** @returns null for what is no fragment of this file at this place */
export function readFragmentHead(
  bytes: Buffer,
  at: number,
  block: number,
  tag: number | null,
): FragmentHead | null {
  if (at + FRAGMENT_HEAD > bytes.length || bytes.readUInt32LE(at) !== headChecksum(block, bytes, at))
    return null
  if (tag !== null && bytes.readUInt32LE(at + TAG_AT) !== tag) return null
  const type = bytes[at + TYPE_AT] as number
  const length = bytes.readUInt16LE(at + LENGTH_AT)
  if (type < FULL || type > LAST || length > BLOCK - FRAGMENT_HEAD) return null
  return { type, length, checksum: bytes.readUInt32LE(at + DATA_CHECKSUM_AT) }
}

/** The tag of the file that a fragment belongs to. */
export function tagOf(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + TAG_AT)
}

/** Whether a fragment's data, which ends where the bytes do or before, is as it was written. */
export function isDataIntact(bytes: Buffer, at: number, { length, checksum }: FragmentHead): boolean {
  const start = at + FRAGMENT_HEAD
  return start + length <= bytes.length && masked(crc32c(bytes, start, start + length)) === checksum
}

/** The most bytes that a record with a value of this length takes, wherever it begins. */
export function mostBytes(keyLength: number, valueLength: number): number {
  const body = RECORD_HEAD + keyLength + valueLength
  return body + (Math.ceil(body / (BLOCK - FRAGMENT_HEAD)) + 1) * 2 * FRAGMENT_HEAD
}

/** What a record counts for in `maxBytes`: as one that lies within a block takes. */
export function countedBytes(keyLength: number, valueLength: number): number {
  return FRAGMENT_HEAD + RECORD_HEAD + keyLength + valueLength
}

/** Writes records as the bytes of a file, from a place in it on. */
export class LogEncoder {
  readonly #tag: number
  readonly #head = Buffer.allocUnsafe(RECORD_HEAD + LONGEST_KEY)
  #chunks: Buffer[] = []
  #chunk: Buffer
  #used = 0

  /**
   * @param position where in the file the first record begins
   * @param expected how many bytes there will be, more or less
   */
  constructor(
    tag: number,
    public position: number,
    expected: number,
  ) {
    this.#tag = tag
    this.#chunk = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(SMALLEST_CHUNK, expected)))
  }

  /** Bytes that wait to be taken. */
  get pending(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, this.#used)
  }

  add(kind: number, key: string, value: Uint8Array | null): Span {
    const head = this.#head
    head[0] = kind
    head[1] = key.length
    head.writeUInt32LE(value?.length ?? 0, 2)
    const headLength = RECORD_HEAD + head.write(key, RECORD_HEAD, 'latin1')
    const whole = headLength + (value?.length ?? 0)
    let start = -1
    let done = 0
    do {
      const room = BLOCK - (this.position % BLOCK)
      if (room < FRAGMENT_HEAD) {
        this.#reserve(room)
        this.#chunk.fill(0, this.#used, this.#used + room)
        this.#advance(room)
        continue
      }
      const isFirst = start < 0
      if (isFirst) start = this.position
      const length = Math.min(whole - done, room - FRAGMENT_HEAD)
      const isLast = done + length === whole
      const type = isFirst ? (isLast ? FULL : FIRST) : isLast ? LAST : MIDDLE
      this.#fragment(type, length, head.subarray(0, headLength), value, done)
      done += length
    } while (done < whole)
    return { at: start, size: this.position - start }
  }

  /** The bytes so far. */
  take(): Buffer[] {
    const chunks = this.#chunks
    chunks.push(this.#chunk.subarray(0, this.#used))
    this.#chunk = this.#chunk.subarray(this.#used)
    this.#used = 0
    this.#chunks = []
    return chunks
  }

  #fragment(type: number, length: number, head: Buffer, value: Uint8Array | null, from: number): void {
    this.#reserve(FRAGMENT_HEAD + length)
    const chunk = this.#chunk
    const at = this.#used
    const data = at + FRAGMENT_HEAD
    let filled = 0
    if (from < head.length) filled = head.copy(chunk, data, from, from + length)
    if (value !== null && filled < length) {
      const begin = from + filled - head.length
      chunk.set(value.subarray(begin, begin + length - filled), data + filled)
    }
    chunk.writeUInt32LE(this.#tag, at + TAG_AT)
    chunk.writeUInt16LE(length, at + LENGTH_AT)
    chunk[at + TYPE_AT] = type
    chunk.writeUInt32LE(masked(crc32c(chunk, data, data + length)), at + DATA_CHECKSUM_AT)
    chunk.writeUInt32LE(headChecksum(Math.floor(this.position / BLOCK), chunk, at), at)
    this.#advance(FRAGMENT_HEAD + length)
  }

  #advance(count: number): void {
    this.#used += count
    this.position += count
  }

  #reserve(count: number): void {
    if (this.#used + count <= this.#chunk.length) return
    this.#chunks.push(this.#chunk.subarray(0, this.#used))
    this.#chunk = Buffer.allocUnsafe(Math.max(CHUNK, count))
    this.#used = 0
  }
}
