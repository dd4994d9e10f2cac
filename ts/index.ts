/**
 * The client and everything that it takes and gives: `import { Client } from 'aiomqtt'`.
 *
 * @module aiomqtt
 */

export type { DisconnectOptions } from './calls/disconnect-arguments.js'
export type { CallOptions, PublishOptions, SubscribeCallOptions } from './calls/publish-arguments.js'
export type { SubscribeTopic, Subscription } from './calls/subscribe-arguments.js'
export { Client, type ClientOptionsWithPort, type ConnectOptions } from './client/client.js'
export type { DropEvent, MessageEvent, PublishEvent, StateEvent } from './diagnostics.js'
export { Message } from './engine/message.js'
export {
  type BatchesIterator,
  type BatchesOptions,
  MessagesIterator,
  type NextOptions,
} from './messages/messages-iterator.js'
export {
  FifoQueue,
  LifoQueue,
  type MessageQueue,
  PriorityQueue,
  type QueueType,
  type Ranked,
} from './messages/queues.js'
export {
  MqttCodeError,
  MqttConnectError,
  MqttError,
  type MqttErrorCode,
  type MqttErrorOptions,
  MqttReentrantError,
} from './mqtt/errors.js'
export type { QoS } from './mqtt/fields.js'
export { type PacketType, PacketTypes } from './mqtt/packet-types.js'
export type { PayloadType } from './mqtt/payload.js'
export { Properties, type PropertiesLike, type PropertiesLiteral } from './mqtt/properties.js'
export type { UserProperty } from './mqtt/property-codec.js'
export { ProtocolVersion } from './mqtt/protocol-version.js'
export { ReasonCode } from './mqtt/reason-code.js'
export {
  type RetainHandling,
  SubscribeOptions,
  type SubscribeOptionsLike,
  type SubscribeOptionsLiteral,
} from './mqtt/subscribe-options.js'
export { Topic, type TopicLike, Wildcard, type WildcardLike } from './mqtt/topic.js'
export { Will, type WillLiteral, type WillOptions } from './mqtt/will.js'
export type { Authentication } from './options/authentication.js'
export {
  type ClientOptions,
  MQTT_CLEAN_START_FIRST_ONLY,
  type Overflow,
  type SocketOption,
  type Transport,
  type WebSocketHeaders,
} from './options/client-options.js'
export type { ConnectionAttempt, Fresh } from './options/connection-attempt.js'
export type { OfflineQueueOptions } from './options/offline-queue-options.js'
export { ProxySettings, type ProxySettingsLiteral, type ProxyType } from './options/proxy-settings.js'
export type { ReconnectOptions } from './options/reconnect-options.js'
export {
  type CertReqs,
  TLSParameters,
  type TLSParametersLiteral,
  type TLSVersion,
} from './options/tls-parameters.js'
export type { Store, StoreChange, StoreRecord } from './store/store.js'
export type { Logger } from './support/logger.js'
export type { ClientState, StateChange, StatesIterator } from './telemetry/client-states.js'
export type { ClientStats } from './telemetry/client-stats.js'
export { SocketConstants } from './transports/socket-constants.js'
export { version, versionTuple } from './version.js'
