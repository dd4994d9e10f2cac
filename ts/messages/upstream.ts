import type { MqttError } from '../mqtt/errors.js'

/** Room is granted anew when this share of a bound has been used up. */
const REGRANT_AT = 0.5

/** What a connection may deliver: totals since it began, in messages and in bytes. */
export type Grant = (messages: number, bytes: number) => void

/** A queue that the broker must not overfill (`overflow: 'backpressure'`). */
interface BoundQueue {
  /** Messages, and bytes of them, that it may hold at most; `Infinity` for no limit. */
  readonly maxMessages: number
  readonly maxBytes: number
  /** What it holds. */
  readonly length: number
  readonly bytes: number
}

/**
 * Where the messages of all of a client's queues come from: one connection after the other, each of which delivers what
 * it was granted room for and not a message more. Of a message it is not known beforehand which queue it goes to, so
 * that there is as much room as in the fullest of them.
 */
export class MessageSource {
  /** Whether the last connection is over. */
  hasEnded = false
  /** Why, if it was not a clean end. */
  cause: MqttError | null = null

  private readonly queues = new Set<BoundQueue>()
  private grant: Grant = ignore

  // Of the connection at hand: what it has delivered, and what it was granted.
  private messages = 0
  private bytes = 0
  private grantedMessages = 0
  private grantedBytes = 0
  /** How many bytes the message has that waits for room; 0 if none does. */
  private wanted = 0

  /** Whether what is delivered must be told to `delivered()`. */
  get isBound(): boolean {
    return this.queues.size > 0
  }

  bind(queue: BoundQueue): void {
    this.queues.add(queue)
  }

  /** A queue is given up. */
  unbind(queue: BoundQueue): void {
    if (this.queues.delete(queue)) this.refill()
  }

  /** A connection is there. */
  open(grant: Grant): void {
    this.hasEnded = false
    this.cause = null
    this.grant = grant
    this.messages = this.bytes = this.wanted = 0
    this.give()
  }

  /** The connection is gone. */
  close(cause: MqttError | null): void {
    this.hasEnded = true
    this.cause = cause
    this.grant = ignore
  }

  /** A message waits for so much room. */
  stalled(bytes: number): void {
    // A message without a topic and a payload waits as well.
    this.wanted = Math.max(bytes, 1)
    this.refill()
  }

  /** Whether one does, for which there is none. */
  get isStalled(): boolean {
    return this.wanted > 0
  }

  /** A message of this size has come, whatever becomes of it. */
  delivered(size: number): void {
    this.messages++
    this.bytes += size
    this.refill()
  }

  /** There may be more room than before: grants it, once it is worth telling. */
  refill(): void {
    for (const { maxMessages, maxBytes } of this.queues) {
      const messages = this.grantedMessages - this.messages
      const bytes = this.grantedBytes - this.bytes
      if (this.wanted > 0 || messages < maxMessages * REGRANT_AT || bytes < maxBytes * REGRANT_AT) {
        this.refillFrom(maxMessages, maxBytes)
        return
      }
    }
  }

  private refillFrom(maxMessages: number, maxBytes: number): void {
    const messages = this.messages + this.room('messages') - this.grantedMessages
    const bytes = this.bytes + this.room('bytes') - this.grantedBytes
    const isWorthIt = messages >= maxMessages * REGRANT_AT || bytes >= maxBytes * REGRANT_AT
    if (isWorthIt || (this.wanted > 0 && this.room('messages') >= 1 && this.room('bytes') >= this.wanted)) {
      this.give()
    }
  }

  private give(): void {
    const messages = this.messages + this.room('messages')
    const bytes = this.bytes + this.room('bytes')
    this.wanted = 0
    this.grantedMessages = messages
    this.grantedBytes = bytes
    this.grant(messages, bytes)
  }

  /** What the fullest queue has room for. */
  private room(of: 'messages' | 'bytes'): number {
    let room = Number.POSITIVE_INFINITY
    for (const queue of this.queues) {
      const own = of === 'messages' ? queue.maxMessages - queue.length : queue.maxBytes - queue.bytes
      room = Math.min(room, own)
    }
    return Math.max(room, 0)
  }
}

function ignore(): void {}
