import { checkDisconnect, type DisconnectOptions } from '../calls/disconnect-arguments.js'
import {
  type CallOptions,
  checkPublish,
  type PublishCall,
  type PublishOptions,
  type SubscribeCallOptions,
} from '../calls/publish-arguments.js'
import { checkSubscribe, checkUnsubscribe, type SubscribeTopic } from '../calls/subscribe-arguments.js'
import type { Message } from '../engine/message.js'
import { Inbox } from '../messages/inbox.js'
import { MessagesIterator } from '../messages/messages-iterator.js'
import type { PayloadType } from '../mqtt/payload.js'
import type { Properties } from '../mqtt/properties.js'
import type { ReasonCode } from '../mqtt/reason-code.js'
import type { TopicLike, WildcardLike } from '../mqtt/topic.js'
import { checkAuthenticationData } from '../options/authentication.js'
import type { ClientOptions } from '../options/client-options.js'
import { ClientSettings } from '../options/client-settings.js'
import type { Callable } from '../support/call-site.js'
import { fromCaller } from '../support/call-site.js'
import { checkKeys, checkSignal, checkTimeout, rangeError } from '../support/validate.js'
import { type ClientState, StatesIterator } from '../telemetry/client-states.js'
import type { ClientStats } from '../telemetry/client-stats.js'
import { Telemetry } from '../telemetry/telemetry.js'
import { Lifecycle } from './lifecycle.js'
import { checkRequest, Requests } from './requests.js'

/** Options of `Client.connect()`. */
export interface ConnectOptions {
  /**
   * Gives the attempt up when it aborts; `connect()` rejects with its reason.
   * @defaultValue none
   */
  signal?: AbortSignal | null | undefined
}

/** Options of `new Client()` and `Client.connect()` when the port is among them. */
export type ClientOptionsWithPort = ClientOptions & {
  /**
   * The broker's port, 1 to 65,535.
   * @defaultValue 1883, or that of the URL or of its scheme
   */
  port?: number | null | undefined
}

/** `Client`, or a class derived from it whose constructor takes the same arguments. */
type ClientClass<Made extends Client> = new (
  hostname: string,
  port?: number | null,
  options?: ClientOptions | null,
) => Made

const CONNECT_OPTIONS: ReadonlySet<string> = new Set(['signal'])

/** Pending calls above which the logger gets a warning, as in Python. */
const USUAL_THRESHOLD = 10

/**
 * An MQTT client; aiomqtt's `Client`. It can be connected repeatedly, but has one connection at a time.
 *
 * Methods check their arguments first (`TypeError`, `RangeError`), then the connection. They reject, and never throw. When
 * the connection is lost, every pending call rejects at once, unless `reconnect` is set.
 *
 * @example
 * await using client = await Client.connect('localhost')
 * await client.subscribe('temperature/#')
 * for await (const message of client.messages) {
 *   console.log(`${message.topic}`, message.payload)
 * }
 */
export class Client implements AsyncDisposable {
  readonly #settings: ClientSettings
  readonly #inbox: Inbox
  readonly #lifecycle: Lifecycle
  readonly #requests: Requests
  readonly #telemetry = new Telemetry(this)
  #timeout: number

  /** Maximum pending calls before a warning is logged. Default: 10. */
  pendingCallsThreshold = USUAL_THRESHOLD

