import type { Runtime } from '../engine/runtime.js'
import { FifoQueue } from '../messages/queues.js'
import type { MqttError } from '../mqtt/errors.js'
import { queueFull } from './local-errors.js'
import { CALLER_LEFT, CALLER_WAITS, type Operation, SETTLED, WAITING } from './operation.js'

/** Operations that were given up may stay in the line, up to this many or half of it. */
const MOST_GONE = 64

/** What a client's options say about its calls. */
export interface CallPolicy {
  /** QoS 1 and 2 publishes that may be unacknowledged. */
  readonly maxQueuedOutgoingMessages: number
  /** Calls that may be under way. The others wait, first come, first served. */
  readonly maxConcurrentOutgoingCalls: number
  /** Another call is under way, which makes `count` of them. */
  onCall(count: number): void
}

/**
 * The operations of one client, by number, and whose turn it is. A number is used again when the native side is done
 * with it: that is when DONE came, not when the caller gave up. So an operation that was given up still counts as a
 * queued message, as in Python, and its late acknowledgement is absorbed.
 */
export class OperationTable {
  /** QoS 1 and 2 publishes that have had their turn and that the broker has not acknowledged. */
  unacknowledged = 0
  /** By their numbers; 0 is none. */
  private readonly operations: Array<Operation | null> = [null]
  private readonly freeNumbers: number[] = []
  /** Those that wait for their turn. */
  private line = new FifoQueue<Operation>()
  /** Operations in the line that were given up. */
  private gone = 0
  /** Operations that have their turn and whose callers wait. */
  private underWay = 0

  /** @param begin runs an operation whose turn has come */
  constructor(
    private readonly runtime: Runtime,
    private readonly policy: CallPolicy,
    private readonly begin: (operation: Operation) => void,
  ) {}

  /** Operations whose promises are pending. */
  get pending(): number {
    let pending = 0
    for (const operation of this.operations) if (operation?.caller === CALLER_WAITS) pending++
    return pending
  }

  /** Whether the next operation has to wait for its turn. */
  get isBusy(): boolean {
    return this.underWay >= this.policy.maxConcurrentOutgoingCalls
  }

  /** The number for the next operation. */
  get nextNumber(): number {
    return this.freeNumbers.at(-1) ?? this.operations.length
  }

  get(number: number): Operation | null {
    return this.operations[number] ?? null
  }

  /** All there are now, in no order that matters. */
  all(): Operation[] {
    return this.operations.filter((operation) => operation !== null)
  }

  /** @throws {MqttCodeError} `[code:15] Message queue full.`: there is no room for a QoS 1 or 2 publish */
  checkRoom(): void {
    if (this.isFull) throw queueFull()
  }

  /** Takes on an operation with `nextNumber`. */
  add(operation: Operation): void {
    if (operation.number === this.operations.length) this.operations.push(operation)
    else this.operations[this.freeNumbers.pop() as number] = operation
    if (operation.caller === CALLER_WAITS) this.runtime.hold()
  }

  /** Takes on an operation with `nextNumber`, and runs it when its turn comes. */
  enter(operation: Operation): void {
    this.add(operation)
    if (this.isBusy) this.line.put(operation)
    else this.begin(operation)
  }

  /** Its turn has come. */
  takeTurn(operation: Operation): void {
    operation.hasTurn = true
    if (operation.isQueued) this.unacknowledged++
    this.underWay++
    this.policy.onCall(this.underWay)
  }

  /** It ends before its turn has come; its caller is told by the one who knows why. */
  leaveLine(operation: Operation): void {
    this.gone++
    this.drop(operation)
    if (this.gone > MOST_GONE && this.gone * 2 > this.line.length) this.closeGaps()
  }

  /** Its caller waits no longer. */
  endCall(operation: Operation): void {
    this.runtime.deadlines.remove(operation)
    this.runtime.release()
    if (!operation.hasTurn) return
    operation.hasTurn = false
    this.underWay--
    if (this.line.length > 0) this.serveLine()
  }

  /** It ends without an answer: its caller is told, if one waits. @param make makes the error */
  reject(operation: Operation, make: () => MqttError): void {
    const { caller } = operation
    operation.caller = CALLER_LEFT
    if (caller !== CALLER_WAITS) return
    this.endCall(operation)
    operation.fail(make)
  }

  /** It has had its turn, or needed none, and is over: its number is free. */
  remove(operation: Operation): void {
    operation.phase = SETTLED
    if (operation.isQueued) this.unacknowledged--
    this.freeNumber(operation)
  }

  private get isFull(): boolean {
    return this.unacknowledged >= this.policy.maxQueuedOutgoingMessages
  }

  private serveLine(): void {
    while (!this.isBusy) {
      const operation = this.line.get()
      if (operation === undefined) return
      if (operation.phase !== WAITING) {
        this.gone--
      } else if (operation.isQueued && this.isFull) {
        this.drop(operation)
        operation.fail(queueFull)
      } else {
        this.begin(operation)
      }
    }
  }

  private drop(operation: Operation): void {
    operation.phase = SETTLED
    this.freeNumber(operation)
    this.runtime.release()
  }

  private closeGaps(): void {
    const line = new FifoQueue<Operation>()
    for (const operation of this.line) if (operation.phase === WAITING) line.put(operation)
    this.line = line
    this.gone = 0
  }

  private freeNumber(operation: Operation): void {
    this.operations[operation.number] = null
    this.freeNumbers.push(operation.number)
  }
}
