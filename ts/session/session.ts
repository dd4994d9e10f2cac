import { FAILURE, settle } from '../calls/answers.js'
import { aliasRefusal } from '../calls/broker-limits.js'
import { notConnected } from '../calls/local-errors.js'
import {
  CALLER_LEFT,
  CALLER_WAITS,
  NO_CALLER,
  Operation,
  type OperationOwner,
  PREPARED,
  QUEUED,
  RECEIVED,
  RELEASED,
  SENT,
  SETTLED,
  timedOut,
  WAITING,
} from '../calls/operation.js'
import { type CallPolicy, OperationTable } from '../calls/operation-table.js'
import type { PublishCall } from '../calls/publish-arguments.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import {
  COMMAND_PUBLISH,
  COMMAND_SUBSCRIBE,
  COMMAND_UNSUBSCRIBE,
  MESSAGE_RETAIN,
  PUBLISH_STAGED,
} from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import type { MqttError } from '../mqtt/errors.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ReasonCode } from '../mqtt/reason-code.js'
import type { ClientSettings } from '../options/client-settings.js'
import { USUAL_DELIVERY_LOSSES } from '../options/reconnect-options.js'
import type { Callable } from '../support/call-site.js'
import type { PacketLog } from '../telemetry/packet-log.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { FilterCall } from './filter-call.js'
import { FilterCalls, type RenewalOwner } from './filter-calls.js'
import { type Content, contentOf, isLarge, KeptPublish, keptContent, sizeOf } from './kept-publish.js'
import { OfflineQueue } from './offline-queue.js'
import { OutgoingFlows } from './outgoing-flows.js'
import { PacketIdentifiers } from './packet-identifiers.js'
import { Receipts } from './receipts.js'
import { type MakeError, publishRefusal } from './refusals.js'
import type { Renewal } from './remembered-subscriptions.js'
import type { Continuity, SessionConnection, SessionEnd } from './session-connection.js'
import { type FlowRecord, keyOf, readStore } from './store-records.js'
import { Suspicion } from './suspicion.js'
import { BoundAliases } from './topic-alias.js'

const NO_PAYLOAD = new Uint8Array(0)

/**
 * The calls of a client, over all its connections, and what MQTT calls the session state of a client.
 *
 * Whether calls outlive the connection (`reconnect`, `offlineQueue`, `store`) decides what a loss does. If they do,
 * publishes of QoS 1 and 2 are kept until they are acknowledged (`OutgoingFlows`), SUBSCRIBEs and UNSUBSCRIBEs are sent
 * again (`FilterCalls`), and new calls wait for the next connection. If not, everything rejects. A publish of QoS 0 that
 * a connection was given outlives none.
 */
export class Session implements OperationOwner, RenewalOwner {
  /** Incoming messages of QoS 2, as the store has them; null without one. */
  readonly receipts: Receipts | null
  /** Why there is no connection and will be none unless `connect()` is called, where that was not asked for. */
  goneWith: MqttError | undefined
  private open: SessionConnection | null = null
  /** There is no connection, but there will be one: calls may wait for it. */
  private isGap = false
  /** The client has given up coming back: nothing waits for a connection, whatever the options say. */
  private hasGivenUp = false
  private readonly suspicion: Suspicion
  private readonly aliases = new BoundAliases()
  private readonly outlivesConnections: boolean
  private readonly table: OperationTable
  private readonly flows: OutgoingFlows
  private readonly filters: FilterCalls
  /** Publishes of QoS 0 that wait for a connection. */
  private readonly held = new Set<KeptPublish>()
  private readonly identifiers = new PacketIdentifiers()
  private readonly offline: OfflineQueue | null
  private isLoaded = false
  /** What the last connection's engine knew of incoming messages, and which connection that was. */
  private engineState: Uint8Array | undefined
  private engineStateOf = 0

