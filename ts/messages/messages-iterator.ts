import type { Message } from '../engine/message.js'
import { Wildcard, type WildcardLike } from '../mqtt/topic.js'
import type { Callable } from '../support/call-site.js'
import { fromCaller } from '../support/call-site.js'
import {
  checkInteger,
  checkKeys,
  checkSignal,
  describeType,
  rangeError,
  typeError,
} from '../support/validate.js'
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

/** Options of `batches()`. */
export interface BatchesOptions {
  /**
   * Maximum number of messages in a batch, above 0.
   * @defaultValue 1024
   */
  max?: number | undefined
  /**
   * Maximum time in seconds that a batch is gathered for if it is not full, from its first message on; 0 turns gathering
   * off. A batch is complete earlier if the queue is full (`maxQueuedIncomingMessages`, `maxQueuedIncomingBytes`), or if
   * the connection ends.
   * @defaultValue 0
   */
  maxWait?: number | undefined
  /**
   * Ends the iteration: `next()` rejects with its reason, and no message is lost.
   * @defaultValue none
   */
  signal?: AbortSignal | undefined
}

const BATCHES_OPTIONS: ReadonlySet<string> = new Set(['max', 'maxWait', 'signal'])

/** Seconds: more than a timer can take (2^31 - 1 ms) is an error. */
const LONGEST_WAIT = 2_147_483

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
      return nextOf(inbox, this, ONE_MESSAGE, options, this.next) as Promise<
        IteratorResult<Message, undefined>
      >
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Messages in batches: all that are queued, or the next to arrive, up to `max`. The fastest way to receive: a batch
   * costs as much as a single message. With `maxWait`, a batch that is not full is gathered for that long.
   * @param options the options, or `max` alone
   * @throws {RangeError | TypeError} an invalid or unknown option
   */
  batches(options: number | BatchesOptions = {}): BatchesIterator {
    try {
      return new BatchesIterator(this.#inbox, checkBatches(options))
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
  readonly #wanted: Wanted

  /** @internal */
  constructor(inbox: Inbox, wanted: Wanted) {
    this.#inbox = inbox
    this.#wanted = wanted
  }

  /**
   * All queued messages, up to `max`, or the next ones to arrive; never an empty batch.
   * @throws {MqttError} `Disconnected during message iteration`
   */
  next(options?: NextOptions): Promise<IteratorResult<Message[], undefined>> {
    try {
      return nextOf(this.#inbox, this, this.#wanted, options, this.next) as Promise<
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

/** What a `next()` asks for. */
interface Wanted {
  /** The most messages, or 0 for one alone. */
  readonly max: number
  /** Milliseconds for which a batch that is not full is gathered. */
  readonly maxWait: number
  /** The iterator's own. */
  readonly signal: AbortSignal | undefined
}

const ONE_MESSAGE: Wanted = { max: 0, maxWait: 0, signal: undefined }

/** @throws what a queue of the user's own throws */
function nextOf(
  inbox: Inbox,
  owner: object,
  { max, maxWait, signal: always }: Wanted,
  options: NextOptions | undefined,
  entry: Callable,
): Promise<IteratorResult<Message | Message[], undefined>> {
  let once: AbortSignal | undefined
  try {
    once = checkNextOptions(options)
  } catch (error) {
    return Promise.reject(fromCaller(error, entry))
  }
  if (always?.aborted) return Promise.reject(always.reason)
  if (once?.aborted) return Promise.reject(once.reason)
  if (inbox.isReady && (maxWait === 0 || inbox.length >= max)) {
    return Promise.resolve({ value: max === 0 ? inbox.take() : inbox.takeBatch(max), done: false })
  }
  if (inbox.isOver) return Promise.resolve({ value: undefined, done: true })
  const failure = inbox.failure()
  if (failure !== null) return Promise.reject(fromCaller(failure, entry))
  return inbox.wait(owner, max, maxWait, signalsOf(always, once), entry)
}

const NO_SIGNALS: readonly AbortSignal[] = []

function signalsOf(always: AbortSignal | undefined, once: AbortSignal | undefined): readonly AbortSignal[] {
  if (always === undefined) return once === undefined ? NO_SIGNALS : [once]
  return once === undefined || once === always ? [always] : [always, once]
}

function checkBatches(options: number | BatchesOptions): Wanted {
  if (typeof options !== 'object' || options === null) {
    return { max: checkInteger('max', options, 1, LARGEST_BATCH), maxWait: 0, signal: undefined }
  }
  checkKeys('MessagesIterator.batches()', options, BATCHES_OPTIONS)
  const { max = USUAL_BATCH, maxWait = 0, signal } = options
  return {
    max: checkInteger('max', max, 1, LARGEST_BATCH),
    maxWait: Math.ceil(checkMaxWait(maxWait) * 1000),
    signal: signal === undefined ? undefined : checkSignal(signal),
  }
}

function checkMaxWait(maxWait: unknown): number {
  if (typeof maxWait !== 'number') {
    throw typeError(`maxWait must be a number of seconds, not ${describeType(maxWait)}`)
  }
  if (!(maxWait >= 0 && maxWait <= LONGEST_WAIT)) {
    throw rangeError(`maxWait must be a number of seconds from 0 to ${LONGEST_WAIT}, not ${maxWait}`)
  }
  return maxWait
}

function checkNextOptions(options: NextOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  checkKeys('MessagesIterator.next()', options, NEXT_OPTIONS)
  return options.signal === undefined ? undefined : checkSignal(options.signal)
}
