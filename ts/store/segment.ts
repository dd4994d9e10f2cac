import { randomInt } from 'node:crypto'
import type { StoreFile } from './files.js'
import { BLOCK, ENDS_BATCH, FILE_HEAD, LogEncoder } from './log-format.js'
import { LogScanner, type ScanListener } from './log-scanner.js'

/** The file that is written to. When it is full it gets a number, and another one takes its name. */
export const ACTIVE = 'records'
const SEALED = /^records-(\d{8,10})$/
const DIGITS = 8

const MAGIC = Buffer.from('aiomqtt store\n')
/** Version 1 was a layout without blocks; see old-layout.ts. */
const VERSION = 2
const VERSION_AT = MAGIC.length
const NUMBER_AT = VERSION_AT + 1
const FLOOR_AT = NUMBER_AT + 4
const PREVIOUS_AT = FLOOR_AT + 4
const HEAD_LENGTH = PREVIOUS_AT + 6

const READ_AT_ONCE = 32 * BLOCK
const TAGS = 2 ** 32

/** One of a store's files. */
export interface Segment {
  name: string
  readonly number: number
  /** What its fragments carry, so that no other file's are taken for its own. */
  tag: number
  /** Its length, as far as whole batches reach. */
  end: number
  /** The records that are not over, and their bytes. */
  records: number
  live: number
}

/** What a file says of itself and of those before it. */
export interface SegmentHead {
  readonly version: number
  readonly number: number
  /** Files with smaller numbers are over. */
  readonly floor: number
  /** How far the file before it counts. */
  readonly previousEnd: number
  readonly tag: number
}

/** @returns the number that a name gives; null if it is not that of a full file */
export function numberOf(name: string): number | null {
  const digits = SEALED.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

export function sealedName(number: number): string {
  return `records-${String(number).padStart(DIGITS, '0')}`
}

/** The first record of a file that is to have a tag of its own. */
export function encodeHead(
  number: number,
  floor: number,
  previousEnd: number,
): { tag: number; bytes: Buffer; end: number } {
  const value = Buffer.alloc(HEAD_LENGTH)
  MAGIC.copy(value)
  value[VERSION_AT] = VERSION
  value.writeUInt32LE(number, NUMBER_AT)
  value.writeUInt32LE(floor, FLOOR_AT)
  value.writeUIntLE(previousEnd, PREVIOUS_AT, 6)
  const tag = randomInt(TAGS)
  const encoder = new LogEncoder(tag, 0, HEAD_LENGTH)
  encoder.add(FILE_HEAD | ENDS_BATCH, '', value)
  return { tag, bytes: Buffer.concat(encoder.take()), end: encoder.position }
}

/** @returns null if the file's first record is damaged */
export async function readHead(file: StoreFile): Promise<SegmentHead | null> {
  let value: Buffer | null = null
  const scanner = new LogScanner({
    onRecord: (record) => {
      if (record.at === 0 && record.kind === FILE_HEAD) value = record.shortValue
    },
    onDamage: () => {},
  })
  scanner.block(await file.read(0, BLOCK), 0)
  return value === null ? null : decodeHead(value, scanner.tag as number)
}

function decodeHead(value: Buffer, tag: number): SegmentHead | null {
  if (value.length <= VERSION_AT || !value.subarray(0, VERSION_AT).equals(MAGIC)) return null
  const version = value[VERSION_AT] as number
  if (version !== VERSION) return { version, number: 0, floor: 0, previousEnd: 0, tag }
  if (value.length !== HEAD_LENGTH) return null
  return {
    version,
    number: value.readUInt32LE(NUMBER_AT),
    floor: value.readUInt32LE(FLOOR_AT),
    previousEnd: value.readUIntLE(PREVIOUS_AT, 6),
    tag,
  }
}

/** Whether this version of the package can read what a file's head says. */
export function isReadable({ version }: SegmentHead): boolean {
  return version === VERSION
}

/**
 * Reads a file from its beginning.
 * @param end how far
 * @param readsOn true to take what the disk cannot read for damage, and to go on behind it
 * @returns the tag that its fragments carry; null if none is in order
 */
export async function scanFile(
  file: StoreFile,
  end: number,
  tag: number | null,
  listener: ScanListener,
  readsOn = false,
): Promise<number | null> {
  const scanner = new LogScanner(listener, tag)
  let at = 0
  while (at < end) {
    const length = Math.min(READ_AT_ONCE, end - at)
    const bytes = await (readsOn ? readAround(file, at, length) : file.read(at, length))
    if (bytes.length === 0) break
    for (let offset = 0; offset < bytes.length; offset += BLOCK) {
      scanner.block(bytes.subarray(offset, offset + BLOCK), at + offset)
    }
    at += bytes.length
    if (bytes.length < length) break
  }
  scanner.end(at)
  return scanner.tag
}

/** A block that cannot be read becomes zeros, which are no fragment. */
async function readAround(file: StoreFile, at: number, length: number): Promise<Buffer> {
  try {
    return await file.read(at, length)
  } catch {
    if (length <= BLOCK) return Buffer.alloc(length)
    const blocks: Buffer[] = []
    for (let done = 0; done < length; done += BLOCK) {
      blocks.push(await readAround(file, at + done, Math.min(BLOCK, length - done)))
    }
    return Buffer.concat(blocks)
  }
}
