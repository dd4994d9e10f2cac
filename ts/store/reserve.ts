import { randomFillSync } from 'node:crypto'
import type { Files } from './files.js'

const NAME = 'reserve'
const LEAST = 64 * 1024

/**
 * Room on the disk that is kept for deletions and for the end of a compaction: a file that is made shorter when the disk
 * is full. It grows with the store, up to the size of one of its files.
 */
export class Reserve {
  #size = 0

  constructor(
    private readonly files: Files,
    private readonly most: number,
  ) {}

  /** What an older process left. */
  async open(): Promise<void> {
    const names = await this.files.list()
    if (!names.includes(NAME)) return
    const file = await this.files.open(NAME, 'read')
    try {
      this.#size = await file.size()
    } finally {
      await file.close()
    }
  }

  /**
   * Keeps as much as a store of this size needs.
   * @throws what the operating system says: the disk is full
   */
  async keep(stored: number): Promise<void> {
    let wanted = LEAST
    while (wanted < stored && wanted < this.most) wanted *= 2
    if (this.#size >= wanted) return
    const file = await this.files.open(NAME, this.#size === 0 ? 'overwrite' : 'update')
    try {
      while (this.#size < wanted) {
        // A file system that compresses would keep no room for zeros.
        const bytes = randomFillSync(Buffer.allocUnsafe(LEAST))
        await file.write(bytes, this.#size)
        this.#size += bytes.length
      }
    } catch (error) {
      await file.truncate(this.#size).catch(() => {})
      throw error
    } finally {
      await file.close()
    }
  }

  /**
   * Gives room away.
   * @returns whether there was any
   */
  async give(bytes: number): Promise<boolean> {
    if (this.#size === 0) return false
    const left = Math.max(0, this.#size - Math.ceil(bytes / LEAST) * LEAST)
    try {
      const file = await this.files.open(NAME, 'update')
      try {
        await file.truncate(left)
      } finally {
        await file.close()
      }
    } catch {
      // Somebody else has given it away.
      this.#size = 0
      return false
    }
    this.#size = left
    return true
  }
}
