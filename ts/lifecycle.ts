import type { ConnectionOptions } from './binding.js'
import { unsupportedOptions } from './client-options.js'
import type { ClientSettings } from './client-settings.js'
import type { Counters } from './client-stats.js'
import { Connection, type ConnectionOwner } from './connection.js'
import { type ConnectionEnd, endCause } from './connection-end.js'
import { type Callable, CallSite, MqttCodeError, MqttError, MqttReentrantError } from './errors.js'
import type { Inbox } from './inbox.js'
import { PacketLog } from './log-lines.js'
import { timedOut } from './operation.js'
import { PendingCall } from './pending-call.js'
import type { CallPolicy } from './pending-operations.js'
import type { Properties } from './properties.js'
import { ProtocolVersion } from './protocol-version.js'
import { type Runtime, runtime } from './runtime.js'
import type { LinkFields } from './transports/link.js'
import { openLink } from './transports/transport.js'

/** Paho's code for a call without a connection. */
const NOT_CONNECTED = 4

/**
 * The life of one client: it connects, is connected, disconnects or loses the connection, and may begin again. At
 * any time there is at most one of a pending `connect()`, a connection that is open, and one that is closing.
 */
export class Lifecycle implements ConnectionOwner {
  /** The client identifier: the client's own, or after CONNACK the one that the broker assigned. */
  identifier: string
  /** The last CONNACK's. */
  responseInformation: string | undefined

  private attempt: PendingCall | null = null
  /** Ends what makes the way to the broker for the attempt. */
  private setUp: AbortController | null = null
  private disconnection: PendingCall | null = null
  /** From the beginning of its opening to its end. */
  private connection: Connection | null = null
  private isConnected = false
  /** Who iterates was told that the connection is over; not before the first connection, and not twice. */
  private hasEnded = false
  /** What the last connection left for the next one of the same session. */
  private session: Uint8Array | undefined
  readonly log: PacketLog | null

  constructor(
    private readonly settings: ClientSettings,
    readonly inbox: Inbox,
    readonly policy: CallPolicy,
    readonly counters: Counters,
  ) {
    this.identifier = settings.identifier
    this.log = PacketLog.for(settings.logger)
  }

  get manualAcks(): boolean {
    return this.settings.manualAcks
  }

  /**
   * The connection, for a call.
   * @throws {MqttCodeError} `[code:4] The client is not currently connected.`
   */
  get usableConnection(): Connection {
    const { connection } = this
    if (connection === null || !connection.isUsable) throw new MqttCodeError(NOT_CONNECTED)
    return connection
  }

  /**
   * @param entry the public method that is running, for the stacks of errors
   * @throws {MqttReentrantError} the client is in use
   * @throws {MqttError} an option is not available yet, or there is no time
   */
  connect(timeout: number, signal: AbortSignal | undefined, entry: Callable): Promise<void> {
    if (this.attempt !== null || this.connection !== null) throw new MqttReentrantError()
    const [unsupported] = unsupportedOptions(this.settings)
    if (unsupported !== undefined) {
      throw new MqttError(`The option ${unsupported} is not available yet`, { code: 'ERR_MQTT_UNSUPPORTED' })
    }
    if (timeout <= 0) throw timedOut()
    const environment = runtime()
    const giveUp = (reason: unknown) => this.abandon(reason)
    this.attempt = new PendingCall(environment, timeout, signal, new CallSite(entry), giveUp)
    void this.open(environment, this.attempt)
    return this.attempt.promise
  }

  /** Never rejects. */
  disconnect(timeout: number, entry: Callable): Promise<void> {
    if (this.disconnection !== null) return this.disconnection.promise
    const { attempt, connection } = this
    if (attempt !== null) {
      this.attempt = null
      attempt.fail(
        new MqttError('disconnect() was called before the connection was made', {
          code: 'ERR_MQTT_DISCONNECTED',
        }),
      )
      this.setUp?.abort()
      connection?.abort()
      this.endIteration(null)
      return Promise.resolve()
    }
    if (connection === null) {
      if (!this.hasEnded) this.warnOfForce(String(NOT_CONNECTED))
      this.endIteration(null)
      return Promise.resolve()
    }
    const force = () => this.force(connection)
    this.disconnection = new PendingCall(
      runtime(),
      Math.max(timeout, 0),
      undefined,
      new CallSite(entry),
      force,
    )
    connection.close()
    return this.disconnection.promise
  }

  onOpened(sessionPresent: boolean, properties: Properties | null): void {
    this.log?.receivedConnack(sessionPresent, 0, properties)
    this.identifier = properties?.assignedClientIdentifier ?? this.settings.identifier
    this.responseInformation = properties?.responseInformation
    this.isConnected = true
    this.hasEnded = false
    const { connection } = this
    this.inbox.open((paused) => connection?.pause(paused))
    const { attempt } = this
    this.attempt = null
    attempt?.resolve()
  }

  onSession(state: Uint8Array): void {
    this.session = state
  }

  onClosed(end: ConnectionEnd): void {
    const { attempt, disconnection } = this
    this.attempt = this.disconnection = this.connection = null
    if (this.settings.logger.pahoTrace === true) runtime().untrace(this.settings.logger)
    if (this.isConnected) {
      this.isConnected = false
      this.endIteration(endCause(end))
    }
    attempt?.fail(end.error())
    disconnection?.resolve()
  }

  private async open(environment: Runtime, attempt: PendingCall): Promise<void> {
    const { settings } = this
    const { binding } = environment
    this.setUp = new AbortController()
    try {
      const link = await openLink({ binding, settings, signal: this.setUp.signal })
      if (this.attempt !== attempt) return
      const options = this.connectionOptions(link.fields(binding))
      const isV5 = settings.protocol === ProtocolVersion.V5
      if (settings.logger.pahoTrace === true) environment.trace(settings.logger)
      this.connection = new Connection(environment, binding.open(options), this, link, isV5)
      this.log?.sendingConnect(options, settings.properties)
    } catch (error) {
      if (this.attempt !== attempt) return
      this.setUp.abort()
      this.attempt = null
      if (error instanceof MqttError) attempt.fail(error)
      else attempt.reject(error)
    }
  }

  /** Gives `connect()` up. */
  private abandon(reason: unknown): void {
    const { attempt, connection } = this
    this.attempt = null
    attempt?.reject(reason)
    this.setUp?.abort()
    connection?.abort()
  }

  private endIteration(cause: MqttError | null): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.inbox.close(cause)
  }

  /** DISCONNECT did not leave in time. */
  private force(connection: Connection): void {
    this.warnOfForce('Operation timed out')
    connection.abort()
  }

  private warnOfForce(why: string): void {
    this.settings.logger.warn(`Could not gracefully disconnect: ${why}. Forcing disconnection.`)
  }

  private connectionOptions(fields: LinkFields): ConnectionOptions {
    const { settings, session } = this
    const { protocol, identifier, cleanStart, keepalive, username, password, will, properties } = settings
    const options: ConnectionOptions = {
      ...fields,
      protocol,
      identifier,
      cleanStart,
      keepalive,
      properties: properties === null ? new Uint8Array(0) : properties.encode(),
      maxInflight: settings.maxInflightMessages,
      holdAcknowledgements: settings.manualAcks,
    }
    if (username !== null) options.username = username
    if (password !== null) options.password = password
    if (will !== null) options.will = will
    if (session !== undefined && !cleanStart) options.session = session
    return options
  }
}
