import type { Writable } from 'node:stream'
import { printable } from '../support/printable.js'

/** Bytes that are collected before they are written. */
const BLOCK = 64 * 1024

/** What begins anew with each of them stays as it is. */
const LINES = /[^\n]+/g

/**
 * Standard output, in blocks: bytes are collected, and `flush()` writes them. A reader that has gone (EPIPE) is no
 * error: `isClosed` says so, and what is written from then on is dropped.
 *
 * On a terminal control characters are escaped, so that nobody who publishes can steer it; what goes to a file or a
 * program is written byte for byte.
 */
export class Output {
  readonly #stream: Writable
  readonly #closing = new AbortController()
  #block = Buffer.allocUnsafe(BLOCK)
  #used = 0
  #error: Error | null = null
  readonly #isTerminal: boolean

  constructor(stream: Writable = process.stdout) {
    this.#stream = stream
    this.#isTerminal = 'isTTY' in stream && stream.isTTY === true
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

  /** Adds what somebody else has written, of which a terminal gets one line. */
  foreign(value: Uint8Array | string): void {
    if (this.#isTerminal) this.raw(printable(Buffer.from(value).toString()))
    else if (typeof value === 'string') this.raw(value)
    else this.bytes(value)
  }

  /** Adds text as UTF-8. */
  text(value: string): void {
    this.raw(this.#isTerminal ? value.replace(LINES, printable) : value)
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

  /** Adds text as UTF-8 with all that is in it: what the user of the command has written. */
  raw(value: string): void {
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
