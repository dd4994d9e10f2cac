import { type BrokerLimits, refusal } from '../calls/broker-limits.js'
import type { CallPolicy, Calls } from '../calls/calls.js'
import { GIVEN_UP, type Operation, PENDING, SETTLED, timedOut, WAITING } from '../calls/operation.js'
import { PendingOperations, queueFull } from '../calls/pending-operations.js'
import type { PublishCall } from '../calls/publish-arguments.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import {
  CODE_WITHDRAWN,
  COMMAND_PUBLISH,
  COMMAND_SUBSCRIBE,
  COMMAND_UNSUBSCRIBE,
  COMMAND_WORDS,
  MESSAGE_RETAIN,
} from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import { MqttCodeError, MqttError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { type ReasonCode, receivedReasonCode } from '../mqtt/reason-code.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { Callable } from '../support/call-site.js'
import type { PacketLog } from '../telemetry/packet-log.js'
import { FlowList } from './flow-list.js'
import { Journal, type JournalOwner } from './journal.js'
import { OfflineQueue } from './offline-queue.js'
import { PacketIdentifiers } from './packet-identifiers.js'
import { Receipts } from './receipts.js'
import { RememberedSubscriptions } from './remembered-subscriptions.js'
import { SessionOperation, setWord, word } from './session-operation.js'
import { type FlowRecord, keyOf, parse, parseReceipt } from './store-records.js'

/** Paho's code for a call without a connection. */
const NOT_CONNECTED = 4
const TOPIC_ALIAS_INVALID = 148
const PACKET_IDENTIFIER_NOT_FOUND = 146
const FAILURE = 0x80
const OPERATION_WORD = 3
const NO_LIMIT = Number.POSITIVE_INFINITY

/** Publishes that may be partway at once: with more of them Paho would hold back what has no QoS, too. */
const LARGEST_WINDOW = 65533

/**
 * Bytes of repeated publishes that may be unacknowledged at once. They come before all new ones of QoS 1 and 2, but
 * what has no QoS, and subscriptions, must not wait behind all of them in the connection's buffers.
 */
const MOST_REPEATED = 256 * 1024

type MakeError = () => MqttError

/** What a session asks of the connection that carries its calls. */
export interface SessionConnection {
  /** What `Binding.open()` gave. */
  readonly number: number
  /** What the broker does not take; null on MQTT 3.x. */
  readonly limits: BrokerLimits | null
  readonly hasProperties: boolean
  /** Whether calls can be made. */
  readonly isUsable: boolean
}

/** What a connection has in common with the one before. */
export interface Continuity {
  /** The broker still has the session. */
  readonly hasSession: boolean
  /** It has been made by itself, not by `connect()`. */
  readonly isReconnect: boolean
  /** The broker may have forgotten the subscriptions, and is to have them again. */
  readonly mustSubscribe: boolean
}

/**
 * The calls of a client that outlive its connections (`reconnect`, `offlineQueue`, `store`), and what MQTT calls the
 * session state of a client: publishes of QoS 1 and 2 that are not acknowledged, in their order, with their packet
 * identifiers; and the subscriptions.
 *
 * A publish of QoS 1 or 2 is kept, encoded, until it is acknowledged. Each connection is given all of them from the
 * first one on, at most `maxInflightMessages` and the broker's Receive Maximum at a time, whose packet identifiers are
 * chosen here: as repetitions (DUP) if the broker has the session, as new ones if not. A QoS 2 publish whose PUBREC has
 * come goes on with PUBREL. One that its caller gave up is not sent again; if it is of QoS 2 and was sent, its flow is
 * completed by PUBREL, or the broker would take the next message with that identifier for its repetition.
 *
 * With a store PUBREL waits until the store knows that only the second half is left: a program that ends in between would
 * find the message there, and send what the broker has passed on already a second time.
 */
export class Session extends PendingOperations implements Calls, JournalOwner {
  private open: SessionConnection | null = null
  /** There is no connection, but there will be one: calls may wait for it. */
  private isGap = false
  private readonly flows = new FlowList()
  /** QoS 2 flows of which the second half is left, in the order of their PUBREC (MQTT-4.6.0-4). */
  private readonly released = new Set<SessionOperation>()
  /** Those of them whose PUBREL waits until the store knows them, in the same order. */
  private unreleased: SessionOperation[] = []
  /** SUBSCRIBE and UNSUBSCRIBE that are not answered. */
  private readonly filters = new Set<SessionOperation>()
  /** Publishes of QoS 0 that wait for a connection. */
  private readonly held = new Set<SessionOperation>()
  private readonly identifiers = new PacketIdentifiers()
  private readonly subscriptions = new RememberedSubscriptions()
  private readonly offline: OfflineQueue | null
  private readonly journal: Journal | null
  /** Incoming messages of QoS 2, as the store has them; null without one. */
  readonly receipts: Receipts | null
  private isLoaded = false

  private window = 0
  /** Flows that the connection has. */
  private inflight = 0
  /** Flows that have their place in the window and are not sent yet. */
  private prepared = 0
  /** Bytes of repeated publishes that the connection has. */
  private repeating = 0

  constructor(
    runtime: Runtime,
    private readonly settings: ClientSettings,
    policy: CallPolicy,
    private readonly log: PacketLog | null,
  ) {
    super(runtime, 0, policy)
    const { offlineQueue, store } = settings
    this.offline = offlineQueue === null ? null : new OfflineQueue(offlineQueue)
    this.journal = store === null ? null : new Journal(store, this)
    this.receipts = this.journal === null ? null : new Receipts(this.journal)
  }

  publish(call: PublishCall, timeout: number, entry: Callable): Promise<void> {
    const { qos, topic } = call
    if (timeout <= 0) throw timedOut()
    const isOffline = this.checkPublishable(call)
    if (qos > 0) this.checkRoom()
    const { commands } = this.runtime
    const start = commands.length
    const number = this.nextNumber
    const flags = qos | (call.retain ? MESSAGE_RETAIN : 0)
    commands.publish(this.connection, number, 0, flags, topic, call.encodedProperties, call.payload)
    const command = qos > 0 || this.open === null ? commands.takeBack(start) : null
    const site = this.runtime.callSite(entry)
    const operation = new SessionOperation(this, number, COMMAND_PUBLISH, qos, timeout, call.signal, site, {
      filters: null,
      isPatient: this.offline?.takes(qos) === true && call.timeout === undefined,
      isBound: topic === '',
    })
    operation.command = command
    operation.isChecked = this.open !== null
    this.log?.sendingPublish(call, number, this.settings.protocol === ProtocolVersion.V5)
    if (isOffline) this.startOffline(operation)
    else this.start(operation, start)
    return operation.promise as Promise<void>
  }

  subscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<ReasonCode[]> {
    this.checkUsable()?.limits?.checkSubscribe(call)
    return this.startFilters(COMMAND_SUBSCRIBE, call, timeout, entry) as Promise<ReasonCode[]>
  }

  unsubscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<void> {
    this.checkUsable()?.limits?.checkFiltersSize(call, 0)
    return this.startFilters(COMMAND_UNSUBSCRIBE, call, timeout, entry) as Promise<void>
  }

  /**
   * Takes in what the store has, once; before the first connection.
   * @throws what the store throws
   */
  async load(): Promise<void> {
    const { store } = this.settings
    if (store === null || this.isLoaded) return
    const records: FlowRecord[] = []
    const received: number[] = []
    for await (const record of store.load((text) => this.warn(text))) {
      const identifier = parseReceipt(record)
      if (identifier !== null) received.push(identifier)
      const flow = parse(record)
      if (typeof flow === 'string') this.warn(`The store's record ${record[0]} is ignored: ${flow}`)
      else if (flow !== null) records.push(flow)
    }
    if (this.isLoaded) return
    this.isLoaded = true
    for (const identifier of received) this.receipts?.restore(identifier)
    for (const record of records) if (record.command === null) this.restore(record)
    // What was published meanwhile comes after what is in the store.
    for (const record of records.toReversed()) if (record.command !== null) this.restore(record)
    this.journal?.begin(records.at(-1)?.sequence ?? 0)
  }

  /** The broker has accepted a connection. */
  connected(connection: SessionConnection, { hasSession, isReconnect, mustSubscribe }: Continuity): void {
    this.open = connection
    this.connection = connection.number
    this.isGap = false
    const { maxInflightMessages } = this.settings
    this.window = Math.min(
      maxInflightMessages,
      connection.limits?.receiveMaximum ?? LARGEST_WINDOW,
      LARGEST_WINDOW,
    )
    if (!hasSession) this.forgetSession()
    this.unreleased = [...this.released]
    this.pumpReleases()
    if (!isReconnect && !hasSession) this.subscriptions.clear()
    if (mustSubscribe) this.resubscribe()
    for (const operation of this.filters) this.submitFilters(operation)
    for (const operation of this.held) this.submitHeld(operation, connection)
    this.held.clear()
    this.flows.rewind()
    this.pump()
  }

  /** The connection is lost, and another one will be made. */
  wait(): void {
    this.isGap = true
  }

  /**
   * There will be no other connection unless `connect()` is called: what is pending rejects. What a store has stays
   * there, and is sent by the next connection; anything else is given up.
   * @param keepsQueue whether the messages of the offline queue wait on
   */
  end(make: MakeError, keepsQueue: boolean): void {
    this.isGap = false
    const pending: SessionOperation[] = []
    for (const each of this.operations) {
      const operation = each as SessionOperation | null
      if (operation === null || (keepsQueue && this.offline?.has(operation))) continue
      if (operation.state === PENDING) pending.push(operation)
      if (operation.state !== WAITING) continue
      this.drop(operation)
      operation.fail(make)
    }
    for (const operation of pending) {
      operation.isKept = this.journal !== null
      this.giveUp(operation)
      operation.fail(make)
    }
  }

  /** Resolves when the store has all that happened so far; null if it has. */
  stored(): Promise<void> | null {
    return this.journal?.stored() ?? null
  }

  override start(operation: SessionOperation, start: number): Promise<unknown> {
    this.register(operation)
    this.runtime.hold()
    if (this.isBusy) {
      operation.command ??= this.runtime.commands.takeBack(start)
      this.waiting.put(operation)
    } else {
      this.begin(operation)
    }
    return operation.promise
  }

  override done(number: number, code: number, bytes: Uint8Array): Operation | null {
    const operation = this.operations[number] as SessionOperation | null | undefined
    if (operation === null || operation === undefined) return null
    if (operation.isQueued) {
      this.inflight--
      if (operation.isRepeated) this.repeating -= operation.size
      operation.isSubmitted = false
      if (code === CODE_WITHDRAWN && operation.isKnown) {
        this.discard(operation)
        this.pump()
        return null
      }
      this.flows.remove(operation)
      this.released.delete(operation)
      this.identifiers.free(operation.identifier)
      this.journal?.delete(operation)
      this.pump()
      if (operation.isContinued && code === PACKET_IDENTIFIER_NOT_FOUND) {
        super.done(number, code, bytes)?.resolve(undefined)
        return null
      }
    } else if (operation.filters !== null) {
      this.filters.delete(operation)
      this.identifiers.free(operation.identifier)
      if (code < CODE_WITHDRAWN) this.answered(operation, operation.filters, bytes)
    }
    return super.done(number, code, bytes)
  }

  /** PUBREC has come for a QoS 2 publish: only its second half is left. */
  override received(number: number): void {
    const operation = this.operations[number] as SessionOperation | null | undefined
    if (operation === null || operation === undefined) return
    if (operation.isRepeated) this.repeating -= operation.size
    this.flows.remove(operation)
    this.release(operation)
    if (this.journal !== null) this.unreleased.push(operation)
  }

  override giveUp(operation: SessionOperation): void {
    if (operation.state === WAITING) {
      this.drop(operation)
      return
    }
    this.endCall(operation)
    operation.state = GIVEN_UP
    this.offline?.remove(operation)
    if (operation.isQueued && operation.isKept) return
    if (operation.isSubmitted) {
      this.runtime.commands.cancel(this.connection, operation.number)
      this.runtime.changed()
    } else if (operation.isQueued) {
      this.discard(operation)
    } else {
      this.held.delete(operation)
      this.filters.delete(operation)
      this.freeNumber(operation)
    }
  }

  /** The connection is lost: what cannot be continued rejects. */
  override failAll(make: MakeError): void {
    if (this.open === null) return
    this.open = null
    this.unreleased = []
    this.connection = this.inflight = this.prepared = this.repeating = 0
    for (const each of [...this.operations]) {
      const operation = each as SessionOperation | null
      if (operation === null || operation.state === WAITING) continue
      const wasSubmitted = operation.isSubmitted
      operation.isSubmitted = operation.isPrepared = operation.isContinued = false
      if (operation.isQueued) this.loseFlow(operation, wasSubmitted, make)
      else if (!wasSubmitted) continue
      else if (operation.filters !== null) this.loseFilters(operation, operation.filters)
      else this.reject(operation, make)
    }
  }

  onStored(): void {
    this.pumpReleases()
    this.pump()
  }

  onRefused(flows: readonly SessionOperation[], cause: unknown): void {
    const make = () => new MqttError('The store failed', { code: 'ERR_MQTT_STORE', cause })
    let isUnheard = false
    for (const flow of flows) {
      if (flow.state !== PENDING || flow.isSubmitted || flow.isReleased) isUnheard = true
      else this.reject(flow, make)
      // Whoever waits for it is not to wait for a store that does not work.
      flow.isReleasable = flow.isReleased
    }
    this.pumpReleases()
    if (isUnheard || flows.length === 0) this.warn(`The store failed: ${cause}`)
  }

  protected override begin(operation: SessionOperation): void {
    operation.isCounted = true
    super.begin(operation)
    if (operation.isPatient && this.open === null) this.runtime.deadlines.remove(operation)
    this.dispatch(operation)
  }

  protected override resume(operation: SessionOperation): void {
    this.begin(operation)
  }

  protected override endCall(operation: SessionOperation): void {
    if (operation.isCounted) {
      super.endCall(operation)
      return
    }
    operation.state = SETTLED
    this.runtime.deadlines.remove(operation)
    this.runtime.release()
  }

  private startOffline(operation: SessionOperation): void {
    this.register(operation)
    this.runtime.hold()
    operation.state = PENDING
    if (operation.isQueued) this.queued++
    if (!operation.isPatient) this.runtime.deadlines.add(operation, operation.timeout)
    this.runtime.changed()
    this.offline?.add(operation)
    this.dispatch(operation)
  }

  private startFilters(kind: number, call: FiltersCall, timeout: number, entry: Callable): Promise<unknown> {
    if (timeout <= 0) throw timedOut()
    const number = this.nextNumber
    const command = this.encodeFilters(kind, number, call)
    this.log?.sendingFilters(kind === COMMAND_SUBSCRIBE, call.filters, number)
    const site = this.runtime.callSite(entry)
    const operation = new SessionOperation(this, number, kind, 0, timeout, call.signal, site, {
      filters: call,
      isPatient: false,
      isBound: false,
    })
    operation.command = command
    operation.isChecked = this.open !== null
    return this.start(operation, 0)
  }

  private encodeFilters(kind: number, number: number, call: FiltersCall): Uint8Array {
    const { commands } = this.runtime
    const start = commands.length
    commands.filters(kind, this.connection, number, 0, call.filters, call.encodedProperties)
    return commands.takeBack(start)
  }

  /** An operation for which nobody waits. */
  private internal(kind: number, qos: number, filters: FiltersCall | null): SessionOperation {
    const call = { filters, isPatient: false, isBound: false }
    const number = this.nextNumber
    const operation = new SessionOperation(this, number, kind, qos, NO_LIMIT, undefined, null, call)
    operation.state = GIVEN_UP
    this.register(operation)
    return operation
  }

  /**
   * Whether a publish can be made.
   * @returns whether it goes to the offline queue
   * @throws {MqttError} the broker does not take it, there is no room for it, or no connection
   */
  private checkPublishable(call: PublishCall): boolean {
    const { open, offline } = this
    if (open !== null) {
      if (!open.isUsable) throw new MqttCodeError(NOT_CONNECTED)
      open.limits?.checkPublish(call)
      return false
    }
    if (offline === null ? !this.isGap : !offline.takes(call.qos)) throw new MqttCodeError(NOT_CONNECTED)
    // An alias would mean nothing, or something else, to the next connection.
    if (call.topic === '') throw refusal(TOPIC_ALIAS_INVALID)
    offline?.makeRoom(lengthOf(call), (oldest, why) => this.reject(oldest, why))
    return offline !== null
  }

  /**
   * The connection, for a call; null while it has to wait for one.
   * @throws {MqttCodeError} `[code:4] The client is not currently connected.`
   */
  private checkUsable(): SessionConnection | null {
    const { open } = this
    if (open === null ? !this.isGap : !open.isUsable) throw new MqttCodeError(NOT_CONNECTED)
    return open
  }

  /** Its turn has come: it goes to the connection as soon as there is one that has room for it. */
  private dispatch(operation: SessionOperation): void {
    if (operation.isQueued) {
      this.flows.append(operation)
      this.journal?.put(operation)
      this.pump()
    } else if (operation.filters !== null) {
      this.filters.add(operation)
      this.submitFilters(operation)
    } else if (operation.command === null) {
      operation.isSubmitted = true
    } else if (this.open !== null) {
      this.submit(operation, false)
    } else {
      this.held.add(operation)
    }
  }

  /** Gives the connection as many flows as the window has room for. */
  private pump(): void {
    const { open, flows } = this
    if (open === null || !open.isUsable) return
    while (flows.unprepared !== null && this.inflight + this.prepared < this.window) {
      const flow = flows.unprepared
      flows.unprepared = flow.next
      if (!this.prepare(flow, open)) {
        if (flow.isListed) flows.unprepared = flow
        break
      }
    }
    for (;;) {
      const flow = flows.unsent
      if (flow === null || !flow.isPrepared) break
      if (this.journal !== null && flow.storedIdentifier !== flow.identifier) break
      if (flow.isRepeated && this.repeating >= MOST_REPEATED) break
      flows.unsent = flow.next
      flow.isPrepared = false
      this.prepared--
      this.inflight++
      if (flow.isRepeated) this.repeating += flow.size
      this.submit(flow, flow.isKnown)
    }
  }

  /** @returns false when there is no packet identifier left */
  private prepare(flow: SessionOperation, { limits, hasProperties }: SessionConnection): boolean {
    const refused = thrownBy(() => checkPublish(flow, limits, hasProperties))
    if (refused !== null) {
      if (flow.isKept) this.warn(`A message of the store cannot be sent: ${refused().message}`)
      this.reject(flow, refused)
      return true
    }
    if (flow.identifier === 0) {
      flow.identifier = this.identifiers.take()
      if (flow.identifier === 0) return false
      this.journal?.put(flow)
    }
    flow.isPrepared = true
    this.prepared++
    return true
  }

  private submit(operation: SessionOperation, isDup: boolean): void {
    this.offline?.remove(operation)
    const { runtime } = this
    if (operation.isPatient && operation.state === PENDING && operation.list === null) {
      runtime.deadlines.add(operation, operation.timeout)
    }
    runtime.commands.append(operation.commandFor(this.connection, isDup))
    operation.isSubmitted = true
    if (operation.kind === COMMAND_PUBLISH && operation.qos === 0) operation.command = null
    runtime.changed()
  }

  private submitHeld(publish: SessionOperation, { limits, hasProperties }: SessionConnection): void {
    const refused = thrownBy(() => checkPublish(publish, limits, hasProperties))
    if (refused === null) this.submit(publish, false)
    else this.reject(publish, refused)
  }

  private submitFilters(operation: SessionOperation): void {
    const { open } = this
    if (open === null || operation.isSubmitted) return
    const refused = thrownBy(() => checkFilters(operation, open))
    operation.identifier = this.identifiers.take()
    if (refused !== null || operation.identifier === 0) {
      this.reject(operation, refused ?? queueFull)
      return
    }
    this.submit(operation, false)
  }

  /** Sends the PUBRELs that may be sent, in the order of their PUBRECs (MQTT-4.6.0-4). */
  private pumpReleases(): void {
    if (this.open === null) return
    let count = 0
    for (const flow of this.unreleased) {
      if (!flow.isReleasable && this.released.has(flow)) break
      count++
      if (this.released.has(flow)) this.submitRelease(flow)
    }
    this.unreleased.splice(0, count)
  }

  private submitRelease(flow: SessionOperation): void {
    this.runtime.commands.release(this.connection, flow.number, flow.identifier)
    this.runtime.changed()
    if (flow.isSubmitted) return
    flow.isSubmitted = flow.isContinued = true
    this.inflight++
  }

  /** What the connection was told is without an answer. */
  private loseFlow(flow: SessionOperation, wasSubmitted: boolean, make: MakeError): void {
    flow.isChecked = false
    if (wasSubmitted) flow.isKnown = flow.isRepeated = true
    if (flow.state === GIVEN_UP && !flow.isKept) this.discard(flow)
    else if (wasSubmitted && flow.isBound) this.reject(flow, make)
    else if (flow.isPatient) this.runtime.deadlines.remove(flow)
  }

  private loseFilters(operation: SessionOperation, call: FiltersCall): void {
    this.identifiers.free(operation.identifier)
    operation.identifier = 0
    operation.isChecked = false
    if (operation.state !== GIVEN_UP) return
    // Whoever wanted to be rid of them does not want them renewed.
    if (operation.kind === COMMAND_UNSUBSCRIBE) this.subscriptions.ended(call, null)
    this.filters.delete(operation)
    this.freeNumber(operation)
  }

  /** It ends without an answer. */
  private reject(operation: SessionOperation, make: MakeError): void {
    const isPending = operation.state === PENDING
    if (isPending) this.endCall(operation)
    operation.state = GIVEN_UP
    this.offline?.remove(operation)
    if (operation.isQueued) {
      this.discard(operation)
    } else {
      this.held.delete(operation)
      this.filters.delete(operation)
      this.freeNumber(operation)
    }
    if (isPending) operation.fail(make)
  }

  /** A flow that nobody wants any more: it is forgotten, or completed if the broker may know its identifier. */
  private discard(flow: SessionOperation): void {
    this.flows.remove(flow)
    if (flow.isPrepared) this.prepared--
    flow.isPrepared = false
    if (!flow.isKnown || flow.qos < 2) {
      this.forget(flow)
      return
    }
    if (!flow.isReleased) this.release(flow)
    if (this.open === null) return
    this.unreleased.push(flow)
    this.pumpReleases()
  }

  /** Only the second half of a QoS 2 flow is left. */
  private release(flow: SessionOperation): void {
    flow.isReleased = true
    flow.isReleasable = this.journal === null
    flow.command = null
    this.released.add(flow)
    this.journal?.put(flow)
  }

  private forget(flow: SessionOperation): void {
    this.released.delete(flow)
    this.identifiers.free(flow.identifier)
    this.journal?.delete(flow)
    this.queued--
    this.freeNumber(flow)
  }

  /** The broker has no session: what it has not acknowledged is new to it. */
  private forgetSession(): void {
    for (const flow of this.released) {
      const isPending = flow.state === PENDING
      if (isPending) this.endCall(flow)
      flow.state = GIVEN_UP
      this.forget(flow)
      if (isPending) flow.fail(unknownOutcome)
    }
    for (let flow = this.flows.first; flow !== null; flow = flow.next) flow.isKnown = false
    this.receipts?.clear()
  }

  private resubscribe(): void {
    for (const call of this.subscriptions.all()) {
      const operation = this.internal(COMMAND_SUBSCRIBE, 0, call)
      operation.isKept = true
      operation.command = this.encodeFilters(COMMAND_SUBSCRIBE, operation.number, call)
      this.log?.sendingFilters(true, call.filters, operation.number)
      this.filters.add(operation)
      this.submitFilters(operation)
    }
  }

  /** @param bytes one reason code a filter; none in an UNSUBACK of MQTT 3.x */
  private answered(operation: SessionOperation, call: FiltersCall, bytes: Uint8Array): void {
    if (operation.kind === COMMAND_UNSUBSCRIBE) {
      this.subscriptions.ended(call, bytes)
      return
    }
    this.subscriptions.granted(call, bytes)
    if (!operation.isKept) return
    for (const [index, { filter }] of call.filters.entries()) {
      const code = bytes[index] as number
      if (code < FAILURE) continue
      const why = receivedReasonCode(PacketTypes.SUBACK, code)?.getName() ?? code
      this.warn(`The broker did not renew the subscription to ${filter}: ${why}`)
    }
  }

  private restore({ sequence, identifier, qos, command }: FlowRecord): void {
    const isFree = identifier !== 0 && !this.identifiers.isUsed(identifier)
    if (command === null && !isFree) return
    const flow = this.internal(COMMAND_PUBLISH, qos, null)
    this.queued++
    flow.isKept = true
    flow.key = keyOf(sequence)
    flow.storedIdentifier = 0
    if (isFree) {
      this.identifiers.reserve(identifier)
      flow.identifier = flow.storedIdentifier = identifier
      flow.isKnown = flow.isRepeated = true
    }
    if (command === null) {
      flow.isReleased = flow.isReleasable = true
      this.released.add(flow)
    } else {
      setWord(command, OPERATION_WORD, flow.number)
      flow.command = command
      this.flows.prepend(flow)
    }
  }

  private warn(text: string): void {
    this.settings.logger.warn(text)
  }
}

/**
 * Checks a publish that was not meant for this connection.
 * @throws {MqttCodeError} the broker does not take it
 */
function checkPublish(publish: SessionOperation, limits: BrokerLimits | null, hasProperties: boolean): void {
  const { command, isChecked, qos, contentLength } = publish
  if (isChecked || command === null || limits === null) return
  const isRetained = ((command[5] as number) & MESSAGE_RETAIN) !== 0
  const encodesProperties = !hasProperties || word(command, COMMAND_WORDS + 1) > 0
  limits.checkEncoded(qos, isRetained, encodesProperties, contentLength)
}

/** The same for SUBSCRIBE and UNSUBSCRIBE. */
function checkFilters({ kind, filters, isChecked }: SessionOperation, { limits }: SessionConnection): void {
  if (isChecked) return
  const call = filters as FiltersCall
  if (kind === COMMAND_SUBSCRIBE) limits?.checkSubscribe(call)
  else limits?.checkFiltersSize(call, 0)
}

/** What a check throws, to reject with. */
function thrownBy(check: () => void): MakeError | null {
  try {
    check()
    return null
  } catch (error) {
    return () => error as MqttError
  }
}

/** The bytes of a message's topic, properties and payload. */
function lengthOf({ topic, encodedProperties, payload }: PublishCall): number {
  const payloadLength = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
  return Buffer.byteLength(topic) + (encodedProperties?.length ?? 0) + payloadLength
}

function unknownOutcome(): MqttError {
  return new MqttError(
    'The broker has lost the session between PUBREC and PUBCOMP: whether it has passed the message on is unknown',
  )
}
