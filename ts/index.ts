/**
 * The client and everything that it takes and gives: `import { Client } from 'aiomqtt'`.
 *
 * @module aiomqtt
 */

export type { Authentication } from './authentication.js'
export type { CallOptions, PublishOptions, SubscribeCallOptions } from './call-options.js'
export { Client, type ClientOptionsWithPort, type ConnectOptions } from './client.js'
export {
  type ClientOptions,
  MQTT_CLEAN_START_FIRST_ONLY,
  type Overflow,
  type SocketOption,
  type Transport,
  type WebSocketHeaders,
} from './client-options.js'
export type { ClientState, StateChange, StatesIterator } from './client-states.js'
export type { ClientStats } from './client-stats.js'
export type { DropEvent, MessageEvent, PublishEvent, StateEvent } from './diagnostics.js'
export {
  MqttCodeError,
  MqttConnectError,
  MqttError,
  type MqttErrorCode,
  type MqttErrorOptions,
  MqttReentrantError,
} from './errors.js'
export type { Logger } from './logger.js'
export { Message } from './message.js'
export { type BatchesIterator, MessagesIterator, type NextOptions } from './messages-iterator.js'
export type { OfflineQueueOptions } from './offline-queue-options.js'
export { type PacketType, PacketTypes } from './packet-types.js'
export type { PayloadType } from './payload.js'
export { Properties, type PropertiesLike, type PropertiesLiteral } from './properties.js'
export type { UserProperty } from './property-codec.js'
export { ProtocolVersion } from './protocol-version.js'
export { ProxySettings, type ProxySettingsLiteral, type ProxyType } from './proxy-settings.js'
export {
  FifoQueue,
  LifoQueue,
  type MessageQueue,
  PriorityQueue,
  type QueueType,
  type Ranked,
} from './queues.js'
export { ReasonCode } from './reason-code.js'
export type { ReconnectOptions } from './reconnect-options.js'
export type { Store, StoreChange, StoreRecord } from './store/store.js'
export {
  type RetainHandling,
  SubscribeOptions,
  type SubscribeOptionsLike,
  type SubscribeOptionsLiteral,
} from './subscribe-options.js'
export type { SubscribeTopic, Subscription } from './subscriptions.js'
export { type CertReqs, TLSParameters, type TLSParametersLiteral, type TLSVersion } from './tls-parameters.js'
export { Topic, type TopicLike, Wildcard, type WildcardLike } from './topic.js'
export { SocketConstants } from './transports/socket-constants.js'
export type { QoS } from './validate.js'
export { version, versionTuple } from './version.js'
export { Will, type WillLiteral, type WillOptions } from './will.js'
