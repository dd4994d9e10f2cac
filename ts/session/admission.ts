import { aliasRefusal } from '../calls/broker-limits.js'
import { notConnected } from '../calls/local-errors.js'
import type { PublishCall } from '../calls/publish-arguments.js'
import type { MqttError } from '../mqtt/errors.js'
import type { OfflineQueue } from './offline-queue.js'
import type { SessionConnection } from './session-connection.js'
import { BoundAliases } from './topic-alias.js'

/** Whether a call can be made now: on the connection that there is, or on one that is to come. */
export class Admission {
  /** The connection that carries calls; null while there is none. */
  connection: SessionConnection | null = null
  /** Why there is no connection and will be none unless `connect()` is called, where that was not asked for. */
  goneWith: MqttError | undefined
  /** There is no connection, but there will be one: calls may wait for it. */
  private isGap = false
  /** The client has given up coming back: nothing waits for a connection, whatever the options say. */
  private hasGivenUp = false
  private readonly aliases = new BoundAliases()

  constructor(private readonly offline: OfflineQueue | null) {}

  /** The broker has accepted a connection. */
  connected(connection: SessionConnection): void {
    this.connection = connection
    this.goneWith = undefined
    this.isGap = this.hasGivenUp = false
  }

  /** The connection is lost. */
  lost(): void {
    this.connection = null
  }

  /** A connection is being made, or will be: calls may wait for it. */
  wait(): void {
    this.isGap = true
    this.hasGivenUp = false
  }

  /**
   * There will be no other connection unless `connect()` is called.
   * @param isGivenUp whether the client would have come back by itself, and does not any more
   */
  end(isGivenUp: boolean): void {
    this.isGap = false
    this.hasGivenUp = isGivenUp
  }

  /**
   * Whether a publish can be made.
   * @returns whether it goes to the offline queue
   * @throws {MqttError} the broker does not take it, or there is no connection
   */
  checkPublish(call: PublishCall): boolean {
    const { connection, offline } = this
    if (connection !== null) {
      if (!connection.isUsable) throw notConnected(this.goneWith)
      connection.limits?.checkPublish(call)
      if (call.properties !== undefined) this.checkAlias(call, connection.number)
      return false
    }
    const isOffline = offline?.takes(call.qos) === true && !this.hasGivenUp
    if (!isOffline && !this.isGap) throw notConnected(this.goneWith)
    if (call.topic === '') throw aliasRefusal()
    return isOffline
  }

  /**
   * Whether a SUBSCRIBE or UNSUBSCRIBE can be made.
   * @returns the connection for it; null while it has to wait for one
   * @throws {MqttCodeError} `[code:4] The client is not currently connected.`
   */
  checkFilters(): SessionConnection | null {
    const { connection } = this
    if (connection === null ? !this.isGap : !connection.isUsable) throw notConnected(this.goneWith)
    return connection
  }

  /** @throws {MqttCodeError} `[code:148]`: the alias of an empty topic was not bound on this connection */
  private checkAlias({ topic, properties }: PublishCall, connection: number): void {
    const alias = properties?.topicAlias
    if (alias === undefined) return
    if (topic !== '') this.aliases.bind(connection, alias)
    else if (!this.aliases.has(connection, alias)) throw aliasRefusal()
  }
}
