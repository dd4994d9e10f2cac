import { FAILURE, settle } from '../calls/answers.js'
import {
  CALLER_LEFT,
  CALLER_WAITS,
  NO_CALLER,
  Operation,
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
import { COMMAND_PUBLISH, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE } from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import type { MqttError } from '../mqtt/errors.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ReasonCode } from '../mqtt/reason-code.js'
import type { ClientSettings } from '../options/client-settings.js'
import { USUAL_DELIVERY_LOSSES } from '../options/reconnect-options.js'
import type { Callable } from '../support/call-site.js'
import type { PacketLog } from '../telemetry/packet-log.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { Admission } from './admission.js'
import { EngineState } from './engine-state.js'
import { FilterCall } from './filter-call.js'
import { FilterCalls, type FilterCallsOwner } from './filter-calls.js'
import { HeldPublishes } from './held-publishes.js'
import { contentOf, KeptPublish, keptContent } from './kept-publish.js'
import { OfflineQueue } from './offline-queue.js'
import { OutgoingFlows } from './outgoing-flows.js'
import { PacketIdentifiers } from './packet-identifiers.js'
import { submitCall } from './publish-command.js'
import { Receipts } from './receipts.js'
import type { MakeError } from './refusals.js'
import type { Continuity, SessionConnection, SessionEnd } from './session-connection.js'
import { type FlowRecord, keyOf, readStore } from './store-records.js'
import { Suspicion } from './suspicion.js'

/**
 * The calls of a client, over all its connections, and what MQTT calls the session state of a client.
 *
 * Whether calls outlive the connection (`reconnect`, `offlineQueue`, `store`) decides what a loss does. If they do,
 * publishes of QoS 1 and 2 are kept until they are acknowledged (`OutgoingFlows`), SUBSCRIBEs and UNSUBSCRIBEs are sent
 * again (`FilterCalls`), and new calls wait for the next connection. If not, everything rejects. A publish of QoS 0 that
 * a connection was given outlives none.
 */
export class Session implements FilterCallsOwner {
  /** Incoming messages of QoS 2, as the store has them; null without one. */
  readonly receipts: Receipts | null
  /** What each connection's engine leaves to the next one. */
  readonly engineState: EngineState
  readonly admission: Admission
  private readonly suspicion: Suspicion
  private readonly outlivesConnections: boolean
  private readonly table: OperationTable
  private readonly flows: OutgoingFlows
  private readonly filters: FilterCalls
  private readonly held: HeldPublishes
  private readonly identifiers = new PacketIdentifiers()
  private readonly offline: OfflineQueue | null
  private isLoaded = false

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
    this.admission = new Admission(this.offline)
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
      (record) => this.remade(record),
      warn,
    )
    this.held = new HeldPublishes(runtime, table, offline)
    const chosen = this.outlivesConnections ? identifiers : null
    this.filters = new FilterCalls(runtime, table, chosen, this.suspicion, log, this)
    const { journal } = this.flows
    this.receipts = journal === null ? null : new Receipts(journal)
    this.engineState = new EngineState(this.receipts)
  }

  /** QoS 1 and 2 publishes that the broker has not acknowledged; all that were not read from the store count as one. */
  get unacknowledged(): number {
    return this.table.unacknowledged + (this.flows.hasRead ? 0 : 1)
  }

  /** Bytes of incoming messages that the next connection is to know. */
  get keptBytes(): number {
    return this.engineState.messageBytes
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
    const { admission, offline, runtime, table } = this
    const isOffline = admission.checkPublish(call)
    if (timeout <= 0) throw timedOut()
    if (isOffline) offline?.makeRoom(call, (oldest, why) => this.reject(oldest, why))
    if (qos > 0) table.checkRoom()
    const number = table.nextNumber
    const open = admission.connection
    const isKept = (qos > 0 && this.outlivesConnections) || open === null || table.isBusy
    const content = isKept ? contentOf(call, runtime) : null
    if (!isKept) submitCall(runtime, open.number, number, call)
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
    this.admission.checkFilters()?.limits?.checkSubscribe(call)
    return this.startFilters(COMMAND_SUBSCRIBE, call, timeout, entry) as Promise<ReasonCode[]>
  }

  /** @throws as `publish()` */
  unsubscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<void> {
    this.admission.checkFilters()?.limits?.checkFiltersSize(call, 0)
    return this.startFilters(COMMAND_UNSUBSCRIBE, call, timeout, entry) as Promise<void>
  }

  /**
   * Takes in what the store has, once; before the first connection.
   * @throws what the store throws
   */
  async load(): Promise<void> {
    const { store, logger } = this.settings
    if (store === null || this.isLoaded) return
    const stored = await readStore(store, (text) => logger.warn(text))
    if (this.isLoaded) return
    this.isLoaded = true
    for (const identifier of stored.received) this.receipts?.restore(identifier)
    this.flows.restore(stored)
  }

  /** The broker has accepted a connection. */
  connected(connection: SessionConnection, continuity: Continuity): void {
    this.admission.connected(connection)
    if (!continuity.hasSession) this.receipts?.clear()
    this.flows.connected(connection, continuity.hasSession)
    this.filters.connected(connection, continuity)
    this.proceed()
  }

  /** DONE came: `code`, or `codes` for each filter, says how an operation has ended, and `properties` why. */
  done(number: number, code: number, codes: Uint8Array, properties: Uint8Array): void {
    const operation = this.table.get(number)
    if (operation === null) return
    let end = code
    if (operation instanceof FilterCall) this.filters.done(operation, code, codes, properties)
    else if (this.isFlow(operation)) end = this.flows.done(operation, code)
    else this.table.remove(operation)
    if (this.suspicion.isCautious) this.proceed()
    if (end < 0 || operation.caller !== CALLER_WAITS) return
    this.table.endCall(operation)
    this.log?.receivedAcknowledgement(operation.kind, operation.qos, number)
    if (operation.kind === COMMAND_PUBLISH && end < FAILURE) this.telemetry.sent()
    settle(operation, end, codes, properties)
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
    if (this.admission.connection !== connection) return
    this.admission.lost()
    if (!this.outlivesConnections) this.end(make, { keepsQueue: false, isGivenUp: false })
    const { flows, filters } = this
    const oldest = flows.halves.oldest ?? filters.oldest ?? flows.oldest
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

  /**
   * There will be no other connection unless `connect()` is called: what is pending rejects. What a store has stays
   * there, and is sent by the next connection; anything else is given up.
   */
  end(make: MakeError, { keepsQueue, isGivenUp }: SessionEnd): void {
    this.admission.end(isGivenUp)
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

  notRenewed(error: MqttError): void {
    this.settings.logger.warn(error.message)
    this.report(error)
  }

  giveUp(operation: Operation): void {
    const { phase } = operation
    const { connection } = this.admission
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
      case RECEIVED:
      case RELEASED:
        this.leave(operation)
        if (connection !== null) this.runtime.commands.cancel(connection.number, operation.number)
        if (this.isFlow(operation)) this.flows.abandon(operation)
        this.runtime.changed()
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
    const { admission, filters, flows, held, suspicion } = this
    if (admission.connection === null) return
    if (suspicion.isCautious && flows.halves.isBusy) return
    filters.repeat()
    if (suspicion.isCautious && filters.isBusy) return
    held.sendAll(admission.connection)
    flows.repeat()
    if (flows.isEmpty) suspicion.clear()
  }

  /** Its turn has come, or it has none to wait for. */
  private begin(operation: Operation): void {
    this.takeTurn(operation)
    this.dispatch(operation)
  }

  private takeTurn(operation: Operation): void {
    const { runtime } = this
    const waits =
      this.admission.connection === null && operation instanceof KeptPublish && operation.isPatient
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
    } else {
      this.held.begin(operation as KeptPublish, this.admission.connection)
    }
  }

  private startFilters(kind: number, call: FiltersCall, timeout: number, entry: Callable): Promise<unknown> {
    if (timeout <= 0) throw timedOut()
    return this.filters.start(kind, call, timeout, this.runtime.callSite(entry))
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
    this.forget(operation)
    this.table.reject(operation, make)
  }

  private forget(operation: Operation): void {
    if (operation instanceof FilterCall) this.filters.forget(operation)
    else if (this.isFlow(operation)) this.flows.discard(operation)
    else if (operation instanceof KeptPublish) this.held.forget(operation)
    else this.table.remove(operation)
  }

  /** The next connection sends it, though nobody waits for it any longer. */
  private leaveToStore(flow: KeptPublish, make: MakeError): void {
    this.offline?.remove(flow)
    this.table.reject(flow, make)
    flow.caller = NO_CALLER
  }

  /** A flow of an older program's. */
  private remade({ sequence, qos, content }: FlowRecord): KeptPublish {
    const { runtime, table } = this
    const own = content === null ? null : keptContent(content, runtime)
    const flow = new KeptPublish(this, table.nextNumber, qos, Infinity, undefined, null, own, true, false)
    flow.caller = NO_CALLER
    flow.key = keyOf(sequence)
    return flow
  }
}
