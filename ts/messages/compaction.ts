import type { Message } from '../engine/message.js'
import type { SlabResident, Slabs } from '../engine/slabs.js'

/** The most room that is made for messages that are moved one by one, in bytes. */
const SHELF_SIZE = 16 * 1024

/**
 * Messages that wait keep the slabs alive in which they came, whole. Where little of a slab waits in a queue (a view of a
 * rare topic, what many views leave over), what does is moved, so that what is kept alive is no more than twice what
 * waits.
 */
export interface Compaction {
  /** A message was put in the queue. */
  put(message: Message): void
  /** A message has left the queue. */
  taken(message: Message): void
  /**
   * Memory that these messages keep alive beyond their own bytes, apart from the slab that is being filled.
   * @param messages the queue, in its order
   */
  excess(messages: Iterable<Message>): number
}

/** Where messages are moved to: blocks that are no larger than what waits. */
class Shelf {
  private block = Buffer.alloc(0)
  private used = 0

  /** @param waiting messages in the queue, about as large as these */
  take(messages: readonly Message[], waiting: number): void {
    let left = messages.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
    for (const message of messages) {
      const length = message.heldBytes
      if (this.block.length - this.used < length) {
        this.block = Buffer.allocUnsafeSlow(Math.max(left, Math.min(waiting * length, SHELF_SIZE)))
        this.used = 0
      }
      if (message.move(this.block, this.used)) this.used += length
      left -= length
    }
  }
}

/** For a queue that gives out the oldest message first: a slab is left as it was filled, from its beginning on. */
export class InOrder implements Compaction, SlabResident {
  /** Where the last messages are. */
  private slab: Buffer | null = null
  /** Bytes of the messages in that slab that wait. */
  private used = 0
  /** Those messages, as long as they are less than half of it; the first of them may have been taken. */
  private sparse: Message[] = []
  private readonly shelf = new Shelf()

  /** @param queue where the messages wait */
  constructor(
    private readonly slabs: Slabs,
    private readonly queue: { readonly length: number },
  ) {}

  put(message: Message): void {
    const { heldBytes, slab } = message
    if (heldBytes === 0) return
    if (slab !== this.slab) {
      this.slab = slab
      this.used = 0
      this.sparse = []
      if (slab === this.slabs.current) this.slabs.watch(this)
    } else if (this.queue.length === 1 && this.used > 0) {
      // All that came before it was taken.
      this.used = 0
      if (this.sparse.length > 0) this.sparse = []
    }
    const isSparse = this.used * 2 < slab.length
    this.used += heldBytes
    if (this.used * 2 < slab.length) this.sparse.push(message)
    else if (isSparse) this.sparse = []
  }

  taken(): void {}

  slabFilled(): void {
    const { sparse } = this
    this.slab = null
    this.sparse = []
    // Those that still wait are the newest ones; the others were taken.
    const { length } = this.queue
    this.shelf.take(sparse.slice(Math.max(0, sparse.length - length)), length)
  }

  excess(messages: Iterable<Message>): number {
    let excess = 0
    let last: Buffer | null = null
    for (const { slab, heldBytes } of messages) {
      if (heldBytes === 0 || slab === this.slabs.current) continue
      if (slab !== last) excess += slab.length
      last = slab
      excess -= heldBytes
    }
    return Math.max(excess, 0)
  }
}

/** The messages of one slab that wait. */
class Residents {
  readonly messages = new Set<Message>()
  bytes = 0

  isSparse(slab: Buffer): boolean {
    return this.bytes * 2 < slab.length
  }
}

/** For a queue that gives out its messages in an order of its own: any slab may be left with few of them. */
export class InAnyOrder implements Compaction, SlabResident {
  private readonly slabsOf = new Map<Buffer, Residents>()
  /** What is being filled. */
  private filling: Buffer | null = null

  constructor(private readonly slabs: Slabs) {}

  put(message: Message): void {
    const { heldBytes, slab } = message
    if (heldBytes === 0) return
    let residents = this.slabsOf.get(slab)
    if (residents === undefined) {
      residents = new Residents()
      this.slabsOf.set(slab, residents)
      if (slab === this.slabs.current) {
        this.filling = slab
        this.slabs.watch(this)
      }
    }
    residents.messages.add(message)
    residents.bytes += heldBytes
  }

  taken(message: Message): void {
    const { slab } = message
    const residents = this.slabsOf.get(slab)
    if (residents?.messages.delete(message) !== true) return
    residents.bytes -= message.heldBytes
    if (residents.messages.size === 0) this.slabsOf.delete(slab)
    else if (slab !== this.filling && residents.isSparse(slab)) this.move(slab, residents)
  }

  slabFilled(): void {
    const slab = this.filling
    this.filling = null
    const residents = slab === null ? undefined : this.slabsOf.get(slab)
    if (slab !== null && residents?.isSparse(slab)) this.move(slab, residents)
  }

  excess(): number {
    let excess = 0
    for (const [slab, { bytes }] of this.slabsOf) if (slab !== this.filling) excess += slab.length - bytes
    return excess
  }

  private move(slab: Buffer, residents: Residents): void {
    this.slabsOf.delete(slab)
    const messages = [...residents.messages]
    new Shelf().take(messages, 0)
    // One that somebody has a view of stays where it is, on that one's account.
    for (const message of messages) if (message.slab !== slab) this.put(message)
  }
}
