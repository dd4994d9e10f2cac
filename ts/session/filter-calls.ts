import { FAILURE, refusedBy } from '../calls/answers.js'
import {
  CALLER_LEFT,
  CALLER_WAITS,
  NO_CALLER,
  type OperationOwner,
  QUEUED,
  SENT,
} from '../calls/operation.js'
import type { OperationTable } from '../calls/operation-table.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import { CODE_WITHDRAWN, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE } from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import { withoutStack } from '../failures/failure.js'
import { FifoQueue } from '../messages/queues.js'
import { MqttError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import type { CallSite } from '../support/call-site.js'
import type { PacketLog } from '../telemetry/packet-log.js'
import { FilterCall } from './filter-call.js'
import type { PacketIdentifiers } from './packet-identifiers.js'
import { filtersRefusal, type MakeError } from './refusals.js'
import { RememberedSubscriptions, type Renewal } from './remembered-subscriptions.js'
import type { Continuity, SessionConnection } from './session-connection.js'
import { type Suspicion, undeliverable } from './suspicion.js'

/** Who hears what becomes of them. */
export interface FilterCallsOwner extends OperationOwner {
  /** The client has one subscription less than the program believes. */
  notRenewed(error: MqttError): void
}

/**
 * The SUBSCRIBEs and UNSUBSCRIBEs of a client that are not answered, and, where its calls outlive its connections, the
 * subscriptions that the broker may have to be asked for again.
 */
export class FilterCalls {
  private readonly pending = new Set<FilterCall>()
  /** Those that the connection has not been given, in their order; some may be over. */
  private line = new FifoQueue<FilterCall>()
  private readonly subscriptions = new RememberedSubscriptions()
  private connection: SessionConnection | null = null
  /** What comes before them on this connection has left: they may be sent. */
  private isTurn = false
  /** How many the connection has. */
  private sent = 0

  /** @param identifiers null where the calls do not outlive their connection: then the engine chooses */
  constructor(
    private readonly runtime: Runtime,
    private readonly table: OperationTable,
    private readonly identifiers: PacketIdentifiers | null,
    private readonly suspicion: Suspicion,
    private readonly log: PacketLog | null,
    private readonly owner: FilterCallsOwner,
  ) {}

  /** Whether some wait to be sent or answered. */
  get isBusy(): boolean {
    return this.pending.size > 0
  }

  /** The oldest of those that the connection was given and the broker has not answered; null if there is none. */
  get oldest(): FilterCall | null {
    for (const filters of this.pending) if (filters.phase === SENT) return filters
    return null
  }

  /**
   * Makes a call.
   * @param kind `COMMAND_SUBSCRIBE` or `COMMAND_UNSUBSCRIBE`
   * @param timeout seconds
   */
  start(kind: number, call: FiltersCall, timeout: number, site: CallSite | null): Promise<unknown> {
    const filters = this.make(kind, call, timeout, site)
    filters.checkedFor = this.connection?.number ?? 0
    this.table.enter(filters)
    return filters.promise
  }

  /** A call's turn has come: it is sent as soon as there is a connection. */
  begin(filters: FilterCall): void {
    filters.phase = QUEUED
    this.pending.add(filters)
    this.line.put(filters)
    this.pump()
  }

  connected(connection: SessionConnection, { hasSession, isReconnect, mustSubscribe }: Continuity): void {
    this.connection = connection
    if (!isReconnect && !hasSession) this.subscriptions.clear()
    const waiting = [...this.pending]
    this.line = new FifoQueue()
    if (mustSubscribe) {
      for (const renewal of this.subscriptions.renewals(this.suspicion.isCautious)) {
        this.begin(this.renew(renewal))
      }
    }
    for (const filters of waiting) this.line.put(filters)
  }

  /** Gives the connection all of them, renewals first. */
  repeat(): void {
    this.isTurn = true
    this.pump()
  }

  /**
   * The connection is lost: where calls outlive it, those for which somebody waits are sent again on the next one.
   * @param make makes the error for the others
   */
  lose(make: MakeError): void {
    this.connection = null
    this.isTurn = false
    this.sent = 0
    for (const filters of this.pending) {
      if (filters.caller === NO_CALLER) this.subscriptions.blame(filters.call, filters.losses)
      if (filters.phase !== SENT && filters.caller === CALLER_WAITS) continue
      if (this.identifiers !== null && filters.caller === CALLER_WAITS) {
        this.freeIdentifier(filters)
        filters.phase = QUEUED
        continue
      }
      // Whoever wanted to be rid of them does not want them renewed.
      if (filters.kind === COMMAND_UNSUBSCRIBE) this.subscriptions.ended(filters.call, null)
      filters.phase = QUEUED
      this.reject(filters, make)
    }
  }

  /**
   * Gives up a call for which the broker has ended too many connections; there is no connection.
   * @returns what is said about it
   */
  giveUpOn(filters: FilterCall, make: MakeError): MqttError {
    const { call, losses } = filters
    const names = call.filters.map(({ filter }) => filter).join(', ')
    const error = () => undeliverable(`subscription to ${names}`, losses, make())
    this.subscriptions.ended(call, null)
    if (this.pending.has(filters)) this.reject(filters, error)
    return error()
  }

  /**
   * DONE came.
   * @param codes one reason code a filter; none in an UNSUBACK of MQTT 3.x
   * @param properties what the broker said beside a code that is a failure
   */
  done(filters: FilterCall, code: number, codes: Uint8Array, properties: Uint8Array): void {
    this.forget(filters)
    if (code < CODE_WITHDRAWN && this.identifiers !== null) this.answered(filters, codes, properties)
    this.pump()
  }

  /** It is over. */
  forget(filters: FilterCall): void {
    this.freeIdentifier(filters)
    if (filters.phase === SENT) this.sent--
    this.pending.delete(filters)
    this.table.remove(filters)
  }

  private make(kind: number, call: FiltersCall, timeout: number, site: CallSite | null): FilterCall {
    const number = this.table.nextNumber
    this.log?.sendingFilters(kind === COMMAND_SUBSCRIBE, call.filters, number)
    return new FilterCall(this.owner, number, kind, timeout, call, site)
  }

  /** A call without a caller. */
  private renew({ call, losses }: Renewal): FilterCall {
    const filters = this.make(COMMAND_SUBSCRIBE, { ...call, signal: undefined }, Infinity, null)
    filters.caller = NO_CALLER
    filters.losses = losses
    this.table.add(filters)
    return filters
  }

  /** Sends what may be sent. What finds no packet identifier waits for one. */
  private pump(): void {
    const { connection, line, suspicion } = this
    if (connection === null || !this.isTurn) return
    while (line.length > 0 && !(suspicion.isCautious && this.sent > 0)) {
      if (this.identifiers?.isExhausted) return
      const filters = line.get() as FilterCall
      if (filters.phase === QUEUED) this.submit(filters, connection)
    }
  }

  private submit(filters: FilterCall, connection: SessionConnection): void {
    const refused = filtersRefusal(filters, connection)
    if (refused !== null) {
      if (filters.caller === NO_CALLER) this.notRenewed(filters.call, refused().message, refused())
      this.reject(filters, refused)
      return
    }
    filters.identifier = this.identifiers?.take() ?? 0
    const { kind, number, identifier, call } = filters
    const { commands } = this.runtime
    commands.filters(kind, connection.number, number, identifier, call.filters, call.encodedProperties)
    filters.phase = SENT
    this.sent++
    this.runtime.changed()
  }

  private reject(filters: FilterCall, make: MakeError): void {
    this.forget(filters)
    this.table.reject(filters, make)
  }

  private freeIdentifier(filters: FilterCall): void {
    this.identifiers?.free(filters.identifier)
    filters.identifier = 0
  }

  private answered({ kind, call, caller }: FilterCall, codes: Uint8Array, properties: Uint8Array): void {
    if (kind === COMMAND_UNSUBSCRIBE) {
      this.subscriptions.ended(call, codes)
      return
    }
    // Nobody knows of one that was given up: whoever gave it up does not expect it on the next connection.
    const isWanted = call.isOwn !== true && caller !== CALLER_LEFT
    if (isWanted) this.subscriptions.granted(call, codes)
    if (caller !== NO_CALLER) return
    for (const [index, filter] of call.filters.entries()) {
      const code = codes[index] as number
      if (code < FAILURE) continue
      const refused = refusedBy(PacketTypes.SUBACK, code, Uint8Array.from(properties))
      this.notRenewed({ ...call, filters: [filter] }, String(refused.rc), refused)
    }
  }

  private notRenewed({ filters }: FiltersCall, why: string, cause: MqttError): void {
    for (const { filter } of filters) {
      const text = `The broker did not renew the subscription to ${filter}: ${why}`
      this.owner.notRenewed(new MqttError(text, { cause: withoutStack(cause) }))
    }
  }
}
