import type { ReasonCode } from '../mqtt/reason-code.js'
import type { Callable } from '../support/call-site.js'
import type { PublishCall } from './publish-arguments.js'
import type { FiltersCall } from './subscribe-arguments.js'

/** The calls that a client makes to its broker. */
export interface Calls {
  /**
   * @param timeout seconds
   * @param entry the public method that is running
   * @throws {MqttError} the broker does not take it, there is no room, or there is no time
   */
  publish(call: PublishCall, timeout: number, entry: Callable): Promise<void>
  /** @throws as `publish()` */
  subscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<ReasonCode[]>
  /** @throws as `publish()` */
  unsubscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<void>
}

/** What a client's options say about its calls. */
export interface CallPolicy {
  /** QoS 1 and 2 publishes that may be unacknowledged. */
  readonly maxQueuedOutgoingMessages: number
  /** Calls that may be under way. The others wait, first come, first served. */
  readonly maxConcurrentOutgoingCalls: number
  /** Another call is under way, which makes `count` of them. */
  onCall(count: number): void
}
