import { PACKET_IDENTIFIER_NOT_FOUND } from '../calls/answers.js'
import {
  CALLER_LEFT,
  CALLER_WAITS,
  NO_CALLER,
  PREPARED,
  QUEUED,
  RECEIVED,
  RELEASED,
  SENT,
  SETTLED,
  WAITING,
} from '../calls/operation.js'
import type { OperationTable } from '../calls/operation-table.js'
import { CODE_WITHDRAWN, WINDOW_LIMIT } from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import { MqttError } from '../mqtt/errors.js'
import type { Store } from '../store/store.js'
import { Backlog, type BacklogOwner } from './backlog.js'
import { FlowList } from './flow-list.js'
import { Journal, type JournalOwner } from './journal.js'
import { FORGOTTEN, type KeptPublish, KNOWN, UNKNOWN } from './kept-publish.js'
import type { OfflineQueue } from './offline-queue.js'
import type { PacketIdentifiers } from './packet-identifiers.js'
import { type MakeError, publishRefusal, unknownOutcome } from './refusals.js'
import { SecondHalves } from './second-halves.js'
import type { SessionConnection } from './session-connection.js'
import type { FlowRecord, StoredSession } from './store-records.js'
import { type Suspicion, undeliverable } from './suspicion.js'
import { Window } from './window.js'

/**
 * The publishes of QoS 1 and 2 of a client whose calls outlive its connections, in their order, with their packet
 * identifiers.
 *
 * Each is kept until it is acknowledged. Each connection is given all of them from the first one on, at most
 * `maxInflightMessages` and the broker's Receive Maximum at a time, whose packet identifiers are chosen here: as
 * repetitions (DUP) if the broker has the session, as new ones if not. A QoS 2 publish whose PUBREC has come goes on with
 * PUBREL (`SecondHalves`). One that its caller gave up is not sent again.
 */
export class OutgoingFlows implements JournalOwner, BacklogOwner {
  /** Null without a store. */
  readonly journal: Journal | null
  private readonly backlog: Backlog | null
  readonly halves: SecondHalves
  private connection: SessionConnection | null = null
  private readonly list = new FlowList()

  /** What comes before them on this connection has left: they may be sent. */
  private isTurn = false
  /** Its places are for those that the connection was given, and for all second halves. */
  private readonly window = new Window()
  /** What the store has of an older program has been taken in, at least the first of it. */
  private isRestored = false
  /** The broker has lost the session that the store's records are of. */
  private hasLostSession = false

  /**
   * @param make makes the flow of a record
   * @param warn tells the logger
   */
  constructor(
    private readonly runtime: Runtime,
    private readonly table: OperationTable,
    private readonly identifiers: PacketIdentifiers,
    private readonly offline: OfflineQueue | null,
    store: Store | null,
    private readonly maxInflight: number,
    private readonly suspicion: Suspicion,
    private readonly make: (record: FlowRecord) => KeptPublish,
    private readonly warn: (text: string) => void,
  ) {
    this.journal = store === null ? null : new Journal(store, this)
    this.backlog = store === null ? null : new Backlog(runtime, store, identifiers, this, warn)
    this.halves = new SecondHalves(runtime, this.journal, suspicion)
  }

  /** A publish comes in: it is sent as soon as there is a connection that has room for it. */
  begin(flow: KeptPublish): void {
    if (this.isIdentified) flow.identifier = this.identifiers.take()
    this.list.append(flow)
    this.journal?.put(flow)
    this.pump()
  }

  /**
   * Takes in what the store has from an older program, or the first of it. What was published meanwhile comes after it.
   */
  restore(stored: StoredSession): void {
    this.isRestored = true
    this.list.openGap()
    this.restoreFlows(stored.flows)
    this.backlog?.begin(stored)
    this.journal?.begin(stored.last)
    if (this.hasRead) this.list.closeGap()
  }

  /** Whether the store has no more flows of an older program. */
  get hasRead(): boolean {
    return this.backlog?.isOver !== false
  }

  onRead(flows: readonly FlowRecord[]): void {
    this.restoreFlows(flows)
    if (this.hasRead) this.list.closeGap()
    this.halves.pump()
    this.pump()
  }

  onUnreadable(error: unknown): void {
    if (this.connection !== null) this.warn(`The store failed: ${error}`)
  }

