import type { Message } from '../engine/message.js'
import { runtime } from '../engine/runtime.js'
import type { TurnTask } from '../engine/turns.js'
import { MqttError } from '../mqtt/errors.js'
import { type Abortable, listen, unlisten } from '../support/abort-signals.js'
import { type Callable, type CallSite, rejection } from '../support/call-site.js'
import { clearTimeout, setTimeout } from '../support/clock.js'
import { BoundedQueue, type QueueBounds } from './bounded-queue.js'
import { createQueue, FifoQueue, type QueueType } from './queues.js'
import { type Grant, MessageSource } from './upstream.js'
import { FilterViews, type Recipient } from './views.js'

/** Those who wait are given so many messages before what they do with them has its time measured. */
const SERVED_AT_ONCE = 8

type Result = IteratorResult<Message | Message[], undefined>

/** A pending `next()`. */
class Waiter implements Abortable {
  /** Until its batch has been gathered long enough. */
  private gathering: NodeJS.Timeout | null = null
  private isDue = false

  constructor(
    private readonly inbox: Inbox,
    /** Who waits, for `return()`. */
    readonly owner: object,
    /** The largest batch wanted, or 0 for a message alone. */
    readonly batch: number,
    /** Milliseconds for which a batch that is not full is gathered, from its first message on. */
    private readonly maxWait: number,
    private readonly signals: readonly AbortSignal[],
    private readonly site: CallSite | null,
    private readonly resolve: (result: Result | Promise<never>) => void,
    private readonly reject: (reason: unknown) => void,
  ) {
    for (const signal of signals) listen(signal, this)
    runtime().hold()
  }

  /** Whether a batch of so many messages is to grow; the time for that runs from now on. */
  gathers(queued: number): boolean {
    if (this.maxWait === 0 || this.isDue || queued >= this.batch) return false
    this.gathering ??= setTimeout(() => this.hurry(), this.maxWait)
    return true
  }

  /** The batch is not to grow any further: there is something in it. */
  hurry(): void {
    this.isDue = true
    runtime().turns.add(this.inbox)
  }

  settle(result: Result): void {
    this.release()
    this.resolve(result)
  }

  fail(make: () => MqttError): void {
    this.release()
    if (this.site === null) this.resolve(rejection(make))
    else this.reject(this.site.attach(make()))
  }

  /** A queue of the user's has thrown. */
  rejectWith(reason: unknown): void {
    this.release()
    this.reject(reason)
  }

  abort(reason: unknown): void {
    this.release()
    this.inbox.withdraw(this)
    this.reject(reason)
  }

  private release(): void {
    if (this.gathering !== null) clearTimeout(this.gathering)
    for (const signal of this.signals) unlisten(signal, this)
    runtime().release()
  }
}

/** What the client's options say about each queue of its incoming messages. */
interface InboxSettings extends QueueBounds {
  readonly queueType: QueueType
  /** Hears what a queue of the user's throws when it is given a message. */
  onQueueThrow?(error: unknown): void
}

/** A message was dropped, the newest or the oldest, because a queue was full. */
type OnDrop = (message: Message, which: 'newest' | 'oldest') => void

/**
 * Incoming messages and who waits for them: a client's, of which all its iterators are views, or those of them that
 * match a filter. The client's outlives connections: what one left is delivered before its end is reported.
 */
export class Inbox implements Recipient, TurnTask {
  readonly takesAlone = false
  /** In the order of their calls. If a message waits as well, `endTurn()` is going to come. */
  private waiters: Waiter[] = []
  /** The queue gives out what it took in, in its order, so that it can be passed by. */
  private readonly isFifo: boolean
  /** Whether this was a filtered part that has been given up, so that nothing comes any more. */
  isOver = false

  private readonly queue: BoundedQueue
  /** Who gets what matches a filter instead; null while there are none. */
  private views: FilterViews | null = null

  /**
   * @param whole what this is a filtered part of; null for a client's own
   * @throws what the constructor of a queue of the user's own throws
   */
  constructor(
    private readonly settings: InboxSettings,
    private readonly onDrop: OnDrop,
    private readonly whole: Inbox | null = null,
    private readonly source: MessageSource = new MessageSource(),
  ) {
    const queue = createQueue<Message>(settings.queueType)
    this.isFifo = queue.constructor === FifoQueue
    this.queue = new BoundedQueue(queue, settings, {
      onDrop,
      onRoom: () => source.refill(),
      onThrow: (error) => settings.onQueueThrow?.(error),
    })
    if (this.queue.isBound) source.bind(this.queue)
  }

