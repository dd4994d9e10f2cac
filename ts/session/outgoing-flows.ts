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
import { FlowList } from './flow-list.js'
import { Journal, type JournalOwner } from './journal.js'
import { FORGOTTEN, type KeptPublish, KNOWN, UNKNOWN } from './kept-publish.js'
import type { OfflineQueue } from './offline-queue.js'
import type { PacketIdentifiers } from './packet-identifiers.js'
import { type MakeError, publishRefusal } from './refusals.js'
import type { SessionConnection } from './session-connection.js'
import { type Suspicion, undeliverable } from './suspicion.js'

/**
 * Bytes of repeated publishes that may be unacknowledged at once. They come before all new ones of QoS 1 and 2, but
 * what has no QoS, and subscriptions, must not wait behind all of them in the connection's buffers.
 */
const MOST_REPEATED = 256 * 1024

/**
 * The publishes of QoS 1 and 2 of a client whose calls outlive its connections, in their order, with their packet
 * identifiers.
 *
 * Each is kept until it is acknowledged. Each connection is given all of them from the first one on, at most
 * `maxInflightMessages` and the broker's Receive Maximum at a time, whose packet identifiers are chosen here: as
 * repetitions (DUP) if the broker has the session, as new ones if not. A QoS 2 publish whose PUBREC has come goes on with
 * PUBREL. One that its caller gave up is not sent again; if it is of QoS 2 and was sent, its flow is completed by PUBREL,
 * or the broker would take the next message with that identifier for its repetition.
 *
 * With a store PUBREL waits until the store knows that only the second half is left: a program that ends in between would
 * find the message there, and send what the broker has passed on already a second time.
 */
export class OutgoingFlows implements JournalOwner {
  /** Null without a store. */
  readonly journal: Journal | null
  private connection: SessionConnection | null = null
  private readonly list = new FlowList()
  /** QoS 2 flows of which the second half is left, in the order of their PUBREC (MQTT-4.6.0-4). */
  private readonly halves = new Set<KeptPublish>()
  /** Those of them whose PUBREL the connection has not been given, in the same order. */
  private unreleased: KeptPublish[] = []

  /** What comes before them on this connection has left: they may be sent. */
  private isTurn = false
  private window = 0
  /** Flows that take a place in the connection's window: those that it was given, and all second halves. */
  private inflight = 0
  /** Flows that have their place in the window and are not sent yet. */
  private prepared = 0
  /** Bytes of repeated publishes that the connection has. */
  private repeating = 0

  /** @param warn tells the logger */
  constructor(
    private readonly runtime: Runtime,
    private readonly table: OperationTable,
    private readonly identifiers: PacketIdentifiers,
    private readonly offline: OfflineQueue | null,
    store: Store | null,
    private readonly maxInflight: number,
    private readonly suspicion: Suspicion,
    private readonly warn: (text: string) => void,
  ) {
    this.journal = store === null ? null : new Journal(store, this)
  }

  /** A publish comes in: it is sent as soon as there is a connection that has room for it. */
  begin(flow: KeptPublish): void {
    this.list.append(flow)
    this.journal?.put(flow)
    this.pump()
  }

  /**
   * The store has it from an older program.
   * @param identifier 0 if it was never sent
   */
  restore(flow: KeptPublish, identifier: number): void {
    flow.caller = NO_CALLER
    this.table.add(flow)
    this.table.unacknowledged++
    flow.storedIdentifier = identifier
    if (identifier !== 0) {
      this.identifiers.reserve(identifier)
      flow.identifier = identifier
      flow.memory = KNOWN
    }
    if (flow.content === null) {
      flow.phase = RECEIVED
      flow.isReleasable = true
      this.halves.add(flow)
    } else {
      this.list.prepend(flow)
    }
  }

  /** There is a connection: what was received goes on. */
  connected(connection: SessionConnection, hasSession: boolean): void {
    this.connection = connection
    this.window = Math.min(this.maxInflight, connection.limits?.receiveMaximum ?? WINDOW_LIMIT, WINDOW_LIMIT)
    if (!hasSession) this.forgetSession()
    this.inflight = this.halves.size
    this.unreleased = [...this.halves]
    this.pumpReleases()
  }

  get isEmpty(): boolean {
    return this.list.first === null && this.halves.size === 0
  }

  /** Whether a second half waits for its PUBCOMP. */
  get isReleasing(): boolean {
    return this.halves.size > 0
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
    for (let flow = this.list.first; flow !== null; flow = flow.next) if (flow.phase === SENT) return flow
    return null
  }

  /** The same of second halves. */
  get oldestHalf(): KeptPublish | null {
    for (const half of this.halves) if (half.phase === RELEASED) return half
    return null
  }

  /**
   * Gives up a flow for which the broker has ended too many connections; there is no connection.
   * @returns what is said about it
   */
  giveUpOn(flow: KeptPublish, make: MakeError): MqttError {
    const { losses, caller, content } = flow
    const error = () => undeliverable('publish', losses, make())
    const isSetAside = this.journal !== null && content !== null
    if (isSetAside) this.journal?.setAside(flow)
    this.warn(isSetAside ? `${error().message}. It is set aside in the store` : error().message)
    flow.caller = CALLER_LEFT
    flow.losses = 0
    this.offline?.remove(flow)
    if (content === null) this.forget(flow)
    else this.discard(flow)
    if (caller === CALLER_WAITS) {
      this.table.endCall(flow)
      flow.fail(error)
    }
    return error()
  }

