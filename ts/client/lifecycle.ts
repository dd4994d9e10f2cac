import type { CallPolicy, Calls } from '../calls/calls.js'
import { timedOut } from '../calls/operation.js'
import { PendingCall } from '../calls/pending-call.js'
import { encodeConnectProperties } from '../connection/authenticator.js'
import { Connection, type ConnectionOwner } from '../connection/connection.js'
import { type ConnectionEnd, cleanEnd, endCause } from '../connection/connection-end.js'
import type { ConnectionOptions } from '../engine/binding.js'
import { runtime } from '../engine/runtime.js'
import type { Failure } from '../failures/failure.js'
import type { Inbox } from '../messages/inbox.js'
import { MqttCodeError, MqttError, MqttReentrantError } from '../mqtt/errors.js'
import type { Properties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { AuthenticationSettings } from '../options/authentication.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { Host } from '../reconnect/hosts.js'
import { type Plan, Reconnector } from '../reconnect/reconnector.js'
import { Session } from '../session/session.js'
import { type Callable, CallSite } from '../support/call-site.js'
import { type StateChange, StateLog } from '../telemetry/client-states.js'
import { PacketLog } from '../telemetry/packet-log.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import type { Link, LinkFields } from '../transports/link.js'
import { Attempt, type AttemptOwner } from './attempt.js'

/** Paho's code for a call without a connection. */
const NOT_CONNECTED = 4

/** The longest time that a timer of Node's can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

/** What a client's options, and its members that can be set, say about its calls and attempts. */
export interface LifecyclePolicy extends CallPolicy {
  /** Seconds that an attempt to connect may take. */
  attemptTimeout(): number
}

/**
 * The life of one client: it connects, is connected, disconnects or loses the connection, comes back by itself if its
 * options say so, and may begin again. At any time there is at most one of a timer for the next attempt, an attempt,
 * and a connection that is open or closing; a pending `connect()` has one of the first two, and so has a client that
 * is reconnecting.
 */
export class Lifecycle implements ConnectionOwner, AttemptOwner {
  readonly states = new StateLog()
  /** The client identifier: the client's own, or after CONNACK the one that the broker assigned. */
  identifier: string
  /** The last CONNACK's. */
  responseInformation: string | undefined
  readonly log: PacketLog | null

  /** The pending `connect()`. */
  private call: PendingCall | null = null
  private attempt: Attempt | null = null
  private retry: NodeJS.Timeout | null = null
  /** From the beginning of its opening to its end. */
  private connection: Connection | null = null
  private disconnection: PendingCall | null = null
  /** Where the connection goes. */
  private host: Host
  /** The client identifier in the last CONNECT. */
  private sentIdentifier = ''
  /** Who iterates was told that the connection is over; not before the first connection, and not twice. */
  private hasEnded = false
  /** What the last connection left for the next one of the same session. */
  private savedState: Uint8Array | undefined
  private readonly reconnector: Reconnector | null
  /** Whether calls may outlive connections. */
  private readonly hasSession: boolean
  private session: Session | null = null

  constructor(
    private readonly settings: ClientSettings,
    readonly inbox: Inbox,
    readonly policy: LifecyclePolicy,
    readonly telemetry: Telemetry,
  ) {
    const { identifier, logger, hostname, port, reconnect, offlineQueue, store } = settings
    this.identifier = identifier
    this.log = PacketLog.for(logger)
    this.host = { hostname, port }
    this.reconnector = reconnect === null ? null : new Reconnector(settings, reconnect)
    this.hasSession = reconnect !== null || offlineQueue !== null || store !== null
  }

  get manualAcks(): boolean {
    return this.settings.manualAcks
  }

  get authentication(): AuthenticationSettings | null {
    return this.settings.authentication
  }

  /**
   * What `Client.reauthenticate()` does.
   * @throws {MqttCodeError} `[code:4] The client is not currently connected.`
   * @throws as `Connection.reauthenticate()`
   */
  reauthenticate(data: Uint8Array | null, timeout: number, entry: Callable): Promise<void> {
    return this.usableConnection.reauthenticate(data, timeout, entry)
  }

  /**
   * What takes a call.
   * @throws {MqttCodeError} `[code:4] The client is not currently connected.`
   */
  get calls(): Calls {
    return this.hasSession ? this.ownSession() : this.usableConnection
  }

  /**
   * @param entry the public method that is running, for the stacks of errors
   * @throws {MqttReentrantError} the client is in use
   * @throws {MqttError} there is no time
   */
  connect(timeout: number, signal: AbortSignal | undefined, entry: Callable): Promise<void> {
    if (this.states.state !== 'disconnected' || this.connection !== null) throw new MqttReentrantError()
    if (timeout <= 0) throw timedOut()
    const limit = this.retriesFirst ? Number.POSITIVE_INFINITY : timeout
    const giveUp = (reason: unknown) => this.abandon(reason)
    const call = new PendingCall(runtime(), limit, signal, new CallSite(entry), giveUp)
    this.call = call
    this.setState({ state: 'connecting' })
    void this.begin(call)
    return call.promise
  }

  /** Never rejects. */
  disconnect(timeout: number, entry: Callable): Promise<void> {
    if (this.disconnection !== null) return this.disconnection.promise
    const { call, connection } = this
    if (connection !== null && this.states.state === 'connected') {
      this.disconnection = this.disconnecting(timeout, entry, connection)
      connection.close()
      return this.disconnection.promise
    }
    if (this.states.state === 'disconnected' && !this.hasEnded) this.warnOfForce(String(NOT_CONNECTED))
    this.call = null
    this.stop()
    call?.fail(
      new MqttError('disconnect() was called before the connection was made', {
        code: 'ERR_MQTT_DISCONNECTED',
      }),
    )
    this.finish(cleanEnd().error, null, false)
    const stored = this.session?.stored() ?? null
    if (stored === null) return Promise.resolve()
    const disconnection = this.disconnecting(timeout, entry, null)
    void stored.then(() => disconnection.resolve())
    return disconnection.promise
  }

  onLink(attempt: Attempt, link: Link): void {
    const { settings } = this
    const environment = runtime()
    const options = this.connectionOptions(link.fields(environment.binding))
    const isV5 = settings.protocol === ProtocolVersion.V5
    if (settings.logger.pahoTrace === true) environment.trace(settings.logger)
    const number = environment.binding.open(options)
    const connection = new Connection(environment, number, this, link, isV5, this.session)
    this.connection = attempt.connection = connection
    this.sentIdentifier = options.identifier
    this.log?.sendingConnect(options, settings.properties)
  }

  onFailed(attempt: Attempt, failure: Failure): void {
    this.failed(attempt, failure)
  }

  onOpened(sessionPresent: boolean, properties: Properties | null): void {
    this.log?.receivedConnack(sessionPresent, 0, properties)
    const { attempt, call, connection, session, settings } = this
    if (attempt === null || connection === null) return
    attempt.succeed()
    this.attempt = this.call = null
    this.host = attempt.host
    this.reconnector?.succeeded(attempt.host)
    this.identifier = properties?.assignedClientIdentifier ?? this.sentIdentifier
    this.responseInformation = properties?.responseInformation
    this.hasEnded = false
    this.inbox.open((paused) => connection.pause(paused))
    const isReconnect = call === null
    // MQTT 3.1 does not tell: its session is the one that was asked for, but its broker may have been restarted.
    const isUntold = settings.protocol === ProtocolVersion.V31 && !settings.cleanStart
    session?.connected(connection, {
      hasSession: sessionPresent || isUntold,
      isReconnect,
      mustSubscribe: isReconnect && !sessionPresent && settings.reconnect?.resubscribe === true,
    })
    this.setState({ state: 'connected', sessionPresent })
    call?.resolve()
  }

  onSession(connection: Connection, state: Uint8Array): void {
    // One that was broken off may end after the next one has begun, which has its own state by then.
    if (this.connection !== null && this.connection !== connection) return
    this.savedState = state
  }

  onClosed(connection: Connection, end: ConnectionEnd): void {
    if (this.settings.logger.pahoTrace === true) runtime().untrace(this.settings.logger)
    if (connection !== this.connection) return
    const { attempt, disconnection, reconnector } = this
    if (attempt !== null) {
      this.failed(attempt, end.failure)
      return
    }
    this.connection = this.disconnection = null
    const plan =
      disconnection === null && reconnector !== null ? reconnector.lost(this.host, end.failure) : null
    if (plan !== null) {
      this.session?.wait()
      this.schedule(plan, end.failure)
      return
    }
    this.finish(end.error, endCause(end), disconnection === null)
    // Whoever made the store may close it when disconnect() has resolved.
    const stored = this.session?.stored() ?? null
    if (stored === null) disconnection?.resolve()
    else void stored.then(() => disconnection?.resolve())
  }

  private get retriesFirst(): boolean {
    return this.settings.reconnect?.initial === true
  }

  /** Whether the connection that is being made is one that nobody has called for. */
  private get isReconnecting(): boolean {
    return this.states.state === 'reconnecting'
  }

  private get usableConnection(): Connection {
    const { connection } = this
    if (connection === null || !connection.isUsable) throw new MqttCodeError(NOT_CONNECTED)
    return connection
  }

  private ownSession(): Session {
    if (this.session === null) {
      this.session = new Session(runtime(), this.settings, this.policy, this.log)
      this.telemetry.follow(this.session)
    }
    return this.session
  }

  /** Makes the first attempt. */
  private async begin(call: PendingCall): Promise<void> {
    try {
      if (this.hasSession) await this.ownSession().load()
    } catch (cause) {
      if (this.call !== call) return
      this.abandon(new MqttError('The store failed', { code: 'ERR_MQTT_STORE', cause }))
      return
    }
    if (this.call !== call) return
    const { hostname, port } = this.settings
    this.try(this.reconnector?.start() ?? { hostname, port })
  }

  private try(host: Host): void {
    // The only attempt of connect() has the time that connect() has.
    const isLimited = this.call !== null && !this.retriesFirst
    const timeout = isLimited ? Number.POSITIVE_INFINITY : this.policy.attemptTimeout()
    this.attempt = new Attempt(runtime(), this.settings, host, this, timeout)
  }

  private failed(attempt: Attempt, failure: Failure): void {
    const { call, reconnector } = this
    this.stop()
    const mayRetry = call === null || this.retriesFirst
    const plan = reconnector?.failed(attempt.host, failure, mayRetry) ?? null
    if (plan !== null) {
      this.schedule(plan, failure)
    } else if (call === null) {
      this.finish(() => failure.error(), failure.report(), true)
    } else {
      this.abandon(failure.rejection())
    }
  }

  /** @param failure why another attempt is necessary */
  private schedule({ host, delay, attempt }: Plan, failure: Failure): void {
    const { state } = this.states
    const what = `attempt ${attempt}, to ${host.hostname}:${host.port}, in ${delay.toFixed(2)} s`
    this.settings.logger.info(`Connecting again (${what}) after: ${failure.error().message}`)
    const go = () => {
      this.retry = null
      this.try(host)
    }
    this.retry = setTimeout(go, Math.min(delay * 1000, LONGEST_TIMER))
    // What is pending keeps the event loop alive (runtime.ts); coming back alone does not.
    this.retry.unref()
    this.setState({
      state: state === 'connecting' ? state : 'reconnecting',
      error: failure.report(),
      attempt,
    })
  }

  /** Gives `connect()` up. */
  private abandon(reason: unknown): void {
    const { call } = this
    this.call = null
    this.stop()
    this.setState({ state: 'disconnected', error: toMqttError(reason) })
    if (reason instanceof MqttError) call?.fail(reason)
    else call?.reject(reason)
  }

  /** Gives up what is being made. */
  private stop(): void {
    const { attempt } = this
    this.attempt = this.connection = null
    if (this.retry !== null) clearTimeout(this.retry)
    this.retry = null
    attempt?.abandon()
  }

  /**
   * The client is disconnected.
   * @param make makes the errors of what is pending
   * @param cause what is behind the end of iterations
   * @param keepsQueue whether the messages of the offline queue wait on
   */
  private finish(make: () => MqttError, cause: MqttError | null, keepsQueue: boolean): void {
    if (this.states.state !== 'disconnected') {
      this.setState(cause === null ? { state: 'disconnected' } : { state: 'disconnected', error: cause })
    }
    this.session?.end(make, keepsQueue && this.reconnector === null)
    this.endIteration(cause)
  }

  private endIteration(cause: MqttError | null): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.inbox.close(cause)
  }

  /** A pending `disconnect()`, which has to close the connection if there is one. */
  private disconnecting(timeout: number, entry: Callable, connection: Connection | null): PendingCall {
    const force = () => {
      this.warnOfForce('Operation timed out')
      connection?.abort()
      call.resolve()
    }
    const call = new PendingCall(runtime(), Math.max(timeout, 0), undefined, new CallSite(entry), force)
    return call
  }

  private warnOfForce(why: string): void {
    this.settings.logger.warn(`Could not gracefully disconnect: ${why}. Forcing disconnection.`)
  }

  private setState(change: StateChange): void {
    this.states.add(change)
    this.telemetry.stateChanged(change)
  }

  private connectionOptions(fields: LinkFields): ConnectionOptions {
    const { settings } = this
    const savedState = this.savedState ?? this.session?.receipts?.state ?? undefined
    const { protocol, keepalive, username, password, will, properties } = settings
    const isResumed = this.isReconnecting && settings.cleanStartFirstOnly && protocol === ProtocolVersion.V5
    const cleanStart = settings.cleanStart && !isResumed
    const options: ConnectionOptions = {
      ...fields,
      protocol,
      identifier: this.isReconnecting ? this.identifier : settings.identifier,
      cleanStart,
      keepalive,
      properties: encodeConnectProperties(properties, settings.authentication),
      topicAliases: settings.topicAliases,
      maxInflight: settings.maxInflightMessages,
      holdAcknowledgements: settings.manualAcks || settings.store !== null,
      holdReleases: settings.store !== null,
    }
    if (username !== null) options.username = username
    if (password !== null) options.password = password
    if (will !== null) options.will = will
    if (savedState !== undefined && !cleanStart) options.session = savedState
    return options
  }
}

/** An error for one who has to do with it only indirectly. */
function toMqttError(error: unknown): MqttError {
  if (error instanceof MqttError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new MqttError(message, { cause: error })
}
