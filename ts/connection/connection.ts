import { BrokerLimits } from '../calls/broker-limits.js'
import type { CallPolicy, Calls } from '../calls/calls.js'
import { Operation, timedOut } from '../calls/operation.js'
import { PendingOperations } from '../calls/pending-operations.js'
import type { PublishCall } from '../calls/publish-arguments.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import {
  CAUSE_LOCAL,
  CAUSE_PROTOCOL,
  CAUSE_REFUSED,
  CAUSE_SERVER_DISCONNECT,
  CODE_REFUSED,
  COMMAND_PUBLISH,
  COMMAND_SUBSCRIBE,
  COMMAND_UNSUBSCRIBE,
  MESSAGE_RETAIN,
  PUBLISH_STAGED,
} from '../engine/binding.js'
import type { Message } from '../engine/message.js'
import type { ConnectionEvents, Runtime } from '../engine/runtime.js'
import type { Inbox } from '../messages/inbox.js'
import { MqttCodeError } from '../mqtt/errors.js'
import { type PacketType, PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { type ReasonCode, receivedReasonCode } from '../mqtt/reason-code.js'
import type { AuthenticationSettings } from '../options/authentication.js'
import type { Session } from '../session/session.js'
import type { Callable } from '../support/call-site.js'
import type { PacketLog } from '../telemetry/packet-log.js'
import type { Telemetry, Traffic } from '../telemetry/telemetry.js'
import type { Link } from '../transports/link.js'
import { Acknowledgements } from './acknowledgements.js'
import { Authenticator, type AuthenticatorOwner } from './authenticator.js'
import { authenticationFailure, type ConnectionEnd, cleanEnd, connectionEnd } from './connection-end.js'

/** Payloads of this many bytes are copied once, and no more. */
const STAGED_FROM = 64 * 1024
const NO_PAYLOAD = new Uint8Array(0)

const UNSPECIFIED_ERROR = 128
/** Paho's code for what has no other. */
const UNKNOWN_ERROR = 13
const PACKET_IDENTIFIER_NOT_FOUND = 146

/** Whom a connection belongs to. */
export interface ConnectionOwner {
  readonly inbox: Inbox
  /** Messages are acknowledged by their `ack()`, not by the engine. */
  readonly manualAcks: boolean
  readonly authentication: AuthenticationSettings | null
  readonly policy: CallPolicy
  readonly log: PacketLog | null
  readonly telemetry: Telemetry
  /** @param properties CONNACK's; null on MQTT 3.x */
  onOpened(sessionPresent: boolean, properties: Properties | null): void
  /** @param state for the `session` of the next connection's options */
  onSession(connection: Connection, state: Uint8Array): void
  /** Comes once, whether or not `onOpened` came; what was pending has been rejected. */
  onClosed(connection: Connection, end: ConnectionEnd): void
}

/** One connection to a broker, from `Binding.open()` to CLOSED. A client has one after the other. */
export class Connection implements Calls, ConnectionEvents, Traffic, AuthenticatorOwner {
  readonly hasProperties: boolean
  /** What the engine leaves to us to acknowledge; null when it does so itself. */
  readonly acknowledgements: Acknowledgements | null
  /** Messages are acknowledged as they come, as the engine would do it, but by way of the store. */
  private readonly acknowledgesItself: boolean
  /** It has been accepted. */
  private isOpened = false
  /** `close()` was called. */
  private isClosing = false
  private isClosed = false
  /** What the broker has said that it does not take. */
  limits: BrokerLimits | null = null
  private readonly authenticator: Authenticator | null
  /** Why we end it ourselves. */
  private failure: ConnectionEnd | null = null
  private readonly operations: PendingOperations
  private readonly inbox: Inbox
  private readonly log: PacketLog | null
  private readonly telemetry: Telemetry

  /**
   * @param number what `Binding.open()` gave
   * @param link what it was given
   * @param session what has the calls if they may outlive the connection
   */
  constructor(
    private readonly runtime: Runtime,
    readonly number: number,
    private readonly owner: ConnectionOwner,
    private readonly link: Link,
    isV5: boolean,
    session: Session | null,
  ) {
    this.hasProperties = isV5
    this.inbox = owner.inbox
    this.log = owner.log
    const receipts = session?.receipts ?? null
    const mustAcknowledge = owner.manualAcks || receipts !== null
    this.acknowledgements = mustAcknowledge ? new Acknowledgements(runtime, number, receipts) : null
    this.acknowledgesItself = mustAcknowledge && !owner.manualAcks
    const { authentication } = owner
    this.authenticator = authentication === null ? null : new Authenticator(authentication, this)
    this.telemetry = owner.telemetry
    this.operations = session ?? new PendingOperations(runtime, number, owner.policy)
    this.telemetry.begin(this, this.operations)
    runtime.listen(number, this)
  }

  measure(into: Float64Array): void {
    this.runtime.binding.traffic(this.number, into)
  }

  /** Whether calls can be made. */
  get isUsable(): boolean {
    return this.isOpened && !this.isClosing && !this.isClosed
  }

  publish(call: PublishCall, timeout: number, entry: Callable): Promise<void> {
    const { qos, signal } = call
    if (timeout <= 0) throw timedOut()
    this.limits?.checkPublish(call)
    if (qos > 0) this.operations.checkRoom()
    const { commands } = this.runtime
    const start = commands.length
    const number = this.operations.nextNumber
    const staged = this.operations.isBusy ? null : largePayload(call.payload)
    const flags = qos | (call.retain ? MESSAGE_RETAIN : 0) | (staged === null ? 0 : PUBLISH_STAGED)
    const payload = staged === null ? call.payload : NO_PAYLOAD
    commands.publish(this.number, number, 0, flags, call.topic, call.encodedProperties, payload)
    if (staged !== null) this.runtime.stage(staged)
    this.log?.sendingPublish(call, number, this.hasProperties)
    const site = this.runtime.callSite(entry)
    const operation = new Operation(this.operations, number, COMMAND_PUBLISH, qos, timeout, signal, site)
    return this.operations.start(operation, start) as Promise<void>
  }

  subscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<ReasonCode[]> {
    this.limits?.checkSubscribe(call)
    return this.startFilters(COMMAND_SUBSCRIBE, call, timeout, entry) as Promise<ReasonCode[]>
  }

  unsubscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<void> {
    this.limits?.checkFiltersSize(call, 0)
    return this.startFilters(COMMAND_UNSUBSCRIBE, call, timeout, entry) as Promise<void>
  }

  /** @throws as `Authenticator.reauthenticate()`; only with the option `authentication` */
  reauthenticate(data: Uint8Array | null, timeout: number, entry: Callable): Promise<void> {
    return (this.authenticator as Authenticator).reauthenticate(data, this.runtime, timeout, entry)
  }

  sendAuth(code: number, properties: Uint8Array): void {
    this.limits?.checkSize(1 + properties.length)
    this.runtime.commands.auth(this.number, code, properties)
    this.runtime.changed()
  }

  failAuthentication(cause: unknown): void {
    if (this.isClosing) return
    const failure = authenticationFailure(cause)
    if (this.isOpened) {
      this.failure = failure
      this.isClosing = true
      this.runtime.commands.close(this.number, false, UNSPECIFIED_ERROR)
      this.runtime.changed()
    } else {
      this.breakOff(failure)
    }
  }

  /** Stops reading what the broker sends, or reads again. */
  pause(paused: boolean): void {
    if (!this.isClosed) this.runtime.binding.pause(this.number, paused)
  }

  /** Sends DISCONNECT after all that was submitted before. `onClosed` comes when it has left. */
  close(): void {
    this.isClosing = true
    this.log?.sendingDisconnect()
    this.runtime.commands.close(this.number, false, 0)
    this.runtime.changed()
  }

  /** Ends it at once, without DISCONNECT; `onClosed` comes before this returns. */
  abort(): void {
    if (!this.isClosed) this.breakOff(cleanEnd())
  }

  opened(sessionPresent: boolean, raw: Buffer): void {
    if (this.isClosed) return
    this.isOpened = true
    this.telemetry.connected()
    let properties: Properties | null = null
    if (this.hasProperties) {
      // A copy: these properties stay, and the slab must not stay with them.
      properties = Properties.decode(PacketTypes.CONNACK, Buffer.from(raw))
      this.limits = new BrokerLimits(properties)
    }
    this.owner.onOpened(sessionPresent, properties)
  }

  message(message: Message): void {
    this.telemetry.received(message)
    this.log?.receivedPublish(message)
    if (this.acknowledgesItself && message.mid !== 0) void message.ack()
    this.inbox.push(message)
  }

  done(number: number, code: number, bytes: Uint8Array): void {
    if (this.isClosed) return
    const operation = this.operations.done(number, code, bytes)
    if (operation === null) return
    this.log?.receivedAcknowledgement(operation.kind, operation.qos, number)
    if (code >= CODE_REFUSED) {
      operation.fail(() => refusedByPaho(CODE_REFUSED - code))
    } else if (operation.kind === COMMAND_SUBSCRIBE) {
      operation.resolve(Array.from(bytes, (value) => reasonCode(PacketTypes.SUBACK, value)))
    } else if (operation.kind === COMMAND_UNSUBSCRIBE) {
      settle(operation, PacketTypes.UNSUBACK, bytes.find((value) => value >= UNSPECIFIED_ERROR) ?? 0)
    } else {
      if (code < UNSPECIFIED_ERROR) this.telemetry.sent()
      settle(operation, acknowledgement(operation.qos, code), code)
    }
  }

  received(operation: number): void {
    if (!this.isClosed) this.operations.received(operation)
  }

  auth(code: number, properties: Buffer): void {
    if (this.isClosed) return
    if (this.authenticator !== null) this.authenticator.received(code, properties)
    else
      this.failAuthentication(new Error('The broker has a challenge, and there is no option authentication'))
  }

  released(identifier: number): void {
    this.acknowledgements?.released(identifier)
  }

  session(state: Uint8Array, received: number, sent: number): void {
    this.telemetry.end(this, received, sent)
    this.owner.onSession(this, this.acknowledgements?.session(state) ?? Uint8Array.from(state))
  }

  closed(cause: number, code: number, errno: number, bytes: Buffer): void {
    if (cause === CAUSE_REFUSED) this.log?.receivedConnack(false, code, null)
    else if (cause === CAUSE_SERVER_DISCONNECT) this.log?.receivedDisconnect(code)
    const { link } = this
    const closed = { opened: this.isOpened, cause, code, errno, bytes }
    const end = this.failure ?? connectionEnd(closed, link, this.hasProperties)
    // Where a stream of Node's is part of the way, DISCONNECT may still be in it.
    if (cause === CAUSE_LOCAL && link.drained !== null) void link.drained.then(() => this.end(end))
    else this.end(end)
    if (cause !== CAUSE_LOCAL && cause !== CAUSE_PROTOCOL) link.destroy()
  }

  private startFilters(kind: number, call: FiltersCall, timeout: number, entry: Callable): Promise<unknown> {
    if (timeout <= 0) throw timedOut()
    const { commands } = this.runtime
    const start = commands.length
    const number = this.operations.nextNumber
    commands.filters(kind, this.number, number, 0, call.filters, call.encodedProperties)
    this.log?.sendingFilters(kind === COMMAND_SUBSCRIBE, call.filters, number)
    const site = this.runtime.callSite(entry)
    const operation = new Operation(this.operations, number, kind, 0, timeout, call.signal, site)
    return this.operations.start(operation, start)
  }

  private breakOff(end: ConnectionEnd): void {
    this.runtime.commands.close(this.number, true, 0)
    this.runtime.changed()
    this.link.destroy()
    this.end(end)
  }

  private end(end: ConnectionEnd): void {
    if (this.isClosed) return
    this.isClosed = true
    this.acknowledgements?.end()
    this.authenticator?.end(end.error)
    this.operations.failAll(end.error)
    this.owner.onClosed(this, end)
  }
}

/** The payload, if it is large enough not to be copied from command to packet. */
function largePayload(payload: string | Uint8Array): Uint8Array | null {
  return typeof payload !== 'string' && payload.length >= STAGED_FROM ? payload : null
}

/** Resolves, or rejects if the broker's code is a failure. */
function settle(operation: Operation, packetType: PacketType, code: number): void {
  if (code < UNSPECIFIED_ERROR) operation.resolve(undefined)
  else operation.fail(() => new MqttCodeError(reasonCode(packetType, code)))
}

/** What no check of ours has foreseen: a fault of this library's. */
function refusedByPaho(result: number): MqttCodeError {
  return new MqttCodeError(UNKNOWN_ERROR, '', { cause: new Error(`Paho C refused the call with ${result}`) })
}

/** The packet that has ended a publish. */
function acknowledgement(qos: number, code: number): PacketType {
  if (qos < 2) return PacketTypes.PUBACK
  return code === PACKET_IDENTIFIER_NOT_FOUND ? PacketTypes.PUBCOMP : PacketTypes.PUBREC
}

/** The native side has checked that the code may stand in this packet. */
function reasonCode(packetType: PacketType, value: number): ReasonCode {
  return receivedReasonCode(packetType, value) as ReasonCode
}
