import {
  BLOCK,
  ENDS_BATCH,
  FIRST,
  FRAGMENT_HEAD,
  FULL,
  isDataIntact,
  LAST,
  LONGEST_KEY,
  LONGEST_VALUE,
  RECORD_HEAD,
  readFragmentHead,
  type Span,
  tagOf,
} from './log-format.js'

/** As much of a record as is kept of each: its head, its key, and a short value. */
const KEPT = RECORD_HEAD + LONGEST_KEY + 64

/** A record that is in order. */
export interface FoundRecord extends Span {
  readonly kind: number
  readonly key: string
  readonly endsBatch: boolean
  readonly valueLength: number
  /** The value, if it is short. */
  readonly shortValue: Buffer
}

/** Bytes of a file that no record could be read from. */
interface Damage extends Span {
  /** The record's, if its beginning is in order. */
  readonly key: string | null
}

/** Told of what a file holds, in the order of the file. */
export interface ScanListener {
  onRecord(record: FoundRecord): void
  onDamage(damage: Damage): void
}

/** A record of which some fragments have come. */
interface Partial {
  readonly at: number
  readonly beginning: Buffer
  kept: number
  length: number
}

/** Reads a file block by block, and keeps nothing of it but the beginning of one record. */
export class LogScanner {
  /** What all fragments of the file carry; the first one that is in order says it. */
  tag: number | null
  #partial: Partial | null = null

  constructor(
    private readonly listener: ScanListener,
    tag: number | null = null,
  ) {
    this.tag = tag
  }

  /**
   * @param bytes a block, which only at the file's end is shorter than the others
   * @param at its place in the file
   */
  block(bytes: Buffer, at: number): void {
    const number = at / BLOCK
    let position = 0
    while (position < bytes.length) {
      if (BLOCK - position < FRAGMENT_HEAD) break
      const head = readFragmentHead(bytes, position, number, this.tag)
      if (head === null) {
        this.#damaged(at + position, bytes.length - position)
        return
      }
      this.tag ??= tagOf(bytes, position)
      const end = Math.min(position + FRAGMENT_HEAD + head.length, bytes.length)
      if (isDataIntact(bytes, position, head)) {
        this.#fragment(head.type, bytes.subarray(position + FRAGMENT_HEAD, end), at + position, at + end)
      } else {
        this.#damaged(at + position, end - position)
      }
      position = end
    }
  }

  /**
   * The file is over.
   * @param end its length
   */
  end(end: number): void {
    const partial = this.#partial
    this.#partial = null
    if (partial !== null) this.#tell(partial, end)
  }

  #fragment(type: number, data: Buffer, at: number, end: number): void {
    if (type === FULL || type === FIRST) {
      this.end(at)
      this.#partial = { at, beginning: Buffer.allocUnsafe(Math.min(KEPT, 2 * BLOCK)), kept: 0, length: 0 }
    }
    const partial = this.#partial
    if (partial === null) {
      // Its beginning was lost, and told.
      this.listener.onDamage({ at, size: end - at, key: null })
      return
    }
    if (partial.kept < partial.beginning.length) partial.kept += data.copy(partial.beginning, partial.kept)
    partial.length += data.length
    if (type !== FULL && type !== LAST) return
    this.#partial = null
    const record = recordOf(partial, end)
    if (record === null) this.#tell(partial, end)
    else this.listener.onRecord(record)
  }

  #damaged(at: number, size: number): void {
    const partial = this.#partial
    this.#partial = null
    if (partial === null) this.listener.onDamage({ at, size, key: null })
    else this.#tell(partial, at + size)
  }

  #tell(partial: Partial, end: number): void {
    const { at, beginning, kept } = partial
    const keyEnd = RECORD_HEAD + (kept > 1 ? (beginning[1] as number) : 0)
    const key =
      kept >= keyEnd && keyEnd > RECORD_HEAD ? beginning.toString('latin1', RECORD_HEAD, keyEnd) : null
    this.listener.onDamage({ at, size: end - at, key })
  }
}

/** @returns null if the lengths do not fit */
function recordOf({ at, beginning, kept, length }: Partial, end: number): FoundRecord | null {
  if (length < RECORD_HEAD) return null
  const keyEnd = RECORD_HEAD + (beginning[1] as number)
  const valueLength = beginning.readUInt32LE(2)
  if (valueLength > LONGEST_VALUE || length !== keyEnd + valueLength) return null
  const flags = beginning[0] as number
  return {
    at,
    size: end - at,
    kind: flags & ~ENDS_BATCH,
    key: beginning.toString('latin1', RECORD_HEAD, keyEnd),
    endsBatch: (flags & ENDS_BATCH) !== 0,
    valueLength,
    shortValue: beginning.subarray(keyEnd, Math.min(kept, length)),
  }
}

/**
 * The value of a record.
 * @param bytes from its beginning to its end
 * @param at where in its file that is
 * @returns null if it is damaged, or not that of this key
 */
export function valueIn(bytes: Buffer, at: number, tag: number, key: string): Buffer | null {
  const pieces: Buffer[] = []
  let position = 0
  while (position < bytes.length) {
    const inBlock = (at + position) % BLOCK
    if (BLOCK - inBlock < FRAGMENT_HEAD) {
      position += BLOCK - inBlock
      continue
    }
    const head = readFragmentHead(bytes, position, Math.floor((at + position) / BLOCK), tag)
    if (head === null || !isDataIntact(bytes, position, head)) return null
    const start = position + FRAGMENT_HEAD
    position = start + head.length
    pieces.push(bytes.subarray(start, position))
  }
  const body = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
  const valueAt = RECORD_HEAD + key.length
  const isWhole =
    body.length >= valueAt &&
    body[1] === key.length &&
    body.readUInt32LE(2) === body.length - valueAt &&
    body.toString('latin1', RECORD_HEAD, valueAt) === key
  return isWhole ? body.subarray(valueAt) : null
}
