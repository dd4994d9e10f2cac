import { BrokerLimits } from '../calls/broker-limits.js'
import type { Farewell } from '../calls/disconnect-arguments.js'
import {
  CAUSE_LOCAL,
  CAUSE_PROTOCOL,
  CAUSE_REFUSED,
  CAUSE_SERVER_DISCONNECT,
  type ConnectionOptions,
} from '../engine/binding.js'
import type { ConnectionEvents } from '../engine/event-reader.js'
import type { Message } from '../engine/message.js'
import type { Runtime } from '../engine/runtime.js'
import type { Inbox } from '../messages/inbox.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { Session } from '../session/session.js'
import type { SessionConnection } from '../session/session-connection.js'
import type { Callable } from '../support/call-site.js'
import type { PacketLog } from '../telemetry/packet-log.js'
import type { Telemetry, Traffic } from '../telemetry/telemetry.js'
import type { Link } from '../transports/link.js'
import { Acknowledgements } from './acknowledgements.js'
import { Authenticator, type AuthenticatorOwner } from './authenticator.js'
import { authenticationFailure, type ConnectionEnd, cleanEnd, connectionEnd } from './connection-end.js'

/** DISCONNECT's reason code for what has no other. */
const UNSPECIFIED_ERROR = 128

/** What all connections of a client have in common. */
export interface ConnectionContext {
  readonly runtime: Runtime
  readonly settings: ClientSettings
  readonly session: Session
  readonly inbox: Inbox
  readonly log: PacketLog | null
  readonly telemetry: Telemetry
  /** The places that have spoken MQTT to this client. */
  readonly speakers: Set<string>
}

/** Whom a connection belongs to. */
export interface ConnectionOwner {
  /** Comes once, whether or not the broker has accepted it; what was pending has been rejected. */
  onClosed(connection: Connection, end: ConnectionEnd): void
}

/** Whom it belongs to until the broker has accepted it. */
export interface ConnectionMaker extends ConnectionOwner {
  /** @param properties CONNACK's; null on MQTT 3.x */
  onOpened(connection: Connection, sessionPresent: boolean, properties: Properties | null): void
}

/** One connection to a broker, from `Binding.open()` to CLOSED. A client has one after the other. */
export class Connection implements SessionConnection, ConnectionEvents, Traffic, AuthenticatorOwner {
  readonly hasProperties: boolean
  /** What the engine leaves to us to acknowledge; null when it does so itself. */
  readonly acknowledgements: Acknowledgements | null
  /** Messages are acknowledged as they come, as the engine would do it, but by way of the store. */
  private readonly acknowledgesItself: boolean
  taken = 0
  /** Bytes of the topic names that it has brought since the engine last forgot all. */
  private nameBytes = 0
  private topicGeneration = 0
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
  private owner: ConnectionOwner
  private readonly runtime: Runtime
  private readonly session: Session
  private readonly inbox: Inbox
  private readonly log: PacketLog | null
  private readonly telemetry: Telemetry

  /**
   * @param link the way to the broker, of which `options` tell the engine
   */
  static open(
    context: ConnectionContext,
    options: ConnectionOptions,
    link: Link,
    maker: ConnectionMaker,
  ): Connection {
    const { runtime, settings } = context
    if (settings.logger.pahoTrace === true) runtime.events.trace(settings.logger)
    return new Connection(context, runtime.binding.open(options), link, maker)
  }

  private constructor(
    private readonly context: ConnectionContext,
    readonly number: number,
    private readonly link: Link,
    private readonly maker: ConnectionMaker,
  ) {
    const { runtime, settings, session, inbox, log, telemetry } = context
    const { protocol, manualAcks, authentication } = settings
    this.owner = maker
    this.hasProperties = protocol === ProtocolVersion.V5
    this.runtime = runtime
    this.session = session
    this.inbox = inbox
    this.log = log
    this.telemetry = telemetry
    const { receipts } = session
    const mustAcknowledge = manualAcks || receipts !== null
    this.acknowledgements = mustAcknowledge ? new Acknowledgements(runtime, number, receipts) : null
    this.acknowledgesItself = mustAcknowledge && !manualAcks
    this.authenticator = authentication === null ? null : new Authenticator(authentication, this)
    telemetry.begin(this)
    session.engineState.expectFrom(number)
    runtime.events.listen(number, this)
  }

  /** It has been accepted, and belongs to somebody else from now on. */
  handOver(owner: ConnectionOwner): void {
    this.owner = owner
  }

  measure(into: Float64Array): boolean {
    return this.runtime.binding.traffic(this.number, into)
  }

  get heldOnWay(): number {
    return this.link.held
  }

  get topicBytes(): number {
    return this.topicGeneration === this.runtime.events.topicGeneration ? this.nameBytes : 0
  }

  named(bytes: number): void {
    if (this.topicGeneration !== this.runtime.events.topicGeneration) {
      this.topicGeneration = this.runtime.events.topicGeneration
      this.nameBytes = 0
    }
    this.nameBytes += bytes
  }

