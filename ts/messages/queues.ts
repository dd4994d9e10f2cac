import { describeType, typeError } from '../support/validate.js'

/**
 * What a queue of incoming messages must provide. The client calls `get()` only while `length` is not zero, and enforces
 * its bounds itself.
 */
export interface MessageQueue<T> {
  /** Adds a message. */
  put(message: T): void
  /** Removes and returns the next message. */
  get(): T | undefined
  /** Number of messages in the queue. */
  readonly length: number
}

/** What {@link PriorityQueue} sorts by: the packet identifier of a message, 0 for QoS 0. */
export interface Ranked {
  /** The packet identifier. */
  readonly mid: number
}

/** A queue class whose constructor takes no arguments: the option `queueType`. */
export type QueueType = new () => MessageQueue<Ranked>

const SMALLEST_RING = 64

/** First in, first out: the default. A ring whose size follows its contents, so that both ends cost O(1). */
export class FifoQueue<T = Ranked> implements MessageQueue<T> {
  // The size is a power of two, so that a mask wraps the positions.
  #ring: Array<T | undefined> = new Array(SMALLEST_RING)
  #head = 0
  #length = 0

  /** Number of messages in the queue. */
  get length(): number {
    return this.#length
  }

  /** Adds a message. */
  put(message: T): void {
    if (this.#length === this.#ring.length) this.#resize(this.#length * 2)
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = message
    this.#length++
  }

  /** The oldest message, or undefined if there is none. */
  get(): T | undefined {
    if (this.#length === 0) return undefined
    const message = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#length--
    // At a quarter, not at half: a queue that wavers around one length must not be copied each time.
    if (this.#ring.length > SMALLEST_RING && this.#length * 4 <= this.#ring.length) {
      this.#resize(this.#ring.length / 2)
    }
    return message
  }

  /** The messages from the oldest to the newest; they stay. */
  *[Symbol.iterator](): Generator<T, void> {
    for (let index = 0; index < this.#length; index++) {
      yield this.#ring[(this.#head + index) & (this.#ring.length - 1)] as T
    }
  }

  #resize(size: number): void {
    const ring: Array<T | undefined> = new Array(size)
    const mask = this.#ring.length - 1
    for (let index = 0; index < this.#length; index++) {
      ring[index] = this.#ring[(this.#head + index) & mask]
    }
    this.#ring = ring
    this.#head = 0
  }
}

/** Last in, first out: the newest message first. */
export class LifoQueue<T = Ranked> implements MessageQueue<T> {
  readonly #stack: T[] = []

  /** Number of messages in the queue. */
  get length(): number {
    return this.#stack.length
  }

  /** Adds a message. */
  put(message: T): void {
    this.#stack.push(message)
  }

  /** The newest message, or undefined if there is none. */
  get(): T | undefined {
    return this.#stack.pop()
  }
}

/**
 * The lowest message first, as `compare()` defines it: by `mid`, as in Python, so that QoS 0 comes first. Override
 * `compare()` for another order. Messages that compare equal leave in the order of their arrival.
 */
export class PriorityQueue<T extends Ranked = Ranked> implements MessageQueue<T> {
  // Two heaps in step: the messages, and the order of their arrival, which decides between equals.
  readonly #heap: T[] = []
  readonly #arrivals: number[] = []
  #arrival = 0

  /** Number of messages in the queue. */
  get length(): number {
    return this.#heap.length
  }

  /** Negative if `a` leaves before `b`, positive if after it, 0 if the order of arrival decides. */
  compare(a: T, b: T): number {
    return a.mid - b.mid
  }

  /** Adds a message. */
  put(message: T): void {
    const arrival = this.#arrival++
    let hole = this.#heap.length
    try {
      while (hole > 0) {
        const parent = (hole - 1) >> 1
        if (!this.#isBefore(message, arrival, parent)) break
        this.#move(parent, hole)
        hole = parent
      }
    } finally {
      // A compare() that throws may cost the order, but no message.
      this.#heap[hole] = message
      this.#arrivals[hole] = arrival
    }
  }

  /** The lowest message, or undefined if there is none. */
  get(): T | undefined {
    const least = this.#heap[0]
    const leastArrival = this.#arrivalAt(0)
    const last = this.#heap.pop()
    const arrival = this.#arrivals.pop()
    if (least === undefined || last === undefined || arrival === undefined) return undefined
    if (this.#heap.length === 0) return least
    try {
      this.#sink(last, arrival)
      return least
    } catch (error) {
      this.#heap.push(least)
      this.#arrivals.push(leastArrival)
      throw error
    }
  }

  /** Puts a message in place of the one at the top, and as far down as it belongs. */
  #sink(message: T, arrival: number): void {
    const length = this.#heap.length
    let hole = 0
    try {
      for (;;) {
        let child = hole * 2 + 1
        if (child >= length) break
        const right = child + 1
        if (right < length && this.#isBefore(this.#at(right), this.#arrivalAt(right), child)) child = right
        if (this.#isBefore(message, arrival, child)) break
        this.#move(child, hole)
        hole = child
      }
    } finally {
      this.#heap[hole] = message
      this.#arrivals[hole] = arrival
    }
  }

  #isBefore(message: T, arrival: number, index: number): boolean {
    const order = this.compare(message, this.#at(index))
    return order === 0 ? arrival < this.#arrivalAt(index) : order < 0
  }

  #move(from: number, to: number): void {
    this.#heap[to] = this.#at(from)
    this.#arrivals[to] = this.#arrivalAt(from)
  }

  #at(index: number): T {
    return this.#heap[index] as T
  }

  #arrivalAt(index: number): number {
    return this.#arrivals[index] as number
  }
}

/**
 * Makes the client's queue.
 * @throws TypeError when `queueType` is no class, or what it makes is no queue
 */
export function createQueue<T extends Ranked>(queueType: QueueType): MessageQueue<T> {
  if (typeof queueType !== 'function') {
    throw typeError(`queueType must be a queue class, not ${describeType(queueType)}`)
  }
  const queue: Partial<MessageQueue<Ranked>> = new queueType()
  if (
    typeof queue.put !== 'function' ||
    typeof queue.get !== 'function' ||
    typeof queue.length !== 'number'
  ) {
    throw typeError('queueType must be a class with the methods put() and get() and the property length')
  }
  return queue as MessageQueue<T>
}
