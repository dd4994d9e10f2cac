import { COMMAND_PUBLISH } from '../engine/binding.js'
import { MqttError } from '../mqtt/errors.js'
import { type Abortable, listen, unlisten } from '../support/abort-signals.js'
import { type CallSite, rejection } from '../support/call-site.js'
import { Timed } from '../support/deadlines.js'

/** It has not been submitted: it waits for one of `maxConcurrentOutgoingCalls`. */
export const WAITING = 0
/** It has been submitted and its promise is pending. */
export const PENDING = 1
/** Its promise has been rejected; what was submitted may still be under way. */
export const GIVEN_UP = 2
/** It is over. */
export const SETTLED = 3

export type OperationState = typeof WAITING | typeof PENDING | typeof GIVEN_UP | typeof SETTLED

/** Settles an operation's promise; whoever owns the operation does it through this. */
export interface OperationOwner {
  /** The caller waits no longer: its time is up, or its signal fired. */
  giveUp(operation: Operation): void
}

type Resolve = (value: unknown) => void
type Reject = (error: unknown) => void

let resolveLast: Resolve
let rejectLast: Reject

/** One for all promises, so that none needs a closure of its own. */
function capture(resolve: Resolve, reject: Reject): void {
  resolveLast = resolve
  rejectLast = reject
}

/** One publish, subscribe or unsubscribe call, from its validation until it is over. */
export class Operation extends Timed implements Abortable {
  state: OperationState = WAITING
  /** The command, as long as the operation waits. */
  command: Uint8Array | null = null
  readonly promise: Promise<unknown>
  private readonly resolvePromise: Resolve
  private readonly rejectPromise: Reject

  /**
   * @param number names it on the native boundary
   * @param kind the command: `COMMAND_…`
   * @param site where the call came from, if it was taken down (see rejection.ts)
   */
  constructor(
    private readonly owner: OperationOwner,
    readonly number: number,
    readonly kind: number,
    readonly qos: number,
    readonly timeout: number,
    private readonly signal: AbortSignal | undefined,
    private readonly site: CallSite | null,
  ) {
    super()
    this.promise = new Promise(capture)
    this.resolvePromise = resolveLast
    this.rejectPromise = rejectLast
    if (signal !== undefined) listen(signal, this)
  }

  /** Whether it counts for `maxQueuedOutgoingMessages`. */
  get isQueued(): boolean {
    return this.kind === COMMAND_PUBLISH && this.qos > 0
  }

  resolve(value: unknown): void {
    this.unlisten()
    this.resolvePromise(value)
  }

  /** @param make makes the error, on the stack of who waits for it */
  fail(make: () => MqttError): void {
    this.unlisten()
    if (this.site === null) this.resolvePromise(rejection(make))
    else this.rejectPromise(this.site.attach(make()))
  }

  abort(reason: unknown): void {
    this.owner.giveUp(this)
    this.rejectPromise(reason)
  }

  override expire(): void {
    this.owner.giveUp(this)
    this.fail(timedOut)
  }

  private unlisten(): void {
    if (this.signal !== undefined) unlisten(this.signal, this)
  }
}

/** Python's error for whatever took too long. */
export function timedOut(): MqttError {
  return new MqttError('Operation timed out', { code: 'ERR_MQTT_TIMEOUT' })
}