  /** There is a connection: what was received goes on. */
  connected(connection: SessionConnection, hasSession: boolean): void {
    this.connection = connection
    if (!hasSession) this.forgetSession()
    const most = Math.min(connection.limits?.receiveMaximum ?? WINDOW_LIMIT, WINDOW_LIMIT)
    this.window.open(this.maxInflight, most, this.halves.size)
    for (const half of this.halves.all()) if (half.caller === CALLER_LEFT) this.abandon(half)
    this.halves.connected(connection)
  }

  get isEmpty(): boolean {
    return this.list.first === null && !this.halves.isBusy
  }

  /** Gives the connection all flows, from the first one on. */
  repeat(): void {
    if (this.isTurn) return
    this.isTurn = true
    this.list.rewind()
    this.pump()
  }

  /** The oldest of those that the connection was given and the broker has not answered; null if there is none. */
  get oldest(): KeptPublish | null {
    return this.list.oldestSent
  }

  /**
   * Gives up a flow for which the broker has ended too many connections; there is no connection.
   * @returns what is said about it
   */
  giveUpOn(flow: KeptPublish, make: MakeError): MqttError {
    const { losses, content } = flow
    const error = () => undeliverable('publish', losses, make())
    const isSetAside = this.journal !== null && content !== null
    if (isSetAside) this.journal?.setAside(flow)
    this.warn(isSetAside ? `${error().message}. It is set aside in the store` : error().message)
    flow.losses = 0
    if (content === null) this.forget(flow)
    else this.discard(flow)
    this.table.reject(flow, error)
    return error()
  }

  /** The connection is lost. @param make makes the error for what cannot be continued */
  lose(make: MakeError): void {
    this.connection = null
    this.isTurn = false
    this.window.open(0, 0, 0)
    for (let flow = this.list.first; flow !== null; ) {
      const { next } = flow
      this.loseFlow(flow, make)
      flow = next
    }
    this.halves.lose()
  }

  /**
   * DONE came.
   * @returns the code to settle the promise with; -1 while it is not over
   */
  done(flow: KeptPublish, code: number): number {
    this.countRepetition(flow)
    this.window.end(flow.isAbandoned)
    flow.isAbandoned = false
    if (code === CODE_WITHDRAWN && flow.memory === KNOWN) {
      this.discard(flow)
      this.pump()
      return -1
    }
    this.list.remove(flow)
    this.forget(flow)
    this.halves.pump()
    this.pump()
    // A broker that was told twice to release has done so.
    return code === PACKET_IDENTIFIER_NOT_FOUND && flow.memory === KNOWN ? 0 : code
  }

  /** Nobody waits any longer for one that the connection was given: its place in our own window is free. */
  abandon(flow: KeptPublish): void {
    if (this.connection === null || flow.isAbandoned) return
    if (flow.phase === SENT) this.countRepetition(flow)
    flow.isAbandoned = true
    this.window.abandon()
    this.pump()
  }

  /** PUBREC has come: only its second half is left. */
  received(flow: KeptPublish): void {
    this.countRepetition(flow)
    this.list.remove(flow)
    this.halves.received(flow)
  }

  /**
   * Nobody wants it any more, and the connection does not have it: it is forgotten, or completed if the broker may know
   * its identifier.
   */
  discard(flow: KeptPublish): void {
    this.offline?.remove(flow)
    this.list.remove(flow)
    if (flow.phase === PREPARED) this.window.withdraw()
    if (flow.memory !== KNOWN || flow.qos < 2) {
      this.forget(flow)
      return
    }
    if (this.connection !== null) {
      this.window.add()
      this.abandon(flow)
    }
    this.halves.complete(flow)
  }

  onStored(): void {
    this.halves.pump()
    this.pump()
  }

  onRefused(flows: readonly KeptPublish[], cause: unknown): void {
    const make = () => new MqttError('The store failed', { code: 'ERR_MQTT_STORE', cause })
    let isUnheard = false
    for (const flow of flows) {
      const isHeard = flow.caller === CALLER_WAITS && (flow.phase === QUEUED || flow.phase === PREPARED)
      if (isHeard) this.reject(flow, make)
      else isUnheard = true
      // Whoever waits for it is not to wait for a store that does not work.
      flow.isReleasable = flow.content === null
    }
    this.halves.pump()
    if (isUnheard || flows.length === 0) this.warn(`The store failed: ${cause}`)
  }

