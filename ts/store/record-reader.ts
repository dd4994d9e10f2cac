import type { Files, StoreFile } from './files.js'
import { valueIn } from './log-scanner.js'
import type { Place } from './record-index.js'
import type { Segment } from './segment.js'

/** Bytes that are read at once: records that lie together are mostly read together. */
const WINDOW = 256 * 1024

/** Reads records from where they are. One file is open at a time. */
export class RecordReader {
  #number = 0
  #file: StoreFile | null = null
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0

  constructor(private readonly files: Files) {}

  /** @returns null if the record is damaged */
  async read(segment: Segment, { at, size }: Place, key: string): Promise<Buffer | null> {
    const { tag, end } = segment
    const file = await this.#open(segment)
    const isHere = at >= this.#windowAt && at + size <= this.#windowAt + this.#window.length
    if (!isHere) {
      this.#window = await file.read(at, Math.max(size, Math.min(WINDOW, end - at)))
      this.#windowAt = at
    }
    const offset = at - this.#windowAt
    const value = valueIn(this.#window.subarray(offset, offset + size), at, tag, key)
    // Of its own, so that it does not keep the window.
    return value === null ? null : Buffer.from(value)
  }

  /** The file goes. */
  async forget({ number }: Segment): Promise<void> {
    if (this.#number === number) await this.close()
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    this.#number = 0
    this.#window = Buffer.alloc(0)
    await file?.close()
  }

  async #open({ name, number }: Segment): Promise<StoreFile> {
    if (this.#file !== null && this.#number === number) return this.#file
    await this.close()
    this.#file = await this.files.open(name, 'read')
    this.#number = number
    return this.#file
  }
}