  /** @param report tells of what has become of something for which nobody waits */
  constructor(
    private readonly runtime: Runtime,
    private readonly settings: ClientSettings,
    policy: CallPolicy,
    private readonly log: PacketLog | null,
    private readonly telemetry: Telemetry,
    private readonly report: (error: MqttError) => void,
  ) {
    const { reconnect, offlineQueue, store, maxInflightMessages } = settings
    const warn = (text: string) => settings.logger.warn(text)
    this.outlivesConnections = reconnect !== null || offlineQueue !== null || store !== null
    this.offline = offlineQueue === null ? null : new OfflineQueue(offlineQueue)
    const table = new OperationTable(runtime, policy, (operation) => this.begin(operation))
    this.table = table
    const { identifiers, offline } = this
    this.suspicion = new Suspicion(reconnect?.maxDeliveryLosses ?? USUAL_DELIVERY_LOSSES)
    this.flows = new OutgoingFlows(
      runtime,
      table,
      identifiers,
      offline,
      store,
      maxInflightMessages,
      this.suspicion,
      warn,
    )
    const chosen = this.outlivesConnections ? identifiers : null
    this.filters = new FilterCalls(runtime, table, chosen, this.suspicion, this)
    const { journal } = this.flows
    this.receipts = journal === null ? null : new Receipts(journal)
  }

  /** QoS 1 and 2 publishes that the broker has not acknowledged. */
  get unacknowledged(): number {
    return this.table.unacknowledged
  }

  /** The last connection has ended because of the same message or subscription as one before it, as it seems. */
  get isStuck(): boolean {
    return this.suspicion.hasRepeated
  }

  /** Calls whose promises are pending. */
  get pending(): number {
    return this.table.pending
  }

  /**
   * @param timeout seconds
   * @param entry the public method that is running
   * @throws {MqttError} the broker does not take it, there is no room, no connection, or no time
   */
  publish(call: PublishCall, timeout: number, entry: Callable): Promise<void> {
    const { qos, signal } = call
    const { open, offline, runtime, table } = this
    const isOffline = this.checkPublishable(call)
    if (timeout <= 0) throw timedOut()
    if (qos > 0) table.checkRoom()
    const number = table.nextNumber
    const isKept = (qos > 0 && this.outlivesConnections) || open === null || table.isBusy
    const content = isKept ? contentOf(call, runtime) : this.submit(call, number, open.number)
    this.log?.sendingPublish(call, number, this.settings.protocol === ProtocolVersion.V5)
    const site = runtime.callSite(entry)
    if (content === null) {
      const operation = new Operation(this, number, COMMAND_PUBLISH, qos, timeout, signal, site)
      table.add(operation)
      operation.phase = SENT
      this.takeTurn(operation)
      return operation.promise as Promise<void>
    }
    const isPatient = offline?.takes(qos) === true && call.timeout === undefined
    const outlives = qos > 0 && this.outlivesConnections && call.topic !== ''
    const publish = new KeptPublish(this, number, qos, timeout, signal, site, content, outlives, isPatient)
    publish.checkedFor = open?.number ?? 0
    if (call.properties?.topicAlias !== undefined) publish.aliasOn(publish.checkedFor, content)
    if (isOffline && offline !== null) this.queueOffline(publish, offline)
    else table.enter(publish)
    return publish.promise as Promise<void>
  }

  /** @throws as `publish()` */
  subscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<ReasonCode[]> {
    this.checkUsable()?.limits?.checkSubscribe(call)
    return this.startFilters(COMMAND_SUBSCRIBE, call, timeout, entry) as Promise<ReasonCode[]>
  }

  /** @throws as `publish()` */
  unsubscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<void> {
    this.checkUsable()?.limits?.checkFiltersSize(call, 0)
    return this.startFilters(COMMAND_UNSUBSCRIBE, call, timeout, entry) as Promise<void>
  }

  /**
   * Takes in what the store has, once; before the first connection.
   * @throws what the store throws
   */
  async load(): Promise<void> {
    const { store, logger } = this.settings
    if (store === null || this.isLoaded) return
    const { flows, received, last } = await readStore(store, (text) => logger.warn(text))
    if (this.isLoaded) return
    this.isLoaded = true
    for (const identifier of received) this.receipts?.restore(identifier)
    for (const record of flows) if (record.content === null) this.restore(record)
    // What was published meanwhile comes after what is in the store.
    for (const record of flows.toReversed()) if (record.content !== null) this.restore(record)
    this.flows.journal?.begin(last)
  }

