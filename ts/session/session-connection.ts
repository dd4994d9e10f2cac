import type { BrokerLimits } from '../calls/broker-limits.js'

/** What a session asks of the connection that carries its calls. */
export interface SessionConnection {
  /** What `Binding.open()` gave. */
  readonly number: number
  /** What the broker does not take; null on MQTT 3.x. */
  readonly limits: BrokerLimits | null
  /** Whether calls can be made. */
  readonly isUsable: boolean
}

/** What a connection has in common with the one before. */
export interface Continuity {
  /** The broker still has the session. */
  readonly hasSession: boolean
  /** It has been made by itself, not by `connect()`. */
  readonly isReconnect: boolean
  /** The broker may have forgotten the subscriptions, and is to have them again. */
  readonly mustSubscribe: boolean
}

/** How there comes to be no other connection. */
export interface SessionEnd {
  /** Whether the messages of the offline queue wait on. */
  readonly keepsQueue: boolean
  /** The client would have come back by itself, and does not any more. */
  readonly isGivenUp: boolean
}
