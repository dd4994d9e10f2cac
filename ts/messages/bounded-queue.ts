import type { Message } from '../engine/message.js'
import { runtime } from '../engine/runtime.js'
import { type Compaction, InAnyOrder, InOrder } from './compaction.js'
import { FifoQueue, type MessageQueue } from './queues.js'

/** What happens to a message when the queue has no room: see `ClientOptions.overflow`. */
export type Overflow = 'drop-newest' | 'drop-oldest' | 'backpressure'

/** Messages that `'backpressure'` lets wait when the client's options set no bound. */
const USUAL_BACKPRESSURE = 10_000

/** The bounds of a queue, and what to do at them. */
export interface QueueBounds {
  readonly overflow: Overflow
  /** `Infinity` for no limit. */
  readonly maxQueuedIncomingMessages: number
  /** `Infinity` for no limit; counts topics, properties and payloads. */
  readonly maxQueuedIncomingBytes: number
}

/** Who acts upon a queue's being full. */
interface QueueFlow {
  /** A message was dropped: the newest, or the oldest. */
  onDrop(message: Message, which: 'newest' | 'oldest'): void
  /** `'backpressure'`: there is more room than before. */
  onRoom(): void
  /** A queue of the user's has thrown, and the message is lost. */
  onThrow(error: unknown): void
}

/** A client's queue of messages, whatever its kind, with its bounds. */
export class BoundedQueue {
  readonly maxMessages: number
  readonly maxBytes: number
  /** Whether the broker sends no more than there is room for. */
  readonly isBound: boolean
  /** The queue, if nothing bounds it and its messages can be looked through: then nothing is counted. */
  private readonly plain: FifoQueue<Message> | null
  /** The queue, if its messages can be looked through. */
  private readonly fifo: FifoQueue<Message> | null
  /** Bytes of the messages in it. */
  private counted = 0
  /** Made for the first message: it needs the addon. */
  private compaction: Compaction | null = null
  /** The order in which messages were put in a queue that may give them out in another one. */
  private readonly arrivals: WeakMap<Message, number> | null
  private arrived = 0

  constructor(
    private readonly queue: MessageQueue<Message>,
    private readonly bounds: QueueBounds,
    private readonly flow: QueueFlow,
  ) {
    this.maxMessages = bounds.maxQueuedIncomingMessages
    this.maxBytes = bounds.maxQueuedIncomingBytes
    this.isBound = bounds.overflow === 'backpressure'
    const isUnlimited =
      this.maxMessages === Number.POSITIVE_INFINITY && this.maxBytes === Number.POSITIVE_INFINITY
    if (isUnlimited && this.isBound) this.maxMessages = USUAL_BACKPRESSURE
    const isPlain = isUnlimited && !this.isBound
    const fifo = queue.constructor === FifoQueue ? (queue as FifoQueue<Message>) : null
    this.plain = isPlain ? fifo : null
    this.fifo = fifo
    this.arrivals = fifo === null ? new WeakMap() : null
  }

  get length(): number {
    return this.queue.length
  }

  /** Bytes of the messages in it. */
  get bytes(): number {
    if (this.plain === null) return this.counted
    let bytes = 0
    for (const message of this.plain) bytes += message.size
    return bytes
  }

  /** Memory that the messages keep alive beyond their own bytes, apart from the block that is being filled. */
  get slabBytes(): number {
    return this.compaction?.excess(this.fifo ?? []) ?? 0
  }

  /** Whether a message of this size fits. */
  hasRoomFor(size: number): boolean {
    return this.queue.length < this.maxMessages && this.counted + size <= this.maxBytes
  }

  /** Whether not even an empty message fits. */
  get isFull(): boolean {
    return this.queue.length >= this.maxMessages || this.counted >= this.maxBytes
  }

  /** Takes a message in, if the bounds let it. */
  put(message: Message): void {
    if (this.plain !== null) {
      this.plain.put(message)
      this.settle(message)
      return
    }
    const size = message.size
    if (this.isBound) {
      this.keep(message, size)
      return
    }
    if (this.bounds.overflow === 'drop-oldest' && size <= this.maxBytes) {
      while (!this.hasRoomFor(size)) this.drop(this.remove(), 'oldest')
    }
    if (this.hasRoomFor(size)) this.keep(message, size)
    else this.drop(message, 'newest')
  }

  /** The next message; only while `length` is not 0. */
  take(): Message {
    if (this.plain !== null) return this.plain.get() as Message
    const message = this.remove()
    if (this.isBound) this.flow.onRoom()
    return message
  }

  /**
   * Takes out the messages for which the broker still waits, as if they had never been put in: those that stay are put
   * in once more, in the order in which they came.
   */
  withdrawOutstanding(): void {
    const { arrivals } = this
    const kept = this.drain().filter((message) => !message.isOutstanding)
    if (arrivals !== null) kept.sort((a, b) => (arrivals.get(a) ?? 0) - (arrivals.get(b) ?? 0))
    this.compaction = null
    for (const message of kept) {
      if (this.plain === null) {
        this.keep(message, message.size)
      } else {
        this.plain.put(message)
        this.settle(message)
      }
    }
    if (this.isBound) this.flow.onRoom()
  }

  /** Drops all that is in it, as nobody is going to want it. */
  clear(): void {
    while (this.queue.length > 0) this.queue.get()?.drop()
    this.counted = 0
    this.compaction = null
  }

  /** All messages, in the order in which the queue gives them out. */
  private drain(): Message[] {
    const messages: Message[] = []
    try {
      while (this.queue.length > 0) messages.push(this.plain?.get() ?? this.remove())
    } catch (error) {
      this.flow.onThrow(error)
    }
    return messages
  }

  private keep(message: Message, size: number): void {
    const { length } = this.queue
    try {
      this.queue.put(message)
    } catch (error) {
      this.flow.onThrow(error)
      // It may have thrown after it had taken the message in.
      if (this.queue.length === length) {
        message.drop()
        return
      }
    }
    this.counted += size
    this.arrivals?.set(message, this.arrived++)
    this.settle(message)
  }

  private settle(message: Message): void {
    if (this.compaction === null) {
      const { slabs } = runtime().events
      this.compaction = this.fifo === null ? new InAnyOrder(slabs) : new InOrder(slabs, this.fifo)
    }
    this.compaction.put(message)
  }

  private remove(): Message {
    const message = this.queue.get()
    if (message === undefined) throw new TypeError('The queue has a length, but get() gives nothing')
    this.counted -= message.size
    this.compaction?.taken(message)
    return message
  }

  private drop(message: Message, which: 'newest' | 'oldest'): void {
    message.drop()
    this.flow.onDrop(message, which)
  }
}
