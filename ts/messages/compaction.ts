import type { Message } from '../engine/message.js'

/** Room for messages that were moved, in bytes. */
const SHELF_SIZE = 16 * 1024

/**
 * Messages that wait keep the slabs alive in which they came, whole. Where few of a slab's messages wait in a queue (a
 * view of a rare topic, or what many views leave over), they are moved together when the next slab has begun, so that
 * what is kept alive is no more than twice what waits.
 */
export class Compaction {
  /** Where the last messages are. */
  private slab: Buffer | null = null
  /** Bytes of the messages in that slab that were put in the queue. */
  private used = 0
  /** Those messages, as long as they are less than half of it. */
  private sparse: Message[] = []

  private shelf = Buffer.alloc(0)
  private shelfUsed = 0

  /**
   * A message is put in the queue.
   * @param waiting messages that are in it before
   */
  note(message: Message, waiting: number): void {
    const { slab } = message
    if (slab !== this.slab) {
      if (this.sparse.length > 0) this.move(waiting)
      this.slab = slab
      this.used = 0
    }
    const isSparse = this.used * 2 < slab.length
    this.used += message.heldBytes
    if (this.used * 2 < slab.length) this.sparse.push(message)
    else if (isSparse) this.sparse = []
  }

  /** Moves those that still wait, the newest ones; the others were taken. */
  private move(waiting: number): void {
    const { sparse } = this
    this.sparse = []
    for (const message of sparse.slice(Math.max(0, sparse.length - waiting))) {
      const length = message.heldBytes
      if (this.shelf.length - this.shelfUsed < length) {
        this.shelf = Buffer.allocUnsafeSlow(Math.max(length, SHELF_SIZE))
        this.shelfUsed = 0
      }
      message.move(this.shelf, this.shelfUsed)
      this.shelfUsed += length
    }
  }
}