  /** Whether the server could be one that waits for TLS: nothing that we have sent has been understood. */
  private get mayBeTls(): boolean {
    const { transport } = this.context.settings
    if (this.link.isSecure || this.context.speakers.has(this.link.where)) return false
    return transport !== 'websockets' && transport !== 'unix'
  }

  /** Whether calls can be made. */
  get isUsable(): boolean {
    return this.isOpened && !this.isClosing && !this.isClosed
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
    const failure = authenticationFailure(cause, this.link.where)
    if (this.isOpened) {
      this.failure = failure
      this.isClosing = true
      this.runtime.commands.close(this.number, false, UNSPECIFIED_ERROR, null)
      this.runtime.changed()
    } else {
      this.breakOff(failure)
    }
  }

  /** Says how much may be delivered: see `Binding.grant()`. */
  grant(messages: number, bytes: number): void {
    if (!this.isClosed) this.runtime.binding.grant(this.number, messages, bytes)
  }

  stalled(bytes: number): void {
    if (!this.isClosed) this.context.inbox.stalled(bytes)
  }

  lowered(): void {
    const what = 'has answered a publish of QoS 2 with PUBACK: it delivers such messages with QoS 1'
    this.context.settings.logger.warn(`The broker ${what} (${this.link.where})`)
  }

  /** Sends DISCONNECT after all that was submitted before. `onClosed` comes when it has left. */
  close({ reason, properties }: Farewell): void {
    this.isClosing = true
    this.log?.sendingDisconnect()
    this.runtime.commands.close(this.number, false, reason, properties)
    this.runtime.changed()
  }

  /** Ends it at once, without DISCONNECT; `onClosed` comes before this returns. */
  abort(): void {
    if (!this.isClosed) this.breakOff(cleanEnd())
  }

  opened(sessionPresent: boolean, raw: Buffer): void {
    if (this.isClosed) return
    this.isOpened = true
    this.context.speakers.add(this.link.where)
    this.telemetry.connected()
    let properties: Properties | null = null
    if (this.hasProperties) {
      // A copy: these properties stay, and the slab must not stay with them.
      properties = Properties.decode(PacketTypes.CONNACK, Buffer.from(raw))
      this.limits = new BrokerLimits(properties)
    }
    this.maker.onOpened(this, sessionPresent, properties)
  }

  message(message: Message): void {
    this.taken += message.size
    // What cannot be acknowledged any more comes again.
    if (this.isClosed && this.acknowledgements !== null && message.mid !== 0) return
    this.telemetry.received(message)
    this.log?.receivedPublish(message)
    if (this.acknowledgesItself && message.mid !== 0) void message.ack()
    this.inbox.push(message)
  }

  done(operation: number, code: number, codes: Uint8Array, properties: Uint8Array): void {
    if (!this.isClosed) this.session.done(operation, code, codes, properties)
  }

  received(operation: number): void {
    if (!this.isClosed) this.session.received(operation)
  }

  auth(code: number, properties: Buffer): void {
    if (this.isClosed) return
    this.context.speakers.add(this.link.where)
    if (this.authenticator !== null) this.authenticator.received(code, properties)
    else
      this.failAuthentication(new Error('The broker has a challenge, and there is no option authentication'))
  }

  released(identifier: number): void {
    this.acknowledgements?.released(identifier)
  }

  left(state: Uint8Array, received: number, sent: number): void {
    this.telemetry.end(this, received, sent)
    // What is large was lent by the engine, and nobody else's.
    const isAlone = state.length * 2 > state.buffer.byteLength
    const known = this.acknowledgements?.session(state) ?? (isAlone ? state : Uint8Array.from(state))
    this.session.engineState.save(this.number, known)
  }

  closed(cause: number, code: number, errno: number, bytes: Buffer): void {
    if (cause === CAUSE_REFUSED) this.log?.receivedConnack(false, code, null)
    else if (cause === CAUSE_SERVER_DISCONNECT) this.log?.receivedDisconnect(code)
    const { link } = this
    const closed = { opened: this.isOpened, mayBeTls: this.mayBeTls, cause, code, errno, bytes }
    const end = this.failure ?? connectionEnd(closed, link, this.hasProperties)
    // Where a stream of Node's is part of the way, DISCONNECT may still be in it.
    if (cause === CAUSE_LOCAL && link.drained !== null) void link.drained.then(() => this.end(end))
    else this.end(end)
    if (cause !== CAUSE_LOCAL && cause !== CAUSE_PROTOCOL) link.destroy()
  }

  private breakOff(end: ConnectionEnd): void {
    this.runtime.commands.close(this.number, true, 0, null)
    this.runtime.changed()
    this.link.destroy()
    this.end(end, true)
  }

  /** @param isWanted whether the client has ended it itself */
  private end(end: ConnectionEnd, isWanted = this.isClosing): void {
    if (this.isClosed) return
    this.isClosed = true
    this.acknowledgements?.end()
    this.authenticator?.end(end.error)
    this.session.lose(this, end.error, isWanted)
    const { logger } = this.context.settings
    if (logger.pahoTrace === true) this.runtime.events.untrace(logger)
    this.owner.onClosed(this, end)
  }
}
