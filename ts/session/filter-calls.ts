import { FAILURE } from '../calls/answers.js'
import { queueFull } from '../calls/local-errors.js'
import { CALLER_LEFT, CALLER_WAITS, NO_CALLER, QUEUED, SENT } from '../calls/operation.js'
import type { OperationTable } from '../calls/operation-table.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import { CODE_WITHDRAWN, COMMAND_UNSUBSCRIBE } from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { receivedReasonCode } from '../mqtt/reason-code.js'
import type { FilterCall } from './filter-call.js'
import type { PacketIdentifiers } from './packet-identifiers.js'
import { filtersRefusal, type MakeError } from './refusals.js'
import { RememberedSubscriptions } from './remembered-subscriptions.js'
import type { Continuity, SessionConnection } from './session-connection.js'

/**
 * The SUBSCRIBEs and UNSUBSCRIBEs of a client that are not answered, and, where its calls outlive its connections, the
 * subscriptions that the broker may have to be asked for again.
 */
export class FilterCalls {
  private readonly pending = new Set<FilterCall>()
  private readonly subscriptions = new RememberedSubscriptions()
  private connection: SessionConnection | null = null

  /**
   * @param identifiers null where the calls do not outlive their connection: then the engine chooses
   * @param renew makes a call without a caller
   * @param warn tells the logger
   */
  constructor(
    private readonly runtime: Runtime,
    private readonly table: OperationTable,
    private readonly identifiers: PacketIdentifiers | null,
    private readonly renew: (call: FiltersCall) => FilterCall,
    private readonly warn: (text: string) => void,
  ) {}

  /** A call's turn has come: it is sent as soon as there is a connection. */
  begin(filters: FilterCall): void {
    filters.phase = QUEUED
    this.pending.add(filters)
    this.submit(filters)
  }

  connected(connection: SessionConnection, { hasSession, isReconnect, mustSubscribe }: Continuity): void {
    this.connection = connection
    if (!isReconnect && !hasSession) this.subscriptions.clear()
    if (mustSubscribe) {
      for (const call of this.subscriptions.all()) this.begin(this.renew(call))
    }
    for (const filters of this.pending) this.submit(filters)
  }

  /**
   * The connection is lost: where calls outlive it, those for which somebody waits are sent again on the next one.
   * @param make makes the error for the others
   */
  lose(make: MakeError): void {
    this.connection = null
    for (const filters of this.pending) {
      if (filters.phase !== SENT) continue
      if (this.identifiers !== null && filters.caller === CALLER_WAITS) {
        this.freeIdentifier(filters)
        filters.phase = QUEUED
        continue
      }
      // Whoever wanted to be rid of them does not want them renewed.
      if (filters.kind === COMMAND_UNSUBSCRIBE) this.subscriptions.ended(filters.call, null)
      this.reject(filters, make)
    }
  }

  /** DONE came. @param bytes one reason code a filter; none in an UNSUBACK of MQTT 3.x */
  done(filters: FilterCall, code: number, bytes: Uint8Array): void {
    this.forget(filters)
    if (code < CODE_WITHDRAWN && this.identifiers !== null) this.answered(filters, bytes)
  }

  /** It is over. */
  forget(filters: FilterCall): void {
    this.freeIdentifier(filters)
    this.pending.delete(filters)
    this.table.remove(filters)
  }

  private submit(filters: FilterCall): void {
    const { connection, runtime } = this
    if (connection === null || filters.phase === SENT) return
    const refused = filtersRefusal(filters, connection)
    if (refused !== null) {
      this.reject(filters, refused)
      return
    }
    if (this.identifiers !== null) {
      filters.identifier = this.identifiers.take()
      if (filters.identifier === 0) {
        this.reject(filters, queueFull)
        return
      }
    }
    const { kind, number, identifier, call } = filters
    runtime.commands.filters(
      kind,
      connection.number,
      number,
      identifier,
      call.filters,
      call.encodedProperties,
    )
    filters.phase = SENT
    runtime.changed()
  }

  private reject(filters: FilterCall, make: MakeError): void {
    const { caller } = filters
    filters.caller = CALLER_LEFT
    this.forget(filters)
    if (caller !== CALLER_WAITS) return
    this.table.endCall(filters)
    filters.fail(make)
  }

  private freeIdentifier(filters: FilterCall): void {
    this.identifiers?.free(filters.identifier)
    filters.identifier = 0
  }

  private answered({ kind, call, caller }: FilterCall, bytes: Uint8Array): void {
    if (kind === COMMAND_UNSUBSCRIBE) {
      this.subscriptions.ended(call, bytes)
      return
    }
    if (call.isRenewedByCaller !== true) this.subscriptions.granted(call, bytes)
    if (caller !== NO_CALLER) return
    for (const [index, { filter }] of call.filters.entries()) {
      const code = bytes[index] as number
      if (code < FAILURE) continue
      const why = receivedReasonCode(PacketTypes.SUBACK, code)?.getName() ?? code
      this.warn(`The broker did not renew the subscription to ${filter}: ${why}`)
    }
  }
}