  /** The broker has accepted a connection. */
  connected(connection: SessionConnection, continuity: Continuity): void {
    this.open = connection
    this.goneWith = undefined
    this.isGap = this.hasGivenUp = false
    if (!continuity.hasSession) this.receipts?.clear()
    this.flows.connected(connection, continuity.hasSession)
    this.filters.connected(connection, continuity)
    this.proceed()
  }

  /** DONE came: `code` and `bytes` say how an operation has ended. */
  done(number: number, code: number, bytes: Uint8Array): void {
    const operation = this.table.get(number)
    if (operation === null) return
    let end = code
    if (operation instanceof FilterCall) this.filters.done(operation, code, bytes)
    else if (this.isFlow(operation)) end = this.flows.done(operation, code)
    else this.table.remove(operation)
    if (this.suspicion.isCautious) this.proceed()
    if (end < 0 || operation.caller !== CALLER_WAITS) return
    this.table.endCall(operation)
    this.log?.receivedAcknowledgement(operation.kind, operation.qos, number)
    if (operation.kind === COMMAND_PUBLISH && end < FAILURE) this.telemetry.sent()
    settle(operation, end, bytes)
  }

  /** PUBREC has come for a QoS 2 publish. */
  received(number: number): void {
    const operation = this.table.get(number)
    if (operation !== null && this.isFlow(operation)) this.flows.received(operation)
  }

  /**
   * A connection is lost: what does not outlive it rejects.
   * @param isWanted whether the client has ended it itself
   */
  lose(connection: SessionConnection, make: MakeError, isWanted: boolean): void {
    if (this.open !== connection) return
    this.open = null
    if (!this.outlivesConnections) this.end(make, { keepsQueue: false, isGivenUp: false })
    const { flows, filters } = this
    const oldest = flows.oldestHalf ?? filters.oldest ?? flows.oldest
    const suspect = isWanted || !this.outlivesConnections ? null : oldest
    const isOver = this.suspicion.blame(suspect)
    const lost = this.table.all()
    flows.lose(make)
    filters.lose(make)
    for (const operation of lost) {
      if (operation.phase !== SENT || operation instanceof FilterCall || this.isFlow(operation)) continue
      this.reject(operation, make)
    }
    if (!isOver || suspect === null) return
    if (suspect instanceof FilterCall) this.notRenewed(filters.giveUpOn(suspect, make))
    else if (suspect.phase !== SETTLED) this.report(flows.giveUpOn(suspect, make))
  }

  /** A connection is being made, or will be: calls may wait for it. */
  wait(): void {
    this.isGap = true
    this.hasGivenUp = false
  }

  /**
   * There will be no other connection unless `connect()` is called: what is pending rejects. What a store has stays
   * there, and is sent by the next connection; anything else is given up.
   */
  end(make: MakeError, { keepsQueue, isGivenUp }: SessionEnd): void {
    this.isGap = false
    this.hasGivenUp = isGivenUp
    const all = this.table.all()
    for (const operation of all) {
      if (operation.phase !== WAITING) continue
      this.table.leaveLine(operation)
      operation.fail(make)
    }
    for (const operation of all) {
      if (operation.caller !== CALLER_WAITS || operation.phase === SETTLED) continue
      if (keepsQueue && operation instanceof KeptPublish && this.offline?.has(operation)) continue
      if (this.flows.journal !== null && this.isFlow(operation)) this.leaveToStore(operation, make)
      else this.reject(operation, make)
    }
  }

  /** Resolves when the store has all that happened so far; null if it has. */
  stored(): Promise<void> | null {
    return this.flows.journal?.stored() ?? null
  }

  /**
   * The next connection's engine is to know what the last one's did of incoming messages; after the program has begun,
   * what the store has. Undefined for nothing.
   */
  get state(): Uint8Array | undefined {
    return this.engineState ?? this.receipts?.state ?? undefined
  }