  get length(): number {
    return this.queue.length
  }

  /**
   * What waits in the queues of this and of its parts: messages, bytes of their topics, properties and payloads, and those
   * of the memory that they keep alive beyond that.
   */
  get waiting(): { queued: number; bytes: number; slabBytes: number } {
    const all = { queued: this.queue.length, bytes: this.queue.bytes, slabBytes: this.queue.slabBytes }
    for (const part of this.views?.recipients ?? []) {
      if (!(part instanceof Inbox)) continue
      const { waiting } = part
      all.queued += waiting.queued
      all.bytes += waiting.bytes
      all.slabBytes += waiting.slabBytes
    }
    return all
  }

  /** Takes in a message, or drops it if there is no room. */
  push(message: Message): void {
    if (this.whole === null && this.source.isBound) {
      this.takeIn(message)
      this.source.delivered(message.size)
    } else {
      this.takeIn(message)
    }
  }

  private takeIn(message: Message): void {
    if (this.views?.push(message) === true) return
    const { queue } = this
    const waiter = this.waiters[0]
    if (waiter === undefined) {
      queue.put(message)
    } else if (waiter.batch === 0 && queue.length === 0 && this.isFifo) {
      this.waiters.shift()
      waiter.settle({ value: message, done: false })
    } else {
      if (queue.length > 0 && !queue.hasRoomFor(message.size)) this.serveEarly(waiter)
      if (queue.length === 0 || queue.length + 1 === waiter.batch) runtime().turns.add(this)
      queue.put(message)
    }
  }

  /**
   * Whether there is a message to take at once. There is not always one while `length` is not 0: who was here
   * before comes first, and when the time of a turn of the event loop is over the next one has to come, however long
   * the queue is.
   */
  get isReady(): boolean {
    if (this.queue.length === 0 || this.waiters.length > 0) return false
    return !runtime().turns.isOver()
  }

  /** Only while `isReady`. */
  take(): Message {
    return this.queue.take()
  }

  /** Only while `isReady`. */
  takeBatch(most: number): Message[] {
    const { queue } = this
    const length = Math.min(queue.length, most)
    const batch: Message[] = []
    for (let i = 0; i < length; i++) batch.push(queue.take())
    runtime().turns.spend()
    return batch
  }

  /** @returns the error to report when there is no message and none can come; null otherwise */
  failure(): MqttError | null {
    const { hasEnded, cause } = this.source
    return hasEnded && this.queue.length === 0 ? disconnected(cause) : null
  }

  /**
   * Waits for a message, or with `batch` for a batch of at most as many.
   * @param maxWait milliseconds for which a batch that is not full is gathered, from its first message on
   * @param entry the public method that is running
   */
  wait(
    owner: object,
    batch: number,
    maxWait: number,
    signals: readonly AbortSignal[],
    entry: Callable,
  ): Promise<Result> {
    const site = runtime().callSite(entry)
    if (this.queue.length > 0 && this.waiters.length === 0) runtime().turns.add(this)
    return new Promise((resolve, reject) => {
      this.waiters.push(new Waiter(this, owner, batch, maxWait, signals, site, resolve, reject))
    })
  }

  /** Takes a waiter out of the line. */
  withdraw(waiter: Waiter): void {
    this.waiters.splice(this.waiters.indexOf(waiter), 1)
    this.serveOthers()
  }

  /** What matches a filter goes into a part of its own from now on. */
  part(filter: string): Inbox {
    const part = new Inbox(this.settings, this.onDrop, this, this.source)
    if (this.isOver) {
      part.isOver = true
      this.source.unbind(part.queue)
    } else {
      this.divert(filter, part)
    }
    return part
  }

  /** What matches a filter goes to `recipient` from now on. */
  divert(filter: string, recipient: Recipient): void {
    this.views ??= new FilterViews()
    this.views.add(filter, recipient)
  }

