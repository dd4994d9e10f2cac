import type { MqttError } from '../mqtt/errors.js'

/**
 * What a client is doing: nothing, its first attempts to connect, being connected, or coming back after the connection
 * was lost (`reconnect`). It stays `'reconnecting'` from the loss to the next CONNACK.
 */
export type ClientState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting'

/** What `Client.states` tells. */
export interface StateChange {
  /** What the client is doing now. */
  readonly state: ClientState
  /** Why: the loss, or the failure of the attempt before. None for what was asked for. */
  readonly error?: MqttError
  /** With `'connected'`: whether the broker still had the session. MQTT 3.1 has no word for it: false. */
  readonly sessionPresent?: boolean
  /** The number of the attempt that comes next, counted from 1 since the loss. */
  readonly attempt?: number
}

/** Changes that are kept for those who are late to read them. */
const KEPT = 100

type Result = IteratorResult<StateChange, undefined>

interface Waiter {
  readonly view: StatesIterator
  readonly resolve: (result: Result) => void
}

/** The last changes of a client's state, for any number of views, none of which it knows while nobody waits. */
export class StateLog {
  state: ClientState = 'disconnected'
  /** How many there have been. */
  count = 0
  private readonly kept: StateChange[] = []
  private waiters: Waiter[] = []

  add(change: StateChange): void {
    this.state = change.state
    this.count++
    this.kept.push(change)
    if (this.kept.length > KEPT) this.kept.shift()
    this.waiters = this.waiters.filter(({ view, resolve }) => {
      const result = view.take()
      if (result !== null) resolve(result)
      return result === null
    })
  }

  /**
   * The change with this number, or the oldest one that is left of the later ones.
   * @returns null when there is none yet
   */
  read(number: number): { change: StateChange; next: number } | null {
    const oldest = this.count - this.kept.length
    const at = Math.max(number, oldest)
    const change = this.kept[at - oldest]
    return change === undefined ? null : { change, next: at + 1 }
  }

  /** Resolves to what `view.take()` gives when there is another change. */
  wait(view: StatesIterator): Promise<Result> {
    return new Promise((resolve) => {
      this.waiters.push({ view, resolve })
    })
  }

  /** Ends what a view waits for. */
  leave(view: StatesIterator): void {
    const left = this.waiters.filter((waiter) => waiter.view === view)
    this.waiters = this.waiters.filter((waiter) => waiter.view !== view)
    for (const { resolve } of left) resolve({ value: undefined, done: true })
  }
}

/**
 * A view of the changes of a client's state, each of them in order, from when the view was made on; of one who does
 * not read them the last 100 are kept. It never ends by itself, also not at `disconnect()`, since the client may
 * connect again; `return()` (leaving a `for await` loop) ends it. Waiting for a change does not keep the program alive.
 */
export class StatesIterator implements AsyncIterableIterator<StateChange, undefined> {
  readonly #log: StateLog
  /** The number of the next change. */
  #next: number
  #isOver = false

  /** @internal */
  constructor(log: StateLog) {
    this.#log = log
    this.#next = log.count
  }

  /** The next change. */
  next(): Promise<IteratorResult<StateChange, undefined>> {
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true })
    const result = this.take()
    return result === null ? this.#log.wait(this) : Promise.resolve(result)
  }

  /** Ends this view, and its `next()` calls that are pending. */
  return(): Promise<IteratorResult<StateChange, undefined>> {
    this.#isOver = true
    this.#log.leave(this)
    return Promise.resolve({ value: undefined, done: true })
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next change, if there is one. @internal */
  take(): IteratorYieldResult<StateChange> | null {
    const read = this.#log.read(this.#next)
    if (read === null) return null
    this.#next = read.next
    return { value: read.change, done: false }
  }
}