  /**
   * Checks the options and does nothing else. The port is the second argument, an option, that of the URL, or the default
   * of the scheme; 1883 otherwise.
   * @param hostname a host's name or its IP address, the path of a unix socket (`transport: 'unix'`), or a URL with
   *   mqtt:, mqtts:, ws:, wss: or unix:, which may have a user name, a password, a port and a path
   * @throws {TypeError} an unknown option or a value of a wrong type
   * @throws {RangeError} a value out of its range, or options that contradict each other
   */
  constructor(hostname: string, options?: ClientOptionsWithPort | null)
  constructor(hostname: string, port?: number | null, options?: ClientOptions | null)
  constructor(
    hostname: string,
    portOrOptions?: number | ClientOptionsWithPort | null,
    options?: ClientOptions | null,
  ) {
    let settings: ClientSettings
    try {
      settings = new ClientSettings(hostname, portOrOptions, options)
      this.#inbox = new Inbox(settings, (message, which) => {
        this.#telemetry.dropped(message, which)
        const dropped = which === 'newest' ? 'message' : 'oldest message'
        logger.warn(`Message queue is full. Discarding ${dropped}.`)
      })
    } catch (error) {
      throw fromCaller(error, Client)
    }
    const { logger } = settings
    this.#settings = settings
    this.#timeout = settings.timeout
    const policy = {
      maxQueuedOutgoingMessages: settings.maxQueuedOutgoingMessages,
      maxConcurrentOutgoingCalls: settings.maxConcurrentOutgoingCalls,
      attemptTimeout: () => this.#timeout,
      onCall: (count: number) => {
        if (count > this.pendingCallsThreshold) logger.warn(`There are ${count} pending publish calls.`)
      },
      onConnected: (hasSession: boolean) => this.#requests.connected(hasSession, this.#timeout, this.connect),
    }
    this.#lifecycle = new Lifecycle(settings, this.#inbox, policy, this.#telemetry)
    const lifecycle = this.#lifecycle
    this.#requests = new Requests(
      {
        publish: (call, timeout, entry) => this.#publish(call, timeout, entry),
        subscribe: (call, timeout, entry) => lifecycle.session.subscribe(call, timeout, entry),
        get responseInformation() {
          return lifecycle.responseInformation
        },
      },
      this.#inbox,
    )
  }

  /**
   * A client that is connected: `new Client(...).connect()`. Of a subclass it is one of that class, made with the same
   * arguments.
   * @throws as the constructor and as `connect()`
   */
  static connect<Connected extends Client>(
    this: ClientClass<Connected>,
    hostname: string,
    options?: ClientOptionsWithPort | null,
  ): Promise<Connected>
  static connect<Connected extends Client>(
    this: ClientClass<Connected>,
    hostname: string,
    port?: number | null,
    options?: ClientOptions | null,
  ): Promise<Connected>
  static connect(
    this: ClientClass<Client>,
    hostname: string,
    portOrOptions?: number | ClientOptionsWithPort | null,
    options?: ClientOptions | null,
  ): Promise<Client> {
    try {
      // biome-ignore lint/complexity/noThisInStatic: of a subclass it is one of that class
      const type = typeof this === 'function' ? this : Client
      return new type(hostname, portOrOptions as number, options).#connect(undefined, Client.connect)
    } catch (error) {
      return Promise.reject(fromCaller(error, Client.connect))
    }
  }

  /**
   * Connects, and resolves to the client when the broker has accepted the connection (CONNACK). If it rejects, it can be
   * called again.
   * @throws {MqttReentrantError} the client is connecting, connected or disconnecting
   * @throws {MqttConnectError} the broker refused the connection; `rc` has the reason
   * @throws {MqttError} the host cannot be found or reached, the connection was lost, `timeout` expired, or
   *   `disconnect()` was called meanwhile
   */
  connect(options?: ConnectOptions | null): Promise<this> {
    try {
      const signal = checkConnectOptions(options)
      if (signal?.aborted) return Promise.reject(signal.reason)
      return this.#connect(signal, this.connect)
    } catch (error) {
      return Promise.reject(fromCaller(error, this.connect))
    }
  }

  #connect(signal: AbortSignal | undefined, entry: Callable): Promise<this> {
    return this.#lifecycle.connect(this.#timeout, signal, entry).then(() => this)
  }

  /**
   * Disconnects, and resolves when DISCONNECT has been sent; after `timeout`, by force, with a warning in the log. Pending
   * calls and iteration reject.
   * @param options what DISCONNECT says, on MQTT 5
   * @throws {TypeError | RangeError} an option is wrong: then nothing is done. It rejects for no other reason
   */
  disconnect(options?: DisconnectOptions | null): Promise<void> {
    try {
      const { protocol, properties } = this.#settings
      const farewell = checkDisconnect(protocol, options, properties?.sessionExpiryInterval ?? 0)
      return this.#lifecycle.disconnect(farewell, this.#timeout, this.disconnect)
    } catch (error) {
      return Promise.reject(fromCaller(error, this.disconnect))
    }
  }

  /** `disconnect()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect()
  }

  /**
   * Publishes a message. Resolves at QoS 0 when the operating system has taken its last byte, at QoS 1 and 2 when the
   * broker has acknowledged it. Over a WebSocket, a proxy or another stream in JavaScript, QoS 0 resolves when its last
   * byte is on its way to that stream. The payload may be changed as soon as this method has returned.
   * @throws {TypeError | RangeError} an argument is wrong
   * @throws {MqttCodeError} `[code:4]` not connected, `[code:15]` `maxQueuedOutgoingMessages` are unacknowledged,
   *   the broker's reason for its refusal (MQTT 5), or why the connection was lost
   * @throws {MqttError} `Operation timed out`
   */
  publish(topic: TopicLike, payload?: PayloadType, options?: PublishOptions | null): Promise<void> {
    try {
      const call = checkPublish(this.#settings.protocol, topic, payload, options ?? undefined)
      if (call.signal?.aborted) return Promise.reject(call.signal.reason)
      return this.#publish(call, call.timeout ?? this.#timeout, this.publish)
    } catch (error) {
      return Promise.reject(fromCaller(error, this.publish))
    }
  }

  #publish(call: PublishCall, timeout: number, entry: Callable): Promise<void> {
    if (call.properties?.topicAlias !== undefined && this.#settings.topicAliases > 0) {
      throw rangeError('Property topicAlias and the option topicAliases cannot be combined')
    }
    const publishing = this.#lifecycle.session.publish(call, timeout, entry)
    this.#telemetry.published(call)
    return publishing
  }

  /**
   * Subscribes to one or several topic filters.
   * @returns a reason code for each filter, in order; a refused filter is one with `isFailure`, not an exception
   * @throws {TypeError | RangeError} an argument is wrong
   * @throws {MqttError} as `publish()`
   */
  subscribe(topic: SubscribeTopic, options?: SubscribeCallOptions | null): Promise<ReasonCode[]> {
    try {
      const call = checkSubscribe(this.#settings.protocol, topic, options)
      if (call.signal?.aborted) return Promise.reject(call.signal.reason)
      return this.#lifecycle.session.subscribe(call, call.timeout ?? this.#timeout, this.subscribe)
    } catch (error) {
      return Promise.reject(fromCaller(error, this.subscribe))
    }
  }

  /**
   * Unsubscribes from one or several topic filters. A filter without a subscription is not an error.
   * @throws {TypeError | RangeError} an argument is wrong
   * @throws {MqttError} as `publish()`
   */
  unsubscribe(topic: WildcardLike | readonly WildcardLike[], options?: CallOptions | null): Promise<void> {
    try {
      const call = checkUnsubscribe(this.#settings.protocol, topic, options)
      if (call.signal?.aborted) return Promise.reject(call.signal.reason)
      return this.#lifecycle.session.unsubscribe(call, call.timeout ?? this.#timeout, this.unsubscribe)
    } catch (error) {
      return Promise.reject(fromCaller(error, this.unsubscribe))
    }
  }

  /**
   * Publishes a request and resolves to its answer (MQTT 5, 4.10). The response topic and the correlation data are
   * done here: the response topic begins with the broker's Response Information, if CONNECT's properties had
   * `requestResponseInformation: 1` and it gave any, else with `aiomqtt/response`, and ends with random characters. The
   * client subscribes to it with its first request, and again on the next connection. Whoever answers publishes to the
   * request's `responseTopic` with the request's `correlationData`. Answers stay out of `messages`; those that nobody
   * waits for any longer are dropped. Any number of requests may be pending; each waits for one answer.
   * @param options as for `publish()`; `timeout` is the time to the answer
   * @throws {TypeError | RangeError} an argument is wrong, the properties have a response topic or correlation data, or
   *   the client does not speak MQTT 5
   * @throws {MqttError} as `publish()`; also when the broker refuses the subscription, and when the connection is gone
   *   before the answer is there
   */
  request(topic: TopicLike, payload?: PayloadType, options?: PublishOptions | null): Promise<Message> {
    try {
      const call = checkRequest(this.#settings.protocol, topic, payload, options ?? undefined)
      if (call.signal?.aborted) return Promise.reject(call.signal.reason)
      return this.#requests.send(call, call.timeout ?? this.#timeout, this.#timeout, this.request)
    } catch (error) {
      return Promise.reject(fromCaller(error, this.request))
    }
  }

  /**
   * Repeats the authentication on the same connection (MQTT 5, 4.12.1), with the option `authentication`; resolves when
   * the broker has accepted it. A broker that does not accept it ends the connection.
   * @param data the data of the first AUTH; none by default
   * @throws {TypeError | RangeError} `data` is no `Uint8Array` of 65,535 bytes at most, or there is no `authentication`
   * @throws {MqttReentrantError} another re-authentication is under way
   * @throws {MqttCodeError} `[code:4]` not connected, or why the connection was lost
   * @throws {MqttError} `Operation timed out`: the exchange may still come to its end
   */
  reauthenticate(data?: Uint8Array | null): Promise<void> {
    try {
      if (this.#settings.authentication === null) throw rangeError('There is no option authentication')
      const checked = checkAuthenticationData('data', data)
      return this.#lifecycle.reauthenticate(checked, this.#timeout, this.reauthenticate)
    } catch (error) {
      return Promise.reject(fromCaller(error, this.reauthenticate))
    }
  }

  /** Received messages that match no `filter()`: a new view of the client's queue. */
  get messages(): MessagesIterator {
    return new MessagesIterator(this.#inbox)
  }

  /** A snapshot of the client's counters and queues. */
  get stats(): ClientStats {
    return Object.freeze(this.#telemetry.snapshot(this.#inbox.waiting))
  }

  /** The client identifier; after `connect()` the one that the broker assigned, if it assigned one (MQTT 5). */
  get identifier(): string {
    return this.#lifecycle.identifier
  }

  /**
   * The properties of the last CONNACK (MQTT 5, 3.2.2.3), also after the connection has ended; null before the first
   * CONNACK, and on MQTT 3.x.
   */
  get serverProperties(): Properties | null {
    return this.#lifecycle.serverProperties
  }

  /** Whether the broker had kept the session when it accepted the last connection (3.2.2.1.1). */
  get sessionPresent(): boolean {
    return this.#lifecycle.sessionPresent
  }

  /** Reverts `unref()`: the client keeps the process alive while it connects, is connected or reconnects. The default. */
  ref(): this {
    this.#lifecycle.setRef(true)
    return this
  }

  /** Lets the process exit while the client is in use, as with `net.Socket`. Pending calls still keep it alive. */
  unref(): this {
    this.#lifecycle.setRef(false)
    return this
  }

  /** The state of the connection. */
  get state(): ClientState {
    return this.#lifecycle.states.state
  }

  /**
   * The changes of `state` from now on, with their causes: a new view.
   *
   * @example
   * for await (const { state, error } of client.states) console.log(state, error?.message)
   */
  get states(): StatesIterator {
    return new StatesIterator(this.#lifecycle.states)
  }

  /** Seconds that anything may take unless a call says otherwise; 10. `Infinity` waits for ever. */
  get timeout(): number {
    return this.#timeout
  }

  /** @throws {TypeError | RangeError} it is no number of seconds */
  set timeout(seconds: number) {
    this.#timeout = checkTimeout(seconds)
  }
}

function checkConnectOptions(options: ConnectOptions | null | undefined): AbortSignal | undefined {
  if (options === undefined || options === null) return undefined
  checkKeys('Client.connect()', options, CONNECT_OPTIONS)
  const { signal } = options
  return signal === undefined || signal === null ? undefined : checkSignal(signal)
}
