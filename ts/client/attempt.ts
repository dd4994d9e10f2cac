import { connectOptions } from '../connection/connect-options.js'
import { Connection, type ConnectionContext, type ConnectionMaker } from '../connection/connection.js'
import type { ConnectionEnd } from '../connection/connection-end.js'
import { Failure, fact } from '../failures/failure.js'
import { thrownFailure } from '../failures/system-failure.js'
import type { Properties } from '../mqtt/properties.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { ConnectionAttempt } from '../options/connection-attempt.js'
import type { Host } from '../reconnect/hosts.js'
import { Timed } from '../support/deadlines.js'
import type { Link } from '../transports/link.js'
import { openLink } from '../transports/open-link.js'
import { placeOf } from '../transports/way.js'

/** Whom an attempt belongs to. It hears of one of both, once. */
export interface AttemptOwner {
  /** The broker has accepted the connection, which is the owner's from now on. @param properties CONNACK's, if it has any */
  onConnected(
    attempt: Attempt,
    connection: Connection,
    sessionPresent: boolean,
    properties: Properties | null,
  ): void
  onFailed(attempt: Attempt, failure: Failure): void
}

/** One try to connect with one host: from the making of the way to it until CONNACK. Until then the connection is its own. */
export class Attempt extends Timed implements ConnectionMaker {
  /** The client identifier in CONNECT. */
  identifier = ''
  private connection: Connection | null = null
  /** Ends what makes the way. */
  private readonly setUp = new AbortController()
  private isOver = false

  /**
   * @param which what functions among the options are told of it
   * @param resumed the client identifier of the connection that is lost; null if there was none
   * @param timeout seconds; `Infinity` where something else limits it
   */
  constructor(
    private readonly context: ConnectionContext,
    readonly host: Host,
    private readonly which: ConnectionAttempt,
    private readonly resumed: string | null,
    private readonly owner: AttemptOwner,
    timeout: number,
  ) {
    super()
    const { runtime } = context
    runtime.deadlines.add(this, timeout)
    runtime.changed()
    void this.start()
  }

  /** Gives up whatever there is of it, without a word to the owner. */
  abandon(): void {
    this.finish()
    this.setUp.abort()
    this.connection?.abort()
  }

  override expire(): void {
    this.fail(
      new Failure({
        kind: 'timeout',
        text: 'Operation timed out',
        code: 'ERR_MQTT_TIMEOUT',
        cause: this.untold,
      }),
    )
  }

  onOpened(connection: Connection, sessionPresent: boolean, properties: Properties | null): void {
    this.finish()
    this.connection = null
    this.owner.onConnected(this, connection, sessionPresent, properties)
  }

  onClosed(_connection: Connection, end: ConnectionEnd): void {
    if (!this.isOver) this.fail(end.failure)
  }

  /** What is known of an attempt that has come to no end. */
  get untold(): Error {
    return fact(`There was no answer to the attempt to connect (${this.where})`)
  }

  private get where(): string {
    const { hostname, port } = this.host
    return placeOf({ transport: this.context.settings.transport, hostname, port })
  }

  private async start(): Promise<void> {
    const { runtime, settings } = this.context
    const { where } = this
    try {
      const own = await settings.for(this.which, where)
      if (this.isOver) return
      const link = await openLink({ binding: runtime.binding, settings: own, signal: this.setUp.signal })
      if (!this.isOver) this.connect(link, own)
    } catch (error) {
      if (!this.isOver) this.fail(thrownFailure(error, where))
    }
  }

  private connect(link: Link, settings: ClientSettings): void {
    const { runtime, session, log } = this.context
    const state = session.engineState.bytes
    const options = connectOptions(settings, link.fields(runtime.binding), this.resumed, state)
    this.identifier = options.identifier
    this.connection = Connection.open(this.context, options, link, this)
    log?.sendingConnect(options, settings.properties)
  }

  private fail(failure: Failure): void {
    this.abandon()
    this.owner.onFailed(this, failure)
  }

  private finish(): void {
    this.isOver = true
    this.context.runtime.deadlines.remove(this)
  }
}
