import { type Abortable, listen, unlisten } from './abort-signals.js'
import { BoundedQueue, type QueueBounds } from './bounded-queue.js'
import { type Callable, type CallSite, MqttError } from './errors.js'
import type { Message } from './message.js'
import { FifoQueue, type MessageQueue } from './queues.js'
import { rejection } from './rejection.js'
import { runtime, type TurnTask } from './runtime.js'

/**
 * Messages taken one after the other without the event loop in between. A queue of any length would otherwise be
 * worked off in microtasks, before any timer or socket has its turn.
 */
const TAKEN_A_TURN = 1024

type Result = IteratorResult<Message | Message[], undefined>

/** A pending `next()`. */
class Waiter implements Abortable {
  constructor(
    private readonly inbox: Inbox,
    /** Who waits, for `return()`. */
    readonly owner: object,
    /** The largest batch wanted, or 0 for a message alone. */
    readonly batch: number,
    private readonly signal: AbortSignal | undefined,
    private readonly site: CallSite | null,
    private readonly resolve: (result: Result | Promise<never>) => void,
    private readonly reject: (reason: unknown) => void,
  ) {
    if (signal !== undefined) listen(signal, this)
    runtime().hold()
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

  abort(reason: unknown): void {
    this.release()
    this.inbox.withdraw(this)
    this.reject(reason)
  }

  private release(): void {
    if (this.signal !== undefined) unlisten(this.signal, this)
    runtime().release()
  }
}

/**
 * A client's incoming messages and who waits for them; all its iterators are views of it. It outlives
 * connections: what one left is delivered before its end is reported.
 */
export class Inbox implements TurnTask {
  /** In the order of their calls. If a message waits as well, `endTurn()` is going to come. */
  private waiters: Waiter[] = []
  /** Messages taken at once since the turn `turn` of the event loop began. */
  private taken = 0
  private turn = 0
  /** The queue gives out what it took in, in its order, so that it can be passed by. */
  private readonly isFifo: boolean
  /** Whether the last connection is over; its reason, if it was not a clean end. */
  private ended = false
  private cause: MqttError | null = null

  private readonly queue: BoundedQueue
  /** Tells the connection to stop reading, or to go on. */
  private pause: (paused: boolean) => void = ignore

  /**
   * @param queue what keeps the messages
   * @param onDrop a message was dropped
   */
  constructor(
    queue: MessageQueue<Message>,
    bounds: QueueBounds,
    onDrop: (which: 'newest' | 'oldest') => void,
  ) {
    this.isFifo = queue.constructor === FifoQueue
    this.queue = new BoundedQueue(queue, bounds, {
      onDrop: (_message, which) => onDrop(which),
      onPause: (paused) => this.pause(paused),
    })
  }

  get length(): number {
    return this.queue.length
  }

  /** Takes in a message, or drops it if there is no room. */
  push(message: Message): void {
    const { queue } = this
    const waiter = this.waiters[0]
    if (waiter === undefined) {
      queue.put(message)
    } else if (waiter.batch === 0 && queue.length === 0 && this.isFifo) {
      this.waiters.shift()
      waiter.settle({ value: message, done: false })
    } else {
      if (queue.length === 0) runtime().afterTurn(this)
      queue.put(message)
    }
  }

  /**
   * Whether there is a message to take at once. There is not always one while `length` is not 0: who was here
   * before comes first, and after many at once the event loop has its turn, however long the queue is.
   */
  get isReady(): boolean {
    if (this.queue.length === 0 || this.waiters.length > 0) return false
    return this.taken < TAKEN_A_TURN || this.isNewTurn()
  }

  /** Only while `isReady`. */
  take(): Message {
    this.taken++
    return this.queue.take()
  }

  /** Only while `isReady`. */
  takeBatch(most: number): Message[] {
    const { queue } = this
    const length = Math.min(queue.length, most)
    const batch: Message[] = []
    for (let i = 0; i < length; i++) batch.push(queue.take())
    this.taken += length
    return batch
  }

  /** @returns the error to report when there is no message and none can come; null otherwise */
  failure(): MqttError | null {
    return this.ended && this.queue.length === 0 ? disconnected(this.cause) : null
  }

  /**
   * Waits for a message, or with `batch` for a batch of at most as many.
   * @param entry the public method that is running
   */
  wait(owner: object, batch: number, signal: AbortSignal | undefined, entry: Callable): Promise<Result> {
    const site = runtime().callSite(entry)
    if (this.queue.length > 0 && this.waiters.length === 0) setImmediate(() => this.endTurn())
    return new Promise((resolve, reject) => {
      this.waiters.push(new Waiter(this, owner, batch, signal, site, resolve, reject))
    })
  }

  /** Takes a waiter out of the line. */
  withdraw(waiter: Waiter): void {
    this.waiters.splice(this.waiters.indexOf(waiter), 1)
  }

  /** Ends what `owner` waits for, without a message. */
  leave(owner: object): void {
    const left = this.waiters.filter((waiter) => waiter.owner === owner)
    if (left.length === 0) return
    this.waiters = this.waiters.filter((waiter) => waiter.owner !== owner)
    for (const waiter of left) waiter.settle({ value: undefined, done: true })
  }

  /**
   * A connection is there.
   * @param pause stops it reading what the broker sends, or lets it go on
   */
  open(pause: (paused: boolean) => void): void {
    this.pause = pause
    if (this.queue.isPaused) pause(true)
    this.ended = false
    this.cause = null
  }

  /** The connection is gone: who waits is told, once there is no message left. */
  close(cause: MqttError | null): void {
    this.pause = ignore
    this.ended = true
    this.cause = cause
    this.serve()
    const { waiters } = this
    this.waiters = []
    for (const waiter of waiters) waiter.fail(() => disconnected(cause))
  }

  endTurn(): void {
    this.taken = 0
    this.serve()
  }

  private isNewTurn(): boolean {
    const { turn } = runtime()
    if (turn === this.turn) return false
    this.turn = turn
    this.taken = 0
    return true
  }

  /** Gives what is queued to who waits, first come, first served. */
  private serve(): void {
    while (this.waiters.length > 0 && this.queue.length > 0) {
      const waiter = this.waiters.shift() as Waiter
      const value = waiter.batch === 0 ? this.take() : this.takeBatch(waiter.batch)
      waiter.settle({ value, done: false })
    }
  }
}

function ignore(): void {}

function disconnected(cause: MqttError | null): MqttError {
  return new MqttError('Disconnected during message iteration', {
    code: 'ERR_MQTT_DISCONNECTED',
    cause: cause ?? undefined,
  })
}
