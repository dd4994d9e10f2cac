import type { Message } from '../engine/message.js'
import { Wildcard, type WildcardLike } from '../mqtt/topic.js'
import type { Callable } from '../support/call-site.js'
import { fromCaller } from '../support/call-site.js'
import { checkInteger, checkKeys, checkSignal } from '../support/validate.js'
import type { Inbox } from './inbox.js'

/** Options of `next()`. */
export interface NextOptions {
  /**
   * Stops waiting, and rejects with its reason; no message is lost.
   * @defaultValue none
   */
  signal?: AbortSignal
}

const NEXT_OPTIONS: ReadonlySet<string> = new Set(['signal'])

/** A batch's size unless the caller says otherwise. */
const USUAL_BATCH = 1024

const LARGEST_BATCH = 2 ** 31 - 1

/**
 * A view of the client's queue of received messages; aiomqtt's `MessagesIterator`. All views share the queue: each
 * message goes to the caller that asked first. Leaving a `for await` loop neither closes the view nor loses a message.
 *
 * When the connection has ended, queued messages are delivered first; then `next()` rejects with an `MqttError`
 * "Disconnected during message iteration", whose `cause` is the reason (none after `disconnect()`). The same view
 * continues after the next `connect()`, and waits before the first one.
 *
 * `filter()` returns a view of the matching messages, with its own queue.
 */
export class MessagesIterator implements AsyncIterableIterator<Message, undefined> {
  readonly #inbox: Inbox

  /** @internal */
  constructor(inbox: Inbox) {
    this.#inbox = inbox
  }

  /** Number of messages in the queue: the client's, or that of `filter()`. */
  get length(): number {
    return this.#inbox.length
  }

  /**
   * The next message, as soon as there is one.
   * @throws {MqttError} `Disconnected during message iteration`
   */
  next(options?: NextOptions): Promise<IteratorResult<Message, undefined>> {
    try {
      const inbox = this.#inbox
      // Written by hand, with no generator: most calls find a message, and cost a fifth of a generator's.
      if (options === undefined && inbox.isReady) {
        return Promise.resolve({ value: inbox.take(), done: false })
      }
      return nextOf(inbox, this, 0, options, this.next) as Promise<IteratorResult<Message, undefined>>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Messages in batches: all that are queued, or the next to arrive, up to `max`. The fastest way to receive: a batch
   * costs as much as a single message.
   * @param max maximum messages per batch, 1 or more; 1,024 by default
   * @throws {RangeError | TypeError} invalid `max`
   */
  batches(max: number = USUAL_BATCH): BatchesIterator {
    try {
      return new BatchesIterator(this.#inbox, checkInteger('max', max, 1, LARGEST_BATCH))
    } catch (error) {
      throw fromCaller(error, this.batches)
    }
  }

  /**
   * A view of future messages that match a filter, with its own queue, limited as the client's options say. A message goes
   * to every view that matches it, as the same object; `client.messages` receives the messages that match none. Messages
   * already queued stay where they are. A filter does not subscribe.
   *
   * The view lives until its `return()`, which leaving a `for await` loop calls, too; messages left in its queue are then
   * dropped. A view that nobody reads fills up: it drops messages or, with `overflow: 'backpressure'`, blocks all others.
   * @param wildcard as in `Topic.matches()`, so the first two levels of `$share/name/filter` do not count
   * @throws {TypeError | RangeError} invalid wildcard
   */
  filter(wildcard: WildcardLike): MessagesIterator {
    try {
      const { value } = wildcard instanceof Wildcard ? wildcard : new Wildcard(wildcard)
      return new MessagesIterator(this.#inbox.part(value))
    } catch (error) {
      throw fromCaller(error, this.filter)
    }
  }

  /**
   * Ends the pending `next()` calls of this view. A view made by `filter()` is then over, with all its iterators and views,
   * and drops its queued messages; any other view can be used again, and loses nothing.
   */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#inbox.leave(this)
    return { value: undefined, done: true }
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this
  }
}

/** The result of `MessagesIterator.batches()`: a view of the same queue that takes several messages at once. */
export class BatchesIterator implements AsyncIterableIterator<Message[], undefined> {
  readonly #inbox: Inbox
  readonly #max: number

  /** @internal */
  constructor(inbox: Inbox, max: number) {
    this.#inbox = inbox
    this.#max = max
  }

  /**
   * All queued messages, up to `max`, or the next ones to arrive; never an empty batch.
   * @throws {MqttError} `Disconnected during message iteration`
   */
  next(options?: NextOptions): Promise<IteratorResult<Message[], undefined>> {
    try {
      return nextOf(this.#inbox, this, this.#max, options, this.next) as Promise<
        IteratorResult<Message[], undefined>
      >
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** As `MessagesIterator.return()`. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#inbox.leave(this)
    return { value: undefined, done: true }
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this
  }
}

/**
 * @param batch the most messages wanted, or 0 for one alone
 * @throws what a queue of the user's own throws
 */
function nextOf(
  inbox: Inbox,
  owner: object,
  batch: number,
  options: NextOptions | undefined,
  entry: Callable,
): Promise<IteratorResult<Message | Message[], undefined>> {
  let signal: AbortSignal | undefined
  try {
    signal = checkNextOptions(options)
  } catch (error) {
    return Promise.reject(fromCaller(error, entry))
  }
  if (signal?.aborted) return Promise.reject(signal.reason)
  if (inbox.isReady) {
    return Promise.resolve({ value: batch === 0 ? inbox.take() : inbox.takeBatch(batch), done: false })
  }
  if (inbox.isOver) return Promise.resolve({ value: undefined, done: true })
  const failure = inbox.failure()
  if (failure !== null) return Promise.reject(fromCaller(failure, entry))
  return inbox.wait(owner, batch, signal, entry)
}

function checkNextOptions(options: NextOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  checkKeys('MessagesIterator.next()', options, NEXT_OPTIONS)
  return options.signal === undefined ? undefined : checkSignal(options.signal)
}
