import type { Runtime } from '../engine/runtime.js'
import { type Abortable, listen, unlisten } from '../support/abort-signals.js'
import type { CallSite } from '../support/call-site.js'
import { now } from '../support/clock.js'
import { Timed } from '../support/deadlines.js'
import { timedOut } from './operation.js'

/** A pending `connect()`, `disconnect()` or `request()`: a promise with a deadline, which keeps the event loop alive. */
export class PendingCall<T = void> extends Timed implements Abortable {
  readonly promise: Promise<T>
  private isPending = true
  private resolvePromise!: (value: T) => void
  private rejectPromise!: (reason: unknown) => void

  /**
   * @param timeout seconds, above 0
   * @param site where the call came from
   * @param giveUp the time is up, or the signal fired: must settle the call, a rejection with this reason
   */
  constructor(
    private readonly runtime: Runtime,
    timeout: number,
    private readonly signal: AbortSignal | undefined,
    private readonly site: CallSite,
    private readonly giveUp: (reason: unknown) => void,
  ) {
    super()
    this.promise = new Promise((resolve, reject) => {
      this.resolvePromise = resolve
      this.rejectPromise = reject
    })
    if (signal !== undefined) listen(signal, this)
    runtime.deadlines.add(this, timeout)
    runtime.changed()
    runtime.hold()
  }

  /** Above 0, as long as it is pending. */
  get secondsLeft(): number {
    if (this.deadline === 0) return Infinity
    return Math.max(this.deadline - now(), 1) / 1000
  }

  /** As the other two: nothing if it is settled already. */
  resolve(value: T): void {
    this.release()
    this.resolvePromise(value)
  }

  /** Rejects with an error of ours, whose stack becomes the caller's. */
  fail(error: Error): void {
    this.reject(this.site.attach(error))
  }

  reject(reason: unknown): void {
    this.release()
    this.rejectPromise(reason)
  }

  override expire(): void {
    this.giveUp(this.site.attach(timedOut()))
  }

  abort(reason: unknown): void {
    this.giveUp(reason)
  }

  private release(): void {
    if (!this.isPending) return
    this.isPending = false
    if (this.signal !== undefined) unlisten(this.signal, this)
    this.runtime.deadlines.remove(this)
    this.runtime.release()
  }
}