  /** The connection is lost. @param make makes the error for what cannot be continued */
  lose(make: MakeError): void {
    this.connection = null
    this.isTurn = false
    this.unreleased = []
    this.inflight = this.prepared = this.repeating = 0
    for (let flow = this.list.first; flow !== null; ) {
      const { next } = flow
      this.loseFlow(flow, make)
      flow = next
    }
    for (const half of this.halves) {
      half.phase = RECEIVED
      half.memory = KNOWN
      half.pause(this.runtime.deadlines)
    }
  }

  /**
   * DONE came.
   * @returns the code to settle the promise with; -1 while it is not over
   */
  done(flow: KeptPublish, code: number): number {
    this.inflight--
    this.countRepetition(flow)
    if (code === CODE_WITHDRAWN && flow.memory === KNOWN) {
      this.discard(flow)
      this.pump()
      return -1
    }
    this.list.remove(flow)
    this.forget(flow)
    if (this.unreleased.length > 0) this.pumpReleases()
    this.pump()
    // A broker that was told twice to release has done so.
    return code === PACKET_IDENTIFIER_NOT_FOUND && flow.memory === KNOWN ? 0 : code
  }

  /** PUBREC has come: only its second half is left. */
  received(flow: KeptPublish): void {
    this.countRepetition(flow)
    this.list.remove(flow)
    this.keepHalf(flow)
    if (this.journal === null) flow.phase = RELEASED
    else this.unreleased.push(flow)
  }

  /**
   * Nobody wants it any more, and the connection does not have it: it is forgotten, or completed if the broker may know
   * its identifier.
   */
  discard(flow: KeptPublish): void {
    this.list.remove(flow)
    if (flow.phase === PREPARED) this.prepared--
    if (flow.memory !== KNOWN || flow.qos < 2) {
      this.forget(flow)
      return
    }
    this.keepHalf(flow)
    if (this.connection === null) return
    this.inflight++
    this.unreleased.push(flow)
    this.pumpReleases()
  }

  onStored(): void {
    this.pumpReleases()
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
    this.pumpReleases()
    if (isUnheard || flows.length === 0) this.warn(`The store failed: ${cause}`)
  }

  /** Gives the connection as many flows as the window has room for. */
  private pump(): void {
    const { connection, list, journal } = this
    if (connection === null || !this.isTurn || !connection.isUsable) return
    while (list.unprepared !== null && this.inflight + this.prepared < this.room) {
      const flow = list.unprepared
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
        if (this.repeating >= MOST_REPEATED) break
        this.repeating += flow.size
      }
      list.unsent = flow.next
      this.prepared--
      this.inflight++
      this.offline?.remove(flow)
      flow.send(this.runtime, connection.number)
    }
  }

  /** How many may be partway. */
  private get room(): number {
    const { suspicion } = this
    if (!suspicion.isCautious) return this.window
    if (this.inflight + this.prepared === 0 && this.list.unprepared?.memory === UNKNOWN) {
      suspicion.clear()
      return this.window
    }
    return Math.min(this.window, 1)
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
    this.prepared++
    return true
  }

  /** Sends the PUBRELs that may be sent, in the order of their PUBRECs (MQTT-4.6.0-4). */
  private pumpReleases(): void {
    if (this.connection === null) return
    let count = 0
    for (const half of this.unreleased) {
      const isThere = this.halves.has(half)
      if (isThere && (!half.isReleasable || (this.suspicion.isCautious && this.oldestHalf !== null))) break
      count++
      if (isThere) this.release(half, this.connection)
    }
    this.unreleased.splice(0, count)
  }

  private release(half: KeptPublish, { number }: SessionConnection): void {
    this.runtime.commands.release(number, half.number, half.identifier)
    this.runtime.changed()
    half.phase = RELEASED
  }

  /** What a loss does to a flow in the list. */
  private loseFlow(flow: KeptPublish, make: MakeError): void {
    switch (flow.phase) {
      case SENT:
        flow.memory = KNOWN
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
    const { caller } = flow
    flow.caller = CALLER_LEFT
    this.offline?.remove(flow)
    this.discard(flow)
    if (caller !== CALLER_WAITS) return
    this.table.endCall(flow)
    flow.fail(make)
  }

  /** Only the second half of a QoS 2 flow is left. */
  private keepHalf(flow: KeptPublish): void {
    flow.phase = RECEIVED
    flow.isReleasable = this.journal === null
    flow.content = null
    this.halves.add(flow)
    this.journal?.put(flow)
  }

  private forget(flow: KeptPublish): void {
    this.halves.delete(flow)
    this.identifiers.free(flow.identifier)
    this.journal?.delete(flow)
    this.table.remove(flow)
  }

  /** The connection has it no longer. */
  private countRepetition(flow: KeptPublish): void {
    if (flow.memory !== UNKNOWN) this.repeating -= flow.size
  }

  /** The broker has no session: what it has not acknowledged is new to it. */
  private forgetSession(): void {
    for (const half of this.halves) {
      const { caller } = half
      half.caller = CALLER_LEFT
      this.forget(half)
      if (caller !== CALLER_WAITS) continue
      this.table.endCall(half)
      half.fail(unknownOutcome)
    }
    for (let flow = this.list.first; flow !== null; flow = flow.next) {
      if (flow.memory === KNOWN) flow.memory = FORGOTTEN
    }
  }
}

function unknownOutcome(): MqttError {
  return new MqttError(
    'The broker has lost the session between PUBREC and PUBCOMP: whether it has passed the message on is unknown',
  )
}
