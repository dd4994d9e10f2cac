import type { Duplex } from 'node:stream'
import type { SecureContext, ConnectionOptions as TLSConnectionOptions } from 'node:tls'
import type { Overflow } from '../messages/bounded-queue.js'
import type { QueueType } from '../messages/queues.js'
import type { PropertiesLike } from '../mqtt/properties.js'
import type { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { Will, WillLiteral } from '../mqtt/will.js'
import type { Store } from '../store/store.js'
import type { Logger } from '../support/logger.js'
import type { Authentication } from './authentication.js'
import type { ConnectionAttempt, Fresh } from './connection-attempt.js'
import type { OfflineQueueOptions } from './offline-queue-options.js'
import type { ProxySettings, ProxySettingsLiteral } from './proxy-settings.js'
import type { ReconnectOptions } from './reconnect-options.js'
import type { TLSParameters, TLSParametersLiteral } from './tls-parameters.js'

/** The transport: a name, or a function that returns a stream, called once for each connection. */
export type Transport = 'tcp' | 'websockets' | 'unix' | (() => Duplex | Promise<Duplex>)

export type { Overflow } from '../messages/bounded-queue.js'

/** A socket option: the arguments of setsockopt(2). */
export type SocketOption = readonly [level: number, name: number, value: number | Uint8Array]

/**
 * Additional headers of the WebSocket handshake, or a function, sync or async, called for each connection with the
 * standard headers and the attempt. (The first argument has the attempt's members, too.) If the result contains the
 * handshake's own headers, it replaces the standard ones, as in Python; otherwise it is added to them.
 */
export type WebSocketHeaders =
  | Readonly<Record<string, string>>
  | ((
      headers: Record<string, string> & Pick<ConnectionAttempt, 'host'>,
      attempt: ConnectionAttempt,
    ) => Record<string, string> | Promise<Record<string, string>>)

/** Paho's `MQTT_CLEAN_START_FIRST_ONLY`: a clean start when `connect()` is called, not when it reconnects. */
export const MQTT_CLEAN_START_FIRST_ONLY = 3

/**
 * The options of a `Client`. All are optional; null is the same as omitting one. Names, defaults and units are
 * aiomqtt's. Times are in seconds. Numbers in brackets are sections of the MQTT 5 specification.
 *
 * The constructor throws a `TypeError` for an unknown option or a wrong type, and a `RangeError` for a value out of range
 * or for options that contradict each other.
 */
export interface ClientOptions {
  /**
   * User name, at most 65,535 bytes of UTF-8 (3.1.3.5). An empty one is sent, too. Can be a function ({@link Fresh}).
   * @defaultValue none
   */
  username?: Fresh<string | null | undefined>
  /**
   * Password, at most 65,535 bytes; text is sent as UTF-8 (3.1.3.6). Requires `username`. Can be a function
   * ({@link Fresh}), for a token that expires.
   * @defaultValue none
   */
  password?: Fresh<string | Uint8Array | null | undefined>
  /**
   * Receives the client's log lines, which never contain secrets. Without a logger, nothing is logged.
   * @defaultValue none
   */
  logger?: Logger | null | undefined
  /**
   * Client identifier, at most 65,535 bytes of UTF-8 (3.1.3.1). Without one, the broker assigns it; on MQTT 3.1 the
   * client generates 22 random characters.
   * @defaultValue assigned by the broker
   */
  identifier?: string | null | undefined
  /**
   * Class of the queue of incoming messages: `FifoQueue`, `LifoQueue`, `PriorityQueue` or your own.
   * @defaultValue `FifoQueue`
   */
  queueType?: QueueType | null | undefined
  /**
   * MQTT version.
   * @defaultValue `ProtocolVersion.V311`
   */
  protocol?: ProtocolVersion | null | undefined
  /**
   * Message that the broker publishes if the connection ends without DISCONNECT (3.1.2.5). Can be a function ({@link Fresh}).
   * @defaultValue none
   */
  will?: Fresh<Will | WillLiteral | null | undefined>
  /**
   * MQTT 3.x: false keeps the session after the connection ends; requires an `identifier`. A `RangeError` on MQTT 5, which
   * has `cleanStart`.
   * @defaultValue true
   */
  cleanSession?: boolean | null | undefined
  /**
   * Transport. For `'unix'`, the host name is the path of the socket. `'websockets'` requires the package ws. A function
   * returns a new stream for each connection; the client owns it, and ends and destroys it.
   * @defaultValue `'tcp'`
   */
  transport?: Transport | null | undefined
  /**
   * Maximum seconds for any call, unless the call sets its own; `Infinity` disables the limit.
   * @defaultValue 10
   */
  timeout?: number | null | undefined
  /**
   * Keepalive interval in seconds, 0 to 65,535; 0 disables it (3.1.2.10). An MQTT 5 broker can override it (3.2.2.3.14).
   * @defaultValue 60
   */
  keepalive?: number | null | undefined
  /**
   * Local address to connect from. Not for unix sockets and custom transports.
   * @defaultValue chosen by the system
   */
  bindAddress?: string | null | undefined
  /**
   * Local port to connect from, 0 to 65,535; 0 lets the system choose. Not for unix sockets and custom transports.
   * @defaultValue 0
   */
  bindPort?: number | null | undefined
  /**
   * MQTT 5: whether the broker discards an existing session (3.1.2.4). How long it keeps the session afterwards is set by
   * `sessionExpiryInterval`, a property of CONNECT, in seconds. A `RangeError` on MQTT 3.x, which has `cleanSession`.
   * @defaultValue `MQTT_CLEAN_START_FIRST_ONLY`
   */
  cleanStart?: boolean | typeof MQTT_CLEAN_START_FIRST_ONLY | null | undefined
  /**
   * Maximum received but unread messages; beyond it, `overflow` applies. 0: no limit.
   * @defaultValue 0
   */
  maxQueuedIncomingMessages?: number | null | undefined
  /**
   * Maximum QoS 1 and 2 messages waiting or in flight; beyond it, `publish()` rejects with
   * `[code:15] Message queue full.` 0: no limit.
   * @defaultValue 0
   */
  maxQueuedOutgoingMessages?: number | null | undefined
  /**
   * Maximum QoS 1 and 2 messages in flight; further ones wait. 0: as many as MQTT allows, 65,535. The broker's Receive
   * Maximum (3.2.2.3.3) can lower it.
   * @defaultValue 20
   */
  maxInflightMessages?: number | null | undefined
  /**
   * Maximum concurrent calls, 1 or more. Further calls wait their turn, and their timeout starts then.
   * @defaultValue no limit
   */
  maxConcurrentOutgoingCalls?: number | null | undefined
  /**
   * MQTT 5: properties of CONNECT (3.1.2.11). A `RangeError` on MQTT 3.x.
   * @defaultValue none
   */
  properties?: PropertiesLike | null | undefined
  /**
   * Turns TLS on: a `SecureContext`, or options of `tls.connect()`. Cannot be combined with `tlsParams`. Certificates,
   * keys, versions, ciphers and names are handled natively, independently of the event loop; a `SecureContext` and all
   * other options of `tls.connect()`, by `node:tls`. Can be a function ({@link Fresh}), for renewed certificates.
   * @defaultValue no TLS
   */
  tlsContext?: Fresh<SecureContext | TLSConnectionOptions | null | undefined>
  /**
   * Turns TLS on, with Python's parameters. Cannot be combined with `tlsContext`.
   * @defaultValue no TLS
   */
  tlsParams?: TLSParameters | TLSParametersLiteral | null | undefined
  /**
   * True skips the check that the certificate is for this host. A `RangeError` without TLS.
   * @defaultValue false
   */
  tlsInsecure?: boolean | null | undefined
  /**
   * Proxy to connect through; SOCKS requires the package socks. By default, the URL in the environment variable
   * `mqtt_proxy` is used, except for the hosts in `no_proxy`. Not for unix sockets and custom transports.
   * @defaultValue the proxy in the environment, if any
   */
  proxy?: ProxySettings | ProxySettingsLiteral | null | undefined
  /**
   * Options to set on the socket before it connects, with the constants of `SocketConstants`. Not for custom transports.
   * @defaultValue none; `TCP_NODELAY` is on
   */
  socketOptions?: Iterable<SocketOption> | null | undefined
  /**
   * Path of the WebSocket handshake, including the query. Can be a function ({@link Fresh}), for a signed URL.
   * @defaultValue `/mqtt`
   */
  websocketPath?: Fresh<string | null | undefined>
  /**
   * Additional headers of the WebSocket handshake, or a function called before each handshake ({@link WebSocketHeaders}).
   * @defaultValue the standard headers
   */
  websocketHeaders?: WebSocketHeaders | null | undefined
  /**
   * What happens when the queue is full: the newest message is dropped (`'drop-newest'`, as in Python), the oldest one is
   * (`'drop-oldest'`, only with a `FifoQueue`), or the broker waits and nothing is dropped (`'backpressure'`); the
   * connection stays alive. `'backpressure'` without a bound has one of 10,000 messages. It is exact: what there is no
   * room for is neither queued nor acknowledged. A message larger than `maxQueuedIncomingBytes` ends the connection then.
   * @defaultValue `'drop-newest'`
   */
  overflow?: Overflow | null | undefined
  /**
   * Bytes of topics, payloads and properties: the most in the queue; beyond it `overflow` decides. 0 is no limit.
   * @defaultValue 0
   */
  maxQueuedIncomingBytes?: number | null | undefined
  /**
   * Whether and how to reconnect after a loss. Iteration and pending calls then continue on the next connection, except
   * QoS 0 publishes, which reject; new calls wait for the connection within their timeout.
   * @defaultValue false
   */
  reconnect?: boolean | ReconnectOptions | null | undefined
  /**
   * Whether messages published without a connection wait for one. Meanwhile, a publish call times out only if it has a
   * timeout of its own. `disconnect()` rejects all that wait.
   * @defaultValue false
   */
  offlineQueue?: boolean | OfflineQueueOptions | null | undefined
  /**
   * Keeps unacknowledged QoS 1 and 2 messages across restarts of the program: the next `connect()` of a client with the
   * same store sends them. A message is sent only after the store has it.
   * @defaultValue none
   */
  store?: Store | null | undefined
  /**
   * True: each QoS 1 or 2 message is acknowledged by its `ack()`. The broker sends unacknowledged messages again on the
   * next connection if it has kept the session (`cleanSession` or `cleanStart` false; on MQTT 5 also
   * `sessionExpiryInterval`). A QoS 2 message is then delivered at its PUBLISH, not at its PUBREL, and once on each
   * connection until it is acknowledged.
   *
   * The broker sends at most `receiveMaximum` unacknowledged messages (a property of CONNECT; 65,535). A message dropped
   * by `overflow` is never acknowledged: it counts toward that limit, and is sent again on the next connection.
   * @defaultValue false
   */
  manualAcks?: boolean | null | undefined
  /**
   * MQTT 5: maximum topic aliases to assign automatically (3.3.2.3.4), within the broker's limit, 0 to 65,535. A topic
   * that is published again is then sent as a number of three bytes; the least recently used topic gives up its alias.
   * With more topics in rotation than aliases, each message costs three bytes more. Cannot be combined with the property
   * `topicAlias` of a publish.
   * @defaultValue 0
   */
  topicAliases?: number | null | undefined
  /**
   * Maximum time in seconds that a message is held back so that several are received together, which under load saves most
   * of the processor time of a message. Nothing is held back while messages arrive less often than this, nor within 20 ms
   * after the client has sent something that may be answered. 0 to 1; 0 disables it. Whole milliseconds: fractions are
   * dropped, and values above 0.01 act as 0.01. Of several clients in one thread, the smallest value applies to all.
   * Without effect in runtimes without libuv (Bun, Deno).
   * @defaultValue 0.001
   */
  latency?: number | null | undefined
  /**
   * MQTT 5: enhanced authentication (4.12): the data of CONNECT, and a function that answers challenges.
   * @defaultValue none
   */
  authentication?: Authentication | null | undefined
}

const NAMES: Readonly<Record<keyof ClientOptions, true>> = {
  username: true,
  password: true,
  logger: true,
  identifier: true,
  queueType: true,
  protocol: true,
  will: true,
  cleanSession: true,
  transport: true,
  timeout: true,
  keepalive: true,
  bindAddress: true,
  bindPort: true,
  cleanStart: true,
  maxQueuedIncomingMessages: true,
  maxQueuedOutgoingMessages: true,
  maxInflightMessages: true,
  maxConcurrentOutgoingCalls: true,
  properties: true,
  tlsContext: true,
  tlsParams: true,
  tlsInsecure: true,
  proxy: true,
  socketOptions: true,
  websocketPath: true,
  websocketHeaders: true,
  overflow: true,
  maxQueuedIncomingBytes: true,
  reconnect: true,
  offlineQueue: true,
  store: true,
  manualAcks: true,
  topicAliases: true,
  latency: true,
  authentication: true,
}

/** The names of all options: whatever else is given is an error. */
export const CLIENT_OPTION_NAMES: readonly string[] = Object.keys(NAMES)
