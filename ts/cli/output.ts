import type { Writable } from 'node:stream'

/** Bytes that are collected before they are written. */
const BLOCK = 64 * 1024

/**
 * Standard output, in blocks: bytes are collected, and `flush()` writes them. A reader that has gone (EPIPE) is no
 * error: `isClosed` says so, and what is written from then on is dropped.
 */
export class Output {
  readonly #stream: Writable
  readonly #closing = new AbortController()
  #block = Buffer.allocUnsafe(BLOCK)
  #used = 0
  #error: Error | null = null

  constructor(stream: Writable = process.stdout) {
    this.#stream = stream
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') this.#error = error
      this.#closing.abort()
    })
  }

  /** Whether nobody reads any longer. */
  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Fires when nobody reads any longer. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** Adds a byte. */
  byte(value: number): void {
    if (this.#used === this.#block.length) this.#pass()
    this.#block[this.#used++] = value
  }

  /** Adds bytes; they are copied. */
  bytes(value: Uint8Array): void {
    if (value.length > this.#block.length - this.#used) {
      this.#pass()
      if (value.length >= BLOCK) {
        this.#write(Buffer.from(value))
        return
      }
    }
    this.#block.set(value, this.#used)
    this.#used += value.length
  }

  /** Adds text as UTF-8. */
  text(value: string): void {
    // No character has more than three bytes for each of its UTF-16 units.
    if (value.length * 3 > this.#block.length - this.#used) {
      this.bytes(Buffer.from(value))
      return
    }
    this.#used += this.#block.write(value, this.#used)
  }

  /**
   * Writes what was collected, and waits while the reader is behind.
   * @throws the stream's error, other than EPIPE
   */
  async flush(): Promise<void> {
    this.#pass()
    if (this.#error !== null) throw this.#error
    if (!this.#stream.writableNeedDrain || this.isClosed) return
    await new Promise<void>((resolve) => {
      const go = () => {
        this.#stream.off('drain', go)
        this.closed.removeEventListener('abort', go)
        resolve()
      }
      this.#stream.on('drain', go)
      this.closed.addEventListener('abort', go)
    })
  }

  /** Writes what was collected, and waits until all of it has left the process. */
  async end(): Promise<void> {
    this.#pass()
    if (this.isClosed) return
    await new Promise<void>((resolve) => {
      this.closed.addEventListener('abort', () => resolve())
      this.#stream.write('', () => resolve())
    })
    if (this.#error !== null) throw this.#error
  }

  /** Gives the block to the stream. */
  #pass(): void {
    if (this.#used === 0) return
    this.#write(this.#block.subarray(0, this.#used))
    this.#block = Buffer.allocUnsafe(BLOCK)
    this.#used = 0
  }

  #write(bytes: Uint8Array): void {
    if (!this.isClosed) this.#stream.write(bytes)
  }
}
