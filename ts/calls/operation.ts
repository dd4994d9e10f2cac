import { COMMAND_PUBLISH } from '../engine/binding.js'
import { MqttError } from '../mqtt/errors.js'
import { type Abortable, listen, unlisten } from '../support/abort-signals.js'
import { type CallSite, rejection } from '../support/call-site.js'
import { Timed } from '../support/deadlines.js'

// Where an operation is on its way. What the present connection was given is SENT, RECEIVED or RELEASED; the two last
// are phases of QoS 2 publishes that outlive the connection: of the others only the engine knows how far they are.

/** For its turn: as many calls are under way as may be (`maxConcurrentOutgoingCalls`). */
export const WAITING = 0
/** For a connection, or for its place in the connection's window. */
export const QUEUED = 1
/** It has its place in the window and its packet identifier, which the store may still have to take in. */
export const PREPARED = 2
/** The connection was given it. */
export const SENT = 3
/** PUBREC has come, or nobody wants it any more: only the second half is left, which begins with PUBREL. */
export const RECEIVED = 4
/** The connection was given PUBREL. */
export const RELEASED = 5
/** It is over. */
export const SETTLED = 6

type Phase =
  | typeof WAITING
  | typeof QUEUED
  | typeof PREPARED
  | typeof SENT
  | typeof RECEIVED
  | typeof RELEASED
  | typeof SETTLED

// Who wants to know how it ends.

/** Its caller: the promise is pending. */
export const CALLER_WAITS = 0
/** Nobody, since the promise was rejected: it is withdrawn if it can be. */
export const CALLER_LEFT = 1
/** Nobody, and it is carried out all the same: the store has it, or it renews a subscription. */
export const NO_CALLER = 2

type Caller = typeof CALLER_WAITS | typeof CALLER_LEFT | typeof NO_CALLER

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
  phase: Phase = WAITING
  caller: Caller = CALLER_WAITS
  /** It is one of the calls that are under way. */
  hasTurn = false
  readonly promise: Promise<unknown>
  private readonly resolvePromise: Resolve
  private readonly rejectPromise: Reject

  /**
   * @param number names it on the native boundary
   * @param kind the command: `COMMAND_…`
   * @param site where the call came from, if it was taken down (see call-site.ts)
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

  /** A filter that the broker refuses is no answer to it, but a failure; it has one filter. */
  get rejectsRefusal(): boolean {
    return false
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
