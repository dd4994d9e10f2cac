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

/** How bytes travel: a name, or a function that makes a stream of them, once for each connection. */
export type Transport = 'tcp' | 'websockets' | 'unix' | (() => Duplex | Promise<Duplex>)

export type { Overflow } from '../messages/bounded-queue.js'

/** An option of the socket: the arguments of setsockopt(2). */
export type SocketOption = readonly [level: number, name: number, value: number | Uint8Array]

/**
 * Headers of the WebSocket handshake: more of them, or a function, sync or async, that is asked for each connection. It
 * gets the usual ones, and the attempt; the first argument has the attempt's members, too. If the result has the
 * handshake's own headers, it takes the place of the usual ones, as in Python; else it is added to them.
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
 * The options of a `Client`, all optional; null means the same as leaving an option out. Names, defaults
 * and units are aiomqtt's. Times are seconds. Numbers in brackets are sections of the specification of MQTT 5.
 *
 * The constructor checks them: an unknown option, or a value of a wrong type, is a `TypeError`; a value out of its
 * range, or options that contradict each other, are a `RangeError`.
 */
export interface ClientOptions {
  /**
   * The user name, at most 65,535 bytes of UTF-8 (3.1.3.5). An empty one is sent, too. May be a function ({@link Fresh}).
   * @defaultValue none
   */
  username?: Fresh<string | null | undefined>
  /**
   * The password, at most 65,535 bytes; text goes as UTF-8 (3.1.3.6). It is sent only together with `username`.
   * May be a function ({@link Fresh}): for a token that expires.
   * @defaultValue none
   */
  password?: Fresh<string | Uint8Array | null | undefined>
  /**
   * Takes the client's log lines; without one nothing is printed. Secrets are in none of them.
   * @defaultValue none
   */
  logger?: Logger | null | undefined
  /**
   * The client identifier, at most 65,535 bytes of UTF-8 (3.1.3.1). Without one the broker chooses it; on MQTT 3.1 a
   * random one of 22 characters is made.
   * @defaultValue the broker's choice
   */
  identifier?: string | null | undefined
  /**
   * The class of the queue of incoming messages: `FifoQueue`, `LifoQueue`, `PriorityQueue` or your own.
   * @defaultValue `FifoQueue`
   */
  queueType?: QueueType | null | undefined
  /**
   * The version of MQTT.
   * @defaultValue `ProtocolVersion.V311`
   */
  protocol?: ProtocolVersion | null | undefined
  /**
   * What the broker publishes when the client is gone without a word (3.1.2.5). May be a function ({@link Fresh}).
   * @defaultValue none
   */
  will?: Fresh<Will | WillLiteral | null | undefined>
  /**
   * MQTT 3.x: false for a session that outlives the connection; needs an `identifier`. A `RangeError` on MQTT 5, which
   * has `cleanStart`.
   * @defaultValue true
   */
  cleanSession?: boolean | null | undefined
  /**
   * What carries the bytes. For `'unix'` the host name is the path of the socket. `'websockets'` needs the
   * package ws. A function makes a stream for each connection, and gives it away: it is ended and destroyed here.
   * @defaultValue `'tcp'`
   */
  transport?: Transport | null | undefined
  /**
   * Seconds that anything may take unless a call says otherwise; `Infinity` waits for ever.
   * @defaultValue 10
   */
  timeout?: number | null | undefined
  /**
   * Seconds: the longest silence on the connection, 0 to 65,535; 0 turns the check off (3.1.2.10). A broker of MQTT 5
   * may ask for another value, which then counts (3.2.2.3.14).
   * @defaultValue 60
   */
  keepalive?: number | null | undefined
  /**
   * The local address to connect from; not for unix sockets and transports of your own.
   * @defaultValue the system's choice
   */
  bindAddress?: string | null | undefined
  /**
   * The local port to connect from, 0 to 65,535; 0 lets the system choose. Not for unix sockets and transports of your
   * own.
   * @defaultValue 0
   */
  bindPort?: number | null | undefined
  /**
   * MQTT 5: whether the broker is to forget the session (3.1.2.4). What it keeps lives for `sessionExpiryInterval`
   * seconds, a property of CONNECT. A `RangeError` on MQTT 3.x, which has `cleanSession`.
   * @defaultValue `MQTT_CLEAN_START_FIRST_ONLY`
   */
  cleanStart?: boolean | typeof MQTT_CLEAN_START_FIRST_ONLY | null | undefined
  /**
   * Messages: the most in the queue; beyond it `overflow` decides. 0 is no limit.
   * @defaultValue 0
   */
  maxQueuedIncomingMessages?: number | null | undefined
  /**
   * Messages of QoS 1 and 2: the most that wait or are partway; beyond it `publish()` rejects with
   * `[code:15] Message queue full.` 0 is no limit.
   * @defaultValue 0
   */
  maxQueuedOutgoingMessages?: number | null | undefined
  /**
   * Messages of QoS 1 and 2: the most that are partway at once; further ones wait. 0 for as many as MQTT can, 65,535. The
   * broker's Receive Maximum (3.2.2.3.3) may make it fewer.
   * @defaultValue 20
   */
  maxInflightMessages?: number | null | undefined
  /**
   * Calls: the most at once, 1 or more; further ones wait for their turn, and their time begins then.
   * @defaultValue no limit
   */
  maxConcurrentOutgoingCalls?: number | null | undefined
  /**
   * MQTT 5: the properties of CONNECT (3.1.2.11). A `RangeError` on MQTT 3.x.
   * @defaultValue none
   */
  properties?: PropertiesLike | null | undefined
  /**
   * Turns TLS on: a `SecureContext`, or options of `tls.connect()`. Not together with `tlsParams`. Certificates, keys,
   * versions, ciphers and names are used natively, where a busy event loop delays nothing; a `SecureContext` and
   * whatever else `tls.connect()` takes, by `node:tls`. May be a function ({@link Fresh}): for renewed certificates.
   * @defaultValue no TLS
   */
  tlsContext?: Fresh<SecureContext | TLSConnectionOptions | null | undefined>
  /**
   * Turns TLS on, with Python's parameters. Not together with `tlsContext`.
   * @defaultValue no TLS
   */
  tlsParams?: TLSParameters | TLSParametersLiteral | null | undefined
  /**
   * True not to check that the certificate is for this host; only with TLS, else a `RangeError`.
   * @defaultValue false
   */
  tlsInsecure?: boolean | null | undefined
  /**
   * The proxy through which to connect; SOCKS needs the package socks. Without it, the environment variable
   * `mqtt_proxy` may name one as a URL, and `no_proxy` the hosts that need none. Not for unix sockets and transports of
   * your own.
   * @defaultValue that of the environment, if it names one
   */
  proxy?: ProxySettings | ProxySettingsLiteral | null | undefined
  /**
   * Options to set on the socket before it connects, by the numbers of `SocketConstants`. Not for transports of your own.
   * @defaultValue none; `TCP_NODELAY` is on
   */
  socketOptions?: Iterable<SocketOption> | null | undefined
  /**
   * The path of the WebSocket handshake, with its query. May be a function ({@link Fresh}): for a signed URL.
   * @defaultValue `/mqtt`
   */
  websocketPath?: Fresh<string | null | undefined>
  /**
   * Headers of the WebSocket handshake: more of them, or a function that is asked for them before each handshake
   * ({@link WebSocketHeaders}).
   * @defaultValue the usual ones
   */
  websocketHeaders?: WebSocketHeaders | null | undefined
  /**
   * What happens when the queue is full: the newest message is dropped (`'drop-newest'`, as in Python), the oldest one is
   * (`'drop-oldest'`, only with a `FifoQueue`), or nothing is and the broker is made to wait (`'backpressure'`), without
   * harm to the connection. `'backpressure'` without a bound has one of 10,000 messages. It is exact: what there is no
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
   * Whether and how to come back after the connection was lost. Iteration and pending calls then go on over the
   * gap, but for publishes of QoS 0, which reject; new calls wait for the connection within their timeout.
   * @defaultValue false
   */
  reconnect?: boolean | ReconnectOptions | null | undefined
  /**
   * Whether messages published without a connection wait for one. While there is none, the time of a publish
   * call runs only if the call has a timeout of its own. `disconnect()` rejects all that wait.
   * @defaultValue false
   */
  offlineQueue?: boolean | OfflineQueueOptions | null | undefined
  /**
   * Keeps what was published with QoS 1 and 2 and is not acknowledged over a restart of the program: the next
   * `connect()` of a client with the same store sends it. Nothing is sent before the store has it.
   * @defaultValue none
   */
  store?: Store | null | undefined
  /**
   * True when each message of QoS 1 or 2 is acknowledged by its `ack()`. What was not acknowledged when the
   * connection went is sent again by the broker, if it has kept the session (`cleanSession` or `cleanStart` false; on
   * MQTT 5 also `sessionExpiryInterval`). A QoS 2 message then comes when it is published, not at its PUBREL, and once on
   * each connection until it is acknowledged.
   *
   * The broker sends no more than `receiveMaximum` (a property of CONNECT; 65,535) before it has acknowledgements. A
   * message that a queue drops (`overflow`) is never acknowledged: it counts for that limit, and comes again on the next
   * connection.
   * @defaultValue false
   */
  manualAcks?: boolean | null | undefined
  /**
   * MQTT 5: the most topic aliases to use (3.3.2.3.4), within the broker's limit, 0 to 65,535. Topics that are published
   * again are sent as a number of three bytes then, which is decided message by message as they leave: the topic that was
   * used the longest time ago gives its alias away. With more topics in turn than aliases, each message costs three bytes
   * more. Not together with the property `topicAlias` of a publish.
   * @defaultValue 0
   */
  topicAliases?: number | null | undefined
  /**
   * MQTT 5: enhanced authentication (4.12): what CONNECT carries for it, and how challenges are answered.
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
  authentication: true,
}

/** The names of all options: whatever else is given is an error. */
export const CLIENT_OPTION_NAMES: readonly string[] = Object.keys(NAMES)
