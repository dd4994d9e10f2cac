import { type Abortable, listen, unlisten } from './abort-signals.js'
import { Timed } from './deadlines.js'
import type { CallSite, MqttError } from './errors.js'
import { timedOut } from './operation.js'
import type { Runtime } from './runtime.js'

/** A pending `connect()` or `disconnect()`: a promise with a deadline, which keeps the event loop alive. */
export class PendingCall extends Timed implements Abortable {
  readonly promise: Promise<void>
  private resolvePromise!: () => void
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

  resolve(): void {
    this.release()
    this.resolvePromise()
  }

  /** Rejects with an error of ours, whose stack becomes the caller's. */
  fail(error: MqttError): void {
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
    if (this.signal !== undefined) unlisten(this.signal, this)
    this.runtime.deadlines.remove(this)
    this.runtime.release()
  }
}