  /**
   * What a connection's engine leaves. One that was broken off may end after the next one has begun, which has its own
   * state by then.
   */
  saveState(connection: number, state: Uint8Array): void {
    if (connection < this.engineStateOf) return
    this.engineState = state
  }

  /** A connection is being made: what older ones leave is of no interest from now on. */
  expectStateOf(connection: number): void {
    this.engineStateOf = connection
  }

  renewal({ call, losses }: Renewal): FilterCall {
    const number = this.table.nextNumber
    const unsignalled = { ...call, signal: undefined }
    const filters = new FilterCall(this, number, COMMAND_SUBSCRIBE, Infinity, unsignalled, null)
    filters.caller = NO_CALLER
    filters.losses = losses
    this.table.add(filters)
    this.log?.sendingFilters(true, call.filters, number)
    return filters
  }

  notRenewed(error: MqttError): void {
    this.settings.logger.warn(error.message)
    this.report(error)
  }

  giveUp(operation: Operation): void {
    const { phase } = operation
    switch (phase) {
      case WAITING:
        operation.caller = CALLER_LEFT
        this.table.leaveLine(operation)
        break
      case QUEUED:
      case PREPARED:
        this.leave(operation)
        this.forget(operation)
        break
      case SENT:
        this.leave(operation)
        if (this.open !== null) this.runtime.commands.cancel(this.open.number, operation.number)
        this.runtime.changed()
        break
      case RECEIVED:
      case RELEASED:
        this.leave(operation)
        break
      case SETTLED:
        break
      default:
        phase satisfies never
    }
  }

  /**
   * Gives the connection what waits for it, in its order: SUBSCRIBEs and UNSUBSCRIBEs, publishes of QoS 0, the others.
   * What comes earlier has to be answered first while the client is cautious.
   */
  private proceed(): void {
    const { open, filters, flows, held, suspicion } = this
    if (open === null) return
    if (suspicion.isCautious && flows.isReleasing) return
    filters.repeat()
    if (suspicion.isCautious && filters.isBusy) return
    for (const publish of held) this.sendHeld(publish, open)
    held.clear()
    flows.repeat()
    if (flows.isEmpty) suspicion.clear()
  }

  /**
   * Writes a publish that need not be kept into the batch.
   * @returns null: it is not kept
   */
  private submit(call: PublishCall, number: number, connection: number): Content | null {
    const { topic, encodedProperties, payload, qos, retain } = call
    const { runtime } = this
    const isStaged = isLarge(payload)
    const flags = qos | (retain ? MESSAGE_RETAIN : 0) | (isStaged ? PUBLISH_STAGED : 0)
    const own = isStaged ? NO_PAYLOAD : payload
    runtime.commands.publish(connection, number, 0, flags, topic, encodedProperties, own)
    if (isStaged) runtime.stage(payload)
    return null
  }

  /** Its turn has come, or it has none to wait for. */
  private begin(operation: Operation): void {
    this.takeTurn(operation)
    this.dispatch(operation)
  }

  private takeTurn(operation: Operation): void {
    const { runtime } = this
    const waits = this.open === null && operation instanceof KeptPublish && operation.isPatient
    if (!waits) runtime.deadlines.add(operation, operation.timeout)
    runtime.changed()
    this.table.takeTurn(operation)
  }

  private queueOffline(publish: KeptPublish, offline: OfflineQueue): void {
    const { runtime, table } = this
    table.add(publish)
    if (publish.isQueued) table.unacknowledged++
    if (!publish.isPatient) runtime.deadlines.add(publish, publish.timeout)
    runtime.changed()
    offline.add(publish)
    this.dispatch(publish)
  }

  /** It goes to the connection as soon as there is one that has room for it. */
  private dispatch(operation: Operation): void {
    if (operation instanceof FilterCall) {
      this.filters.begin(operation)
    } else if (this.isFlow(operation)) {
      this.flows.begin(operation)
    } else if (this.open !== null) {
      this.sendHeld(operation as KeptPublish, this.open)
    } else {
      operation.phase = QUEUED
      this.held.add(operation as KeptPublish)
    }
  }