  /** Undoes `divert()`. */
  restore(recipient: Recipient): void {
    this.views?.delete(recipient)
    if (this.views?.isEmpty) this.views = null
  }

  /** Ends what `owner` waits for, without a message; a filtered part is given up. */
  leave(owner: object): void {
    if (this.whole !== null) this.giveUp(this.whole)
    else this.dismiss((waiter) => waiter.owner === owner)
  }

  /** Whether those who iterate were told that the last connection is over. */
  get hasEnded(): boolean {
    return this.source.hasEnded
  }

  /** A connection is there, which delivers what it is granted room for. */
  open(grant: Grant): void {
    this.source.open(grant)
  }

  /**
   * The session will send again what the broker has not seen acknowledged: it is taken out of all queues, so that it is
   * not handled twice, and what comes again can be acknowledged.
   */
  withdrawOutstanding(): void {
    this.queue.withdrawOutstanding()
    for (const part of this.views?.recipients ?? []) if (part instanceof Inbox) part.withdrawOutstanding()
  }

  /** The connection has a message that waits for so much room. */
  stalled(bytes: number): void {
    this.source.stalled(bytes)
    if (this.source.isStalled) this.hurry()
  }

  /** Nothing more comes before what there is has been taken. */
  private hurry(): void {
    if (this.queue.length > 0) this.waiters[0]?.hurry()
    for (const part of this.views?.recipients ?? []) if (part instanceof Inbox) part.hurry()
  }

  /** The connection is gone: who waits is told, once there is no message left. */
  close(cause: MqttError | null): void {
    this.source.close(cause)
    this.end(cause)
  }

  end(cause: MqttError | null): void {
    this.serve(Number.POSITIVE_INFINITY)
    const { waiters } = this
    this.waiters = []
    for (const waiter of waiters) waiter.fail(() => disconnected(cause))
    for (const recipient of this.views?.recipients ?? []) recipient.end(cause)
  }

  endTurn(): void {
    this.serve(SERVED_AT_ONCE)
    if (this.waiters.length > 0 && this.queue.length > 0 && !this.isGathering) runtime().turns.add(this)
  }

  /** Whether the first waiter's batch is to grow; when nothing more can come, what there is is the batch. */
  private get isGathering(): boolean {
    const { source, queue } = this
    if (source.hasEnded || source.isStalled || queue.isFull) return false
    return this.waiters[0]?.gathers(queue.length) === true
  }

  /** Gives this part and its own parts up, with what is in their queues. */
  private giveUp(whole: Inbox): void {
    if (this.isOver) return
    this.isOver = true
    whole.restore(this)
    for (const part of [...(this.views?.recipients ?? [])]) if (part instanceof Inbox) part.giveUp(this)
    this.queue.clear()
    this.source.unbind(this.queue)
    this.dismiss(() => true)
  }

  private dismiss(leaves: (waiter: Waiter) => boolean): void {
    const left = this.waiters.filter(leaves)
    if (left.length === 0) return
    this.waiters = this.waiters.filter((waiter) => !leaves(waiter))
    for (const waiter of left) waiter.settle({ value: undefined, done: true })
    this.serveOthers()
  }

  /** Somebody waits no longer, whose batch was perhaps gathered while others waited as well. */
  private serveOthers(): void {
    if (this.waiters.length > 0 && this.queue.length > 0) runtime().turns.add(this)
  }

  /** A message comes for which the queue has no room before the first waiter's batch is taken. */
  private serveEarly(waiter: Waiter): void {
    waiter.hurry()
    if (!this.isGathering) this.serve(1)
  }

  /** Gives what is queued to who waits, first come, first served. */
  private serve(most: number): void {
    for (let left = most; left > 0 && this.waiters.length > 0 && this.queue.length > 0; left--) {
      const waiter = this.waiters[0] as Waiter
      if (this.isGathering) return
      this.waiters.shift()
      try {
        const value = waiter.batch === 0 ? this.take() : this.takeBatch(waiter.batch)
        waiter.settle({ value, done: false })
      } catch (error) {
        waiter.rejectWith(error)
      }
    }
  }
}

function disconnected(cause: MqttError | null): MqttError {
  return new MqttError('Disconnected during message iteration', {
    code: 'ERR_MQTT_DISCONNECTED',
    cause: cause ?? undefined,
  })
}
