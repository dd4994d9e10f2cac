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
