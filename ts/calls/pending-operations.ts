import type { Runtime } from '../engine/runtime.js'
import { FifoQueue } from '../messages/queues.js'
import { MqttCodeError, type MqttError } from '../mqtt/errors.js'
import type { CallPolicy } from './calls.js'
import { GIVEN_UP, type Operation, type OperationOwner, PENDING, SETTLED, WAITING } from './operation.js'

/** Paho's code for a full queue of outgoing messages. */
const QUEUE_FULL = 15

/**
 * The operations of one connection, by number. A number is used again when the native side is done with it: that
 * is when DONE came, not when the caller gave up. So an operation that was given up still counts as a queued
 * message, as in Python, and its late acknowledgement is absorbed.
 */
export class PendingOperations implements OperationOwner {
  /** By their numbers; 0 is none. */
  protected readonly operations: Array<Operation | null> = [null]
  protected readonly waiting = new FifoQueue<Operation>()
  /** QoS 1 and 2 publishes that the native side has. */
  protected queued = 0
  /** Operations whose callers wait, without those that wait for their turn. */
  protected calls = 0
  private readonly freeNumbers: number[] = []

  /** @param connection the number of the connection; 0 while there is none */
  constructor(
    protected readonly runtime: Runtime,
    protected connection: number,
    protected readonly policy: CallPolicy,
  ) {}

  /** QoS 1 and 2 publishes that the broker has not acknowledged. */
  get unacknowledged(): number {
    return this.queued
  }

  /** Operations whose promises are pending. */
  get pending(): number {
    let pending = 0
    for (const operation of this.operations) {
      if (operation?.state === WAITING || operation?.state === PENDING) pending++
    }
    return pending
  }

  /** The number for the next operation. */
  get nextNumber(): number {
    return this.freeNumbers.at(-1) ?? this.operations.length
  }

  /** @throws {MqttCodeError} `[code:15] Message queue full.`: there is no room for a QoS 1 or 2 publish */
  checkRoom(): void {
    if (this.isFull) throw queueFull()
  }

  /**
   * Takes on an operation with `nextNumber`.
   * @param start where its command starts, the last one of the batch
   */
  start(operation: Operation, start: number): Promise<unknown> {
    this.register(operation)
    this.runtime.hold()
    if (this.isBusy) {
      operation.command = this.runtime.commands.takeBack(start)
      this.waiting.put(operation)
    } else {
      this.begin(operation)
    }
    return operation.promise
  }

  /**
   * @param _code what DONE says, and
   * @param _bytes what comes with it; they are for those who know more of operations
   * @returns the operation that is done, if its caller still waits; it is up to the connection to settle it
   */
  done(number: number, _code: number, _bytes: Uint8Array): Operation | null {
    const operation = this.operations[number]
    if (operation === null || operation === undefined) return null
    this.freeNumber(operation)
    if (operation.isQueued) this.queued--
    if (operation.state !== PENDING) return null
    this.endCall(operation)
    return operation
  }

  /** PUBREC has come for a QoS 2 publish. */
  received(_number: number): void {}

  giveUp(operation: Operation): void {
    if (operation.state === WAITING) {
      this.drop(operation)
      return
    }
    this.endCall(operation)
    operation.state = GIVEN_UP
    this.runtime.commands.cancel(this.connection, operation.number)
    this.runtime.changed()
  }

  /** The connection is gone: all that is pending fails. */
  failAll(make: () => MqttError): void {
    for (const operation of this.operations) {
      if (operation === null || operation.state === GIVEN_UP) continue
      operation.state = SETTLED
      this.runtime.deadlines.remove(operation)
      this.runtime.release()
      operation.fail(make)
    }
    this.operations.length = 1
    this.freeNumbers.length = 0
    this.queued = 0
  }

  /** Its number is taken. */
  protected register(operation: Operation): void {
    if (operation.number === this.operations.length) this.operations.push(operation)
    else this.operations[this.freeNumbers.pop() as number] = operation
  }

  private get isFull(): boolean {
    return this.queued >= this.policy.maxQueuedOutgoingMessages
  }

  /** Whether the next operation has to wait for its turn. */
  get isBusy(): boolean {
    return this.calls >= this.policy.maxConcurrentOutgoingCalls
  }

  /** Its command is in the batch. */
  protected begin(operation: Operation): void {
    operation.state = PENDING
    if (operation.isQueued) this.queued++
    this.calls++
    this.runtime.deadlines.add(operation, operation.timeout)
    this.runtime.changed()
    this.policy.onCall(this.calls)
  }

  /** Nobody waits for it any longer. */
  protected endCall(operation: Operation): void {
    operation.state = SETTLED
    this.calls--
    this.runtime.deadlines.remove(operation)
    this.runtime.release()
    if (this.waiting.length > 0) this.beginWaiting()
  }

  private beginWaiting(): void {
    while (!this.isBusy) {
      const operation = this.waiting.get()
      if (operation === undefined) return
      if (operation.state !== WAITING) continue
      if (operation.isQueued && this.isFull) {
        this.drop(operation)
        operation.fail(queueFull)
        continue
      }
      this.resume(operation)
    }
  }

  /** Its turn has come. */
  protected resume(operation: Operation): void {
    this.runtime.commands.append(operation.command as Uint8Array)
    operation.command = null
    this.begin(operation)
  }

  /** It ends before its turn has come. */
  protected drop(operation: Operation): void {
    operation.state = SETTLED
    this.freeNumber(operation)
    this.runtime.release()
  }

  protected freeNumber(operation: Operation): void {
    this.operations[operation.number] = null
    this.freeNumbers.push(operation.number)
  }
}

export function queueFull(): MqttCodeError {
  return new MqttCodeError(QUEUE_FULL)
}