  /** Gives the connection as many flows as the window has room for. */
  private pump(): void {
    const { connection, list, journal, window } = this
    if (connection === null || !this.isTurn || !connection.isUsable) return
    this.backlog?.refill(window.size)
    while (this.hasRoom) {
      const flow = list.unprepared
      if (flow === null || flow === list.behindGap) break
      list.unprepared = flow.next
      if (!this.prepare(flow, connection)) {
        list.unprepared = flow
        break
      }
    }
    for (;;) {
      const flow = list.unsent
      if (flow === null || flow.phase !== PREPARED) break
      if (journal !== null && flow.storedIdentifier !== flow.identifier) break
      if (flow.memory !== UNKNOWN) {
        if (!window.mayRepeat) break
        window.repeat(flow.size)
      }
      list.unsent = flow.next
      window.send()
      this.offline?.remove(flow)
      flow.send(this.runtime, connection.number)
    }
  }

  /** Whether another one may be partway. */
  private get hasRoom(): boolean {
    const { suspicion, window } = this
    if (suspicion.isCautious) {
      if (!window.isEmpty) return false
      if (this.list.unprepared?.memory === UNKNOWN) suspicion.clear()
    }
    return window.hasRoom
  }

  /**
   * Whether another publish is given its packet identifier at once, as all before it have theirs: so a store has it
   * written once, and not again when there is room for it in the window.
   */
  private get isIdentified(): boolean {
    const { journal, list, identifiers } = this
    if (journal === null || !this.isRestored || list.hasGap) return false
    return identifiers.arePlentiful && list.last?.identifier !== 0
  }

  /** @returns false when there is no packet identifier left */
  private prepare(flow: KeptPublish, connection: SessionConnection): boolean {
    const refused = publishRefusal(flow, connection)
    if (refused !== null) {
      if (flow.caller === NO_CALLER) this.warn(`A message of the store cannot be sent: ${refused().message}`)
      this.reject(flow, refused)
      return true
    }
    if (flow.identifier === 0) {
      flow.identifier = this.identifiers.take()
      if (flow.identifier === 0) return false
      this.journal?.put(flow)
    }
    flow.phase = PREPARED
    this.window.prepare()
    return true
  }

  /** What a loss does to a flow in the list. */
  private loseFlow(flow: KeptPublish, make: MakeError): void {
    switch (flow.phase) {
      case SENT:
        flow.memory = KNOWN
        flow.isAbandoned = false
        if (flow.caller === CALLER_LEFT) {
          this.discard(flow)
          return
        }
        break
      case QUEUED:
      case PREPARED:
        break
      case WAITING:
      case RECEIVED:
      case RELEASED:
      case SETTLED:
        return
      default:
        flow.phase satisfies never
    }
    if (!flow.outlives) {
      this.reject(flow, make)
      return
    }
    flow.phase = QUEUED
    flow.pause(this.runtime.deadlines)
  }

  /** It ends without an answer. */
  private reject(flow: KeptPublish, make: MakeError): void {
    this.discard(flow)
    this.table.reject(flow, make)
  }

  /** First what has nothing left but its packet identifier. */
  private restoreFlows(flows: readonly FlowRecord[]): void {
    for (const record of flows) if (record.content === null) this.restoreFlow(record)
    for (const record of flows) if (record.content !== null) this.restoreFlow(record)
  }

  private restoreFlow(record: FlowRecord): void {
    const { identifier, content } = record
    const isFree = this.backlog?.claim(identifier) === true
    if (content === null && !isFree) return
    const flow = this.make(record)
    this.table.add(flow)
    this.table.unacknowledged++
    this.backlog?.hold(flow)
    flow.storedIdentifier = 0
    if (isFree) {
      flow.identifier = flow.storedIdentifier = identifier
      flow.memory = this.hasLostSession ? FORGOTTEN : KNOWN
    }
    if (content !== null) {
      this.list.insert(flow)
    } else if (this.hasLostSession) {
      this.forget(flow)
    } else {
      if (this.connection !== null) this.window.add()
      this.halves.restore(flow)
    }
  }

  private forget(flow: KeptPublish): void {
    this.backlog?.release(flow)
    this.halves.delete(flow)
    this.identifiers.free(flow.identifier)
    this.journal?.delete(flow)
    this.table.remove(flow)
  }

  /** The connection has it no longer. */
  private countRepetition(flow: KeptPublish): void {
    if (flow.memory !== UNKNOWN && !flow.isAbandoned) this.window.endRepetition(flow.size)
  }

  /** The broker has no session: what it has not acknowledged is new to it. */
  private forgetSession(): void {
    this.hasLostSession = true
    for (const half of this.halves.all()) {
      this.forget(half)
      this.table.reject(half, unknownOutcome)
    }
    for (let flow = this.list.first; flow !== null; flow = flow.next) {
      if (flow.memory === KNOWN) flow.memory = FORGOTTEN
    }
  }
}
