import type { Farewell } from '../calls/disconnect-arguments.js'
import { notConnected } from '../calls/local-errors.js'
import { timedOut } from '../calls/operation.js'
import type { CallPolicy } from '../calls/operation-table.js'
import { PendingCall } from '../calls/pending-call.js'
import type { Connection, ConnectionContext, ConnectionOwner } from '../connection/connection.js'
import { type ConnectionEnd, cleanEnd, endCause } from '../connection/connection-end.js'
import { runtime } from '../engine/runtime.js'
import { Failure, withoutStack } from '../failures/failure.js'
import type { Inbox } from '../messages/inbox.js'
import { MqttError, MqttReentrantError } from '../mqtt/errors.js'
import type { Properties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { ConnectionAttempt } from '../options/connection-attempt.js'
import type { Host } from '../reconnect/hosts.js'
import { type Plan, Reconnector } from '../reconnect/reconnector.js'
import { Session } from '../session/session.js'
import { type Callable, CallSite } from '../support/call-site.js'
import { queueMicrotask, setTimeout } from '../support/clock.js'
import { LONGEST_TIMER } from '../support/deadlines.js'
import { textOf } from '../support/thrown.js'
import { type StateChange, StateLog } from '../telemetry/client-states.js'
import { PacketLog } from '../telemetry/packet-log.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { placeOf } from '../transports/way.js'
import { Attempt, type AttemptOwner } from './attempt.js'
import { abandon, IDLE, type Life } from './life.js'

/** What a client's options, and its members that can be set, say about its calls and attempts. */
interface LifecyclePolicy extends CallPolicy {
  /** Seconds that an attempt to connect may take. */
  attemptTimeout(): number
  /** There is a connection. @param hasSession whether its broker knows the session */
  onConnected(hasSession: boolean): void
}

/**
 * The life of one client: it connects, is connected, disconnects or loses the connection, comes back by itself if its
 * options say so, and may begin again.
 */
export class Lifecycle implements ConnectionOwner, AttemptOwner {
  readonly states = new StateLog()
  /** The client identifier: the client's own, or after CONNACK the one that the broker assigned. */
  identifier: string
  /** The last CONNACK's. */
  responseInformation: string | undefined

  /** The last CONNACK's; null before the first one, and on MQTT 3.x. */
  serverProperties: Properties | null = null
  /** The last CONNACK's. */
  sessionPresent = false

  private current: Life = IDLE
  /** Whether the event loop is kept alive while the client is in use. */
  private isRef = true
  private isHolding = false
  private readonly reconnector: Reconnector | null
  /** Made when it is first needed: it loads the addon. */
  private madeContext: ConnectionContext | null = null

  constructor(
    private readonly settings: ClientSettings,
    private readonly inbox: Inbox,
    private readonly policy: LifecyclePolicy,
    private readonly telemetry: Telemetry,
  ) {
    const { identifier, reconnect } = settings
    this.identifier = identifier
    this.reconnector =
      reconnect === null ? null : new Reconnector(settings, reconnect, (error) => this.onRetryThrew(error))
  }

  /** What takes the client's calls, over all its connections. */
  get session(): Session {
    return this.context.session
  }

  /**
   * What `Client.reauthenticate()` does.
   * @throws {MqttCodeError} `[code:4] The client is not currently connected.`
   * @throws as `Connection.reauthenticate()`
   */
  reauthenticate(data: Uint8Array | null, timeout: number, entry: Callable): Promise<void> {
    const { life } = this
    if (life.is !== 'connected' || !life.connection.isUsable)
      throw notConnected(this.madeContext?.session.admission.goneWith)
    return life.connection.reauthenticate(data, timeout, entry)
  }

  /**
   * @param entry the public method that is running, for the stacks of errors
   * @throws {MqttReentrantError} the client is in use
   * @throws {MqttError} there is no time
   */
  connect(timeout: number, signal: AbortSignal | undefined, entry: Callable): Promise<void> {
    if (this.life.is !== 'idle') throw new MqttReentrantError()
    if (timeout <= 0) throw timedOut()
    const limit = this.retriesFirst ? Number.POSITIVE_INFINITY : timeout
    const giveUp = (reason: unknown) =>
      this.abandon(reason instanceof MqttError ? this.withPlace(reason) : reason)
    const call = new PendingCall(runtime(), limit, signal, new CallSite(entry), giveUp)
    this.life = { is: 'loading', call }
    if (this.reconnector !== null) this.session.admission.wait()
    this.setState({ state: 'connecting' })
    void this.begin(this.life, call)
    return call.promise
  }

  /**
   * Never rejects.
   * @param farewell what DISCONNECT says, if there is a connection
   */
  disconnect(farewell: Farewell, timeout: number, entry: Callable): Promise<void> {
    const { life } = this
    if (life.is === 'disconnecting') return life.disconnection.promise
    if (life.is === 'connected') {
      const { host, connection } = life
      const disconnection = this.disconnecting(timeout, entry, connection)
      this.life = { is: 'disconnecting', host, connection, disconnection }
      connection.close(farewell)
      return disconnection.promise
    }
    if (life.is === 'idle' && !this.inbox.hasEnded) this.warnOfForce(String(notConnected().rc))
    const { hostname, port } = life.is === 'trying' ? life.attempt.host : this.settings
    const where = placeOf({ transport: this.settings.transport, hostname, port })
    const text = `disconnect() was called before the connection was made (${where})`
    this.stop()?.fail(new MqttError(text, { code: 'ERR_MQTT_DISCONNECTED' }))
    this.finish(cleanEnd().error, null, false)
    const stored = this.madeContext?.session.stored() ?? null
    if (stored === null) return Promise.resolve()
    const disconnection = this.disconnecting(timeout, entry, null)
    void stored.then(() => disconnection.resolve())
    return disconnection.promise
  }

  onConnected(
    { host, identifier }: Attempt,
    connection: Connection,
    sessionPresent: boolean,
    properties: Properties | null,
  ): void {
    const { inbox, settings } = this
    const { log, session } = this.context
    log?.receivedConnack(sessionPresent, 0, properties)
    const call = this.life.is === 'trying' ? this.life.call : null
    connection.handOver(this)
    this.life = { is: 'connected', host, connection }
    this.reconnector?.succeeded(host)
    this.identifier = properties?.assignedClientIdentifier ?? identifier
    this.responseInformation = properties?.responseInformation
    if (sessionPresent && settings.manualAcks) inbox.withdrawOutstanding()
    inbox.open((messages, bytes) => connection.grant(messages, bytes))
    const isReconnect = call === null
    // MQTT 3.1 does not tell: its session is the one that was asked for, but its broker may have been restarted.
    const isUntold = settings.protocol === ProtocolVersion.V31 && !settings.cleanStart
    this.serverProperties = properties
    this.sessionPresent = sessionPresent
    const hasSession = sessionPresent || isUntold
    // Before what waits is sent: whoever answers a request that is repeated must find the subscription.
    this.policy.onConnected(hasSession)
    session.connected(connection, {
      hasSession,
      isReconnect,
      mustSubscribe: isReconnect && !sessionPresent && settings.reconnect?.resubscribe === true,
    })
    this.setState({ state: 'connected', sessionPresent })
    call?.resolve()
  }

  onFailed({ host }: Attempt, failure: Failure): void {
    const call = this.stop()
    const mayRetry = call === null || this.retriesFirst
    const plan = this.reconnector?.failed(host, failure, mayRetry) ?? null
    if (plan !== null) {
      this.schedule(call, plan, failure, 'warn')
    } else if (call === null) {
      this.finish(() => failure.error(), failure.report(), true)
    } else {
      this.giveUp(call, failure.rejection())
    }
  }

  onClosed(connection: Connection, end: ConnectionEnd): void {
    const { life, reconnector } = this
    if ((life.is !== 'connected' && life.is !== 'disconnecting') || life.connection !== connection) return
    const disconnection = life.is === 'disconnecting' ? life.disconnection : null
    const { session } = this
    this.life = IDLE
    const plan =
      disconnection === null && reconnector !== null
        ? reconnector.lost(life.host, end.failure, session.isStuck)
        : null
    if (plan !== null) {
      session.admission.wait()
      this.schedule(null, plan, end.failure, 'info')
      return
    }
    this.finish(end.error, endCause(end), disconnection === null)
    // Whoever made the store may close it when disconnect() has resolved.
    const stored = session.stored()
    if (stored === null) disconnection?.resolve()
    else void stored.then(() => disconnection?.resolve())
  }

  /** Whether a client that is in use keeps the event loop alive, as a socket does. */
  setRef(isRef: boolean): void {
    this.isRef = isRef
    this.keepAlive()
  }

  private get life(): Life {
    return this.current
  }

  private set life(life: Life) {
    this.current = life
    this.keepAlive()
  }

  private keepAlive(): void {
    const holds = this.isRef && this.current.is !== 'idle'
    if (holds === this.isHolding) return
    this.isHolding = holds
    if (holds) runtime().hold()
    else runtime().release()
  }

  private get retriesFirst(): boolean {
    return this.settings.reconnect?.initial === true
  }

  private get context(): ConnectionContext {
    if (this.madeContext !== null) return this.madeContext
    const { settings, inbox, policy, telemetry } = this
    const log = PacketLog.for(settings.logger)
    const session = new Session(runtime(), settings, policy, log, telemetry, (error) => this.report(error))
    telemetry.follow(session)
    this.madeContext = { runtime: runtime(), settings, session, inbox, log, telemetry, speakers: new Set() }
    return this.madeContext
  }

  /** Makes the first attempt, once the store has been read. */
  private async begin(life: Life, call: PendingCall): Promise<void> {
    const { hostname, port, store } = this.settings
    try {
      if (store !== null) await this.session.load()
    } catch (cause) {
      const error = new MqttError('The store failed', { code: 'ERR_MQTT_STORE', cause })
      if (this.life === life) this.abandon(error)
      return
    }
    if (this.life !== life) return
    const host = this.reconnector?.start() ?? { hostname, port }
    this.try(call, host, { host: host.hostname, port: host.port, number: 1, error: null })
  }

  private try(call: PendingCall | null, host: Host, which: ConnectionAttempt): void {
    // The only attempt of connect() has the time that connect() has.
    const isLimited = call !== null && !this.retriesFirst
    const timeout = isLimited ? Number.POSITIVE_INFINITY : this.policy.attemptTimeout()
    const resumed = call === null ? this.identifier : null
    this.life = {
      is: 'trying',
      call,
      attempt: new Attempt(this.context, host, which, resumed, this, timeout),
    }
  }

  /** @param failure why another attempt is necessary */
  private schedule(
    call: PendingCall | null,
    { host, delay, attempt, next }: Plan,
    failure: Failure,
    level: 'info' | 'warn',
  ): void {
    const what = `attempt ${attempt}, to ${host.hostname}:${host.port}, in ${delay.toFixed(2)} s`
    this.settings.logger[level](`Connecting again (${what}) after: ${failure.error().message}`)
    const timer = setTimeout(() => this.try(call, host, next), Math.min(delay * 1000, LONGEST_TIMER))
    // It is the client that keeps the event loop alive, or does not.
    timer.unref()
    this.life = { is: 'pausing', call, timer }
    this.setState({
      state: call === null ? 'reconnecting' : 'connecting',
      error: failure.report(),
      attempt,
    })
  }

  /** The end of the time of `connect()`, with what is known of the attempt that is being made. */
  private withPlace(error: MqttError): MqttError {
    const { life } = this
    if (life.is !== 'trying') return error
    return new MqttError(error.message, { code: error.code, cause: life.attempt.untold })
  }

  /** Gives `connect()` up. */
  private abandon(reason: unknown): void {
    const call = this.stop()
    if (call !== null) this.giveUp(call, reason)
  }

  private giveUp(call: PendingCall, reason: unknown): void {
    const error = toMqttError(reason)
    if (this.madeContext !== null) this.madeContext.session.admission.goneWith = withoutStack(error)
    this.setState({ state: 'disconnected', error })
    const make = () =>
      Failure.of(error)?.error() ?? new MqttError(error.message, { code: error.code, cause: error })
    this.madeContext?.session.end(make, { keepsQueue: true, isGivenUp: false })
    if (reason instanceof MqttError) call.fail(reason)
    else call.reject(reason)
  }

  /**
   * Gives up what is being made.
   * @returns the pending `connect()`
   */
  private stop(): PendingCall | null {
    const { life } = this
    this.life = IDLE
    return abandon(life)
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
    const isGivenUp = cause !== null && this.reconnector !== null
    if (isGivenUp) this.settings.logger.error(`The client has given up connecting again: ${cause.message}`)
    const session = this.madeContext?.session
    if (session !== undefined) session.admission.goneWith = cause ?? undefined
    session?.end(make, { keepsQueue: keepsQueue && this.reconnector === null, isGivenUp })
    if (!this.inbox.hasEnded) this.inbox.close(cause)
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

  private onRetryThrew(error: unknown): void {
    this.settings.logger.error(`The option retry failed: ${textOf(error)}`)
  }

  private warnOfForce(why: string): void {
    this.settings.logger.warn(`Could not gracefully disconnect: ${why}. Forcing disconnection.`)
  }

  /** Something has become of what nobody waits for. Once the client is in its next state, if it is about to change. */
  private report(error: MqttError): void {
    queueMicrotask(() => this.setState({ state: this.states.state, error: withoutStack(error) }))
  }

  private setState(change: StateChange): void {
    this.states.add(change)
    this.telemetry.stateChanged(change)
  }
}

/** An error for one who has to do with it only indirectly. */
function toMqttError(error: unknown): MqttError {
  if (error instanceof MqttError) return error
  return new MqttError(textOf(error), { cause: error })
}
