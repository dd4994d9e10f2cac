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
 * A view of the client's queue of incoming messages; aiomqtt's `MessagesIterator`. Views share the queue: a
 * message goes to whoever asked first. Leaving a `for await` loop closes nothing, and loses nothing.
 *
 * When the connection is gone, what is queued is delivered first, then `next()` rejects with an `MqttError`
 * "Disconnected during message iteration", whose `cause` says why unless it was a clean end. After the next
 * `connect()` the same view goes on. Before the first one it waits.
 *
 * What `filter()` makes is a view of a part of the messages instead, with a queue of its own.
 */
export class MessagesIterator implements AsyncIterableIterator<Message, undefined> {
  readonly #inbox: Inbox

  /** @internal */
  constructor(inbox: Inbox) {
    this.#inbox = inbox
  }

  /** The number of messages in its queue: the client's, or that of `filter()`. */
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
   * Messages in batches, for those who need the last drop of speed: all that are queued, or the next that come,
   * `max` at most. One batch costs what one message costs.
   * @param max above 0; 1,024 unless given
   * @throws {RangeError | TypeError} `max` is no such number
   */
  batches(max: number = USUAL_BATCH): BatchesIterator {
    try {
      return new BatchesIterator(this.#inbox, checkInteger('max', max, 1, LARGEST_BATCH))
    } catch (error) {
      throw fromCaller(error, this.batches)
    }
  }

  /**
   * A view of the messages to come that match a filter, with a queue and bounds of its own: those of the client's
   * options. A message goes to every such view that matches it, as one object, and this view gets what none of them
   * took. What is in its queue already stays there. Subscribing is another matter.
   *
   * The view lives until its `return()`, which leaving a `for await` loop calls, too; what it still holds is dropped
   * then. One that nobody reads fills up: it drops messages, or, with `overflow: 'backpressure'`, holds up all others.
   * @param wildcard as in `Topic.matches()`, so the first two levels of `$share/name/filter` do not count
   * @throws {TypeError | RangeError} it is no wildcard
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
   * Ends the `next()` calls of this view that are pending. A view that `filter()` made is over then, with all its
   * iterators and views, and drops what it still holds; another one can be used again, and loses nothing.
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

/** What `MessagesIterator.batches()` gives: a view of the same queue that takes many messages at once. */
export class BatchesIterator implements AsyncIterableIterator<Message[], undefined> {
  readonly #inbox: Inbox
  readonly #max: number

  /** @internal */
  constructor(inbox: Inbox, max: number) {
    this.#inbox = inbox
    this.#max = max
  }

  /**
   * All messages that are queued, `max` at most, or the next ones that come; never an empty batch.
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