  private sendHeld(publish: KeptPublish, connection: SessionConnection): void {
    const refused = publishRefusal(publish, connection)
    if (refused !== null) {
      this.reject(publish, refused)
      return
    }
    this.offline?.remove(publish)
    publish.send(this.runtime, connection.number)
  }

  private startFilters(kind: number, call: FiltersCall, timeout: number, entry: Callable): Promise<unknown> {
    if (timeout <= 0) throw timedOut()
    const number = this.table.nextNumber
    this.log?.sendingFilters(kind === COMMAND_SUBSCRIBE, call.filters, number)
    const filters = new FilterCall(this, number, kind, timeout, call, this.runtime.callSite(entry))
    filters.checkedFor = this.open?.number ?? 0
    this.table.enter(filters)
    return filters.promise
  }

  /**
   * Whether a publish can be made.
   * @returns whether it goes to the offline queue
   * @throws {MqttError} the broker does not take it, there is no room for it, or no connection
   */
  private checkPublishable(call: PublishCall): boolean {
    const { open, offline } = this
    if (open !== null) {
      if (!open.isUsable) throw notConnected(this.goneWith)
      open.limits?.checkPublish(call)
      if (call.properties !== undefined) this.checkAlias(call, open.number)
      return false
    }
    const isOffline = offline?.takes(call.qos) === true && !this.hasGivenUp
    if (!isOffline && !this.isGap) throw notConnected(this.goneWith)
    if (call.topic === '') throw aliasRefusal()
    if (!isOffline) return false
    const { topic, encodedProperties: properties, payload } = call
    offline?.makeRoom(sizeOf({ topic, properties, payload }), (oldest, why) => this.reject(oldest, why))
    return true
  }

  /** @throws {MqttCodeError} `[code:148]`: the alias of an empty topic was not bound on this connection */
  private checkAlias({ topic, properties }: PublishCall, connection: number): void {
    const alias = properties?.topicAlias
    if (alias === undefined) return
    if (topic !== '') this.aliases.bind(connection, alias)
    else if (!this.aliases.has(connection, alias)) throw aliasRefusal()
  }

  /**
   * The connection, for a call; null while it has to wait for one.
   * @throws {MqttCodeError} `[code:4] The client is not currently connected.`
   */
  private checkUsable(): SessionConnection | null {
    const { open } = this
    if (open === null ? !this.isGap : !open.isUsable) throw notConnected(this.goneWith)
    return open
  }

  /** Whether it is a publish that `OutgoingFlows` has. */
  private isFlow(operation: Operation): operation is KeptPublish {
    return this.outlivesConnections && operation.isQueued
  }

  /** Its caller waits no longer. */
  private leave(operation: Operation): void {
    operation.caller = CALLER_LEFT
    this.table.endCall(operation)
  }

  /** It ends without an answer, and the connection does not have it. */
  private reject(operation: Operation, make: MakeError): void {
    const { caller } = operation
    operation.caller = CALLER_LEFT
    this.forget(operation)
    if (caller !== CALLER_WAITS) return
    this.table.endCall(operation)
    operation.fail(make)
  }

  private forget(operation: Operation): void {
    if (operation instanceof FilterCall) {
      this.filters.forget(operation)
      return
    }
    if (operation instanceof KeptPublish) {
      this.offline?.remove(operation)
      this.held.delete(operation)
    }
    if (this.isFlow(operation)) this.flows.discard(operation)
    else this.table.remove(operation)
  }

  /** The next connection sends it, though nobody waits for it any longer. */
  private leaveToStore(flow: KeptPublish, make: MakeError): void {
    flow.caller = NO_CALLER
    this.offline?.remove(flow)
    this.table.endCall(flow)
    flow.fail(make)
  }

  private restore({ sequence, identifier, qos, content }: FlowRecord): void {
    const isFree = identifier !== 0 && !this.identifiers.isUsed(identifier)
    if (content === null && !isFree) return
    const number = this.table.nextNumber
    const own = content === null ? null : keptContent(content, this.runtime)
    const flow = new KeptPublish(this, number, qos, Infinity, undefined, null, own, true, false)
    flow.key = keyOf(sequence)
    this.flows.restore(flow, isFree ? identifier : 0)
  }
}
