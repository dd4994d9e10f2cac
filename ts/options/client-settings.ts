import type { SecureContext, ConnectionOptions as TLSConnectionOptions } from 'node:tls'
import { type InspectOptions, inspect } from 'node:util'
import { checkProperties } from '../calls/publish-arguments.js'
import type { ConnectionWill } from '../engine/binding.js'
import { FifoQueue, type QueueType } from '../messages/queues.js'
import { checkOptionalText, checkText } from '../mqtt/fields.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { checkStore, type Store } from '../store/store.js'
import { inspectFields } from '../support/inspection.js'
import { checkLogger, type Logger } from '../support/logger.js'
import { textOf } from '../support/thrown.js'
import {
  checkBoolean,
  checkChoice,
  checkInteger,
  checkKeys,
  checkTimeout,
  describeType,
  isObject,
  rangeError,
  typeError,
} from '../support/validate.js'
import { type AuthenticationSettings, checkAuthentication } from './authentication.js'
import { readUrl } from './broker-url.js'
import {
  checkBindPort,
  checkBound,
  checkCleanStart,
  checkConcurrency,
  checkConnectLength,
  checkHeaders,
  checkIdentifier,
  checkInflight,
  checkKeepalive,
  checkLatency,
  checkOptionalBoolean,
  checkOutgoing,
  checkPassword,
  checkPort,
  checkProtocol,
  checkProxy,
  checkSocketOptions,
  checkTLSContext,
  checkTLSParameters,
  checkTransport,
  checkWill,
} from './client-option-checks.js'
import {
  CLIENT_OPTION_NAMES,
  type ClientOptions,
  MQTT_CLEAN_START_FIRST_ONLY,
  type Overflow,
  type SocketOption,
  type Transport,
  type WebSocketHeaders,
} from './client-options.js'
import type { ConnectionAttempt } from './connection-attempt.js'
import { fixedValue, type Makers, makersOf, makeValues, type Values } from './fresh-values.js'
import { checkHostname } from './hostname.js'
import { checkOfflineQueue, type OfflineQueueSettings } from './offline-queue-options.js'
import type { ProxySettings } from './proxy-settings.js'
import { checkReconnect, type ReconnectSettings } from './reconnect-options.js'
import type { TLSParameters } from './tls-parameters.js'

const USUAL_PORT = 1883

const OPTIONS: ReadonlySet<string> = new Set(CLIENT_OPTION_NAMES)
const OPTIONS_AND_PORT: ReadonlySet<string> = new Set([...CLIENT_OPTION_NAMES, 'port'])

/**
 * The options of a client with all defaults filled in, checked and frozen. What authenticates never shows in
 * a log.
 */
export class ClientSettings {
  readonly hostname: string
  readonly port: number
  readonly protocol: ProtocolVersion
  readonly logger: Logger
  /** Empty for the broker to choose one. */
  readonly identifier: string
  readonly queueType: QueueType
  /** Clean Start, or Clean Session on MQTT 3.x, for a `connect()`. */
  readonly cleanStart: boolean
  /** True when connections that are made again by themselves are to keep the session. */
  readonly cleanStartFirstOnly: boolean
  readonly transport: Transport
  /** Seconds. */
  readonly timeout: number
  /** Seconds. */
  readonly keepalive: number
  /** Empty for any. */
  readonly bindAddress: string
  readonly bindPort: number
  /** `Infinity` for no limit, like all bounds. */
  readonly maxQueuedIncomingMessages: number
  readonly maxQueuedIncomingBytes: number
  readonly maxQueuedOutgoingMessages: number
  /** 1 to 65535. */
  readonly maxInflightMessages: number
  readonly maxConcurrentOutgoingCalls: number
  /** The properties of CONNECT, a copy; null on MQTT 3.x. */
  readonly properties: Properties | null
  readonly tlsParams: TLSParameters | null
  readonly tlsInsecure: boolean | null
  readonly proxy: ProxySettings | null
  readonly socketOptions: readonly SocketOption[]
  readonly overflow: Overflow
  readonly reconnect: ReconnectSettings | null
  readonly offlineQueue: OfflineQueueSettings | null
  readonly store: Store | null
  readonly manualAcks: boolean
  readonly topicAliases: number
  /** Seconds. */
  readonly latency: number
  readonly #values: Values
  readonly #makers: Makers
  readonly #websocketHeaders: WebSocketHeaders | null
  readonly #authentication: AuthenticationSettings | null

  /**
   * The arguments of `new Client()`, checked in Python's order: first what its constructor checks, then what
   * it finds out when it connects, then what only we have. `queueType` is checked by `createQueue()`.
   * @throws TypeError for an unknown option or a wrong type; RangeError for a wrong value or options that
   *   contradict each other; with Python's text where it has one
   */
  constructor(
    hostnameOrUrl: string,
    portOrOptions?: number | null | (ClientOptions & { port?: number | null | undefined }),
    furtherOptions?: ClientOptions | null,
  ) {
    const given = splitArguments(portOrOptions, furtherOptions)
    const { hostname, port, options } = readUrl({ hostname: hostnameOrUrl, ...given })

    this.maxConcurrentOutgoingCalls = checkConcurrency(options.maxConcurrentOutgoingCalls)
    this.protocol = checkProtocol(options.protocol)
    this.transport = checkTransport(options.transport)
    this.identifier = checkIdentifier(this.protocol, options)
    this.maxInflightMessages = checkInflight(options.maxInflightMessages)
    this.maxQueuedOutgoingMessages = checkOutgoing(options.maxQueuedOutgoingMessages)
    this.#makers = makersOf(options)
    const username = checkOptionalText('username', fixedValue(options.username))
    const password = checkPassword(fixedValue(options.password))
    this.proxy = checkProxy(options.proxy)
    const websocketPath = checkOptionalText('websocketPath', fixedValue(options.websocketPath))
    this.#websocketHeaders = checkHeaders(options.websocketHeaders)
    const will = checkWill(this.protocol, fixedValue(options.will))

    this.tlsParams = checkTLSParameters(options.tlsParams)
    const tlsContext = checkTLSContext(fixedValue(options.tlsContext))
    this.#values = { username, password, will, websocketPath, tlsContext }
    const hasContext = tlsContext !== null || this.#makers.tlsContext !== undefined
    if (this.tlsParams !== null && hasContext) {
      throw rangeError('SSL/TLS has already been configured.')
    }
    this.tlsInsecure = checkOptionalBoolean('tlsInsecure', options.tlsInsecure)
    if (this.tlsInsecure !== null && this.tlsParams === null && !hasContext) {
      throw rangeError('Must configure SSL context before using tls_insecure_set.')
    }
    this.cleanStart = checkCleanStart(this.protocol, options)
    this.cleanStartFirstOnly =
      (options.cleanStart ?? MQTT_CLEAN_START_FIRST_ONLY) === MQTT_CLEAN_START_FIRST_ONLY
    const properties = checkProperties(this.protocol, PacketTypes.CONNECT, options.properties)
    this.properties =
      this.protocol === ProtocolVersion.V5 ? Properties.from(PacketTypes.CONNECT, properties ?? {}) : null
    checkConnectLength(this.properties, will)
    this.hostname = checkHostname(hostname, 'hostname', this.transport === 'unix')
    this.port = checkPort(port ?? USUAL_PORT)
    this.keepalive = checkKeepalive(options.keepalive)
    this.bindPort = checkBindPort(options.bindPort)
    this.bindAddress = checkText('bindAddress', options.bindAddress ?? '')

    this.timeout = checkTimeout(options.timeout ?? 10)
    this.logger = checkLogger(options.logger)
    this.queueType = options.queueType ?? FifoQueue
    this.maxQueuedIncomingMessages = checkBound(
      'maxQueuedIncomingMessages',
      options.maxQueuedIncomingMessages,
    )
    this.maxQueuedIncomingBytes = checkBound('maxQueuedIncomingBytes', options.maxQueuedIncomingBytes)
    this.socketOptions = checkSocketOptions(options.socketOptions)
    this.overflow = checkChoice('overflow', options.overflow ?? 'drop-newest', [
      'drop-newest',
      'drop-oldest',
      'backpressure',
    ])
    this.reconnect = checkReconnect(options.reconnect, this.port)
    this.offlineQueue = checkOfflineQueue(options.offlineQueue)
    this.store = checkStore(options.store)
    this.manualAcks = checkBoolean('manualAcks', options.manualAcks ?? false)
    this.topicAliases = checkInteger('topicAliases', options.topicAliases ?? 0, 0, 65535)
    this.latency = checkLatency(options.latency)
    this.#authentication = checkAuthentication(options.authentication)
    this.#checkContradictions()
    Object.freeze(this)
  }

  /** The attempt that these are for; null for those of all attempts. */
  get attempt(): ConnectionAttempt | null {
    return null
  }

  /** What a queue of the user's throws is logged: no call is there that could reject. */
  onQueueThrow(error: unknown): void {
    this.logger.error(`The queue failed, and a message may be lost: ${textOf(error)}`)
  }

  get username(): string | null {
    return this.#values.username
  }

  /** Null when there is no user name either. */
  get password(): Uint8Array | null {
    return this.username === null ? null : this.#values.password
  }

  get will(): ConnectionWill | null {
    return this.#values.will
  }

  get websocketPath(): string | null {
    return this.#values.websocketPath
  }

  get tlsContext(): SecureContext | TLSConnectionOptions | null {
    return this.#values.tlsContext
  }

  /** Whether another attempt may have another `tlsContext`. */
  get isTlsContextFixed(): boolean {
    return this.#makers.tlsContext === undefined
  }

  get websocketHeaders(): WebSocketHeaders | null {
    return this.#websocketHeaders
  }

  get authentication(): AuthenticationSettings | null {
    return this.#authentication
  }

  /**
   * The same for one attempt: with its host, and with the values that functions give for it.
   * @param where what errors call the broker
   * @throws as {@link makeValues}
   */
  async for(attempt: ConnectionAttempt, where: string): Promise<ClientSettings> {
    const made = await makeValues(this.#makers, attempt, this.protocol, where)
    const values = { ...this.#values, ...made }
    const password = values.username === null ? null : values.password
    const { websocketHeaders, authentication, isTlsContextFixed } = this
    const own = {
      hostname: attempt.host,
      port: attempt.port,
      attempt,
      ...values,
      password,
      websocketHeaders,
      authentication,
      isTlsContextFixed,
    }
    const properties = Object.entries(own).map(([name, value]) => [name, { value }])
    return Object.freeze(Object.create(this, Object.fromEntries(properties)))
  }

  /** The fields, without what is secret. */
  [inspect.custom](depth: number, options: InspectOptions): string {
    return inspectFields('ClientSettings', this, depth, options)
  }

  #checkContradictions(): void {
    if (this.overflow === 'drop-oldest' && !isFifo(this.queueType)) {
      throw rangeError("overflow 'drop-oldest' needs a queue that gives its oldest message first")
    }
    if (this.transport === 'unix') {
      if (this.proxy !== null) throw rangeError('proxy does not apply to the transport "unix"')
      if (this.bindAddress !== '' || this.bindPort !== 0) {
        throw rangeError('bindAddress and bindPort do not apply to the transport "unix"')
      }
    }
    if (typeof this.transport === 'function') {
      const set = this.bindAddress !== '' || this.bindPort !== 0 || this.socketOptions.length > 0
      if (set)
        throw rangeError('bindAddress, bindPort and socketOptions do not apply to a transport of your own')
      if (this.proxy !== null) throw rangeError('proxy does not apply to a transport of your own')
    }
    if (this.protocol !== ProtocolVersion.V5) {
      if (this.topicAliases > 0) throw rangeError('topicAliases only apply to MQTT V5')
      if (this.#authentication !== null) throw rangeError('authentication only applies to MQTT V5')
    }
    const { authenticationMethod, authenticationData } = this.properties ?? {}
    if (authenticationMethod === undefined && authenticationData !== undefined) {
      throw rangeError('Property authenticationData needs authenticationMethod beside it')
    }
    if (authenticationMethod !== undefined && this.#authentication !== null) {
      throw rangeError('authentication and the property authenticationMethod cannot be combined')
    }
  }
}

function isFifo(queueType: QueueType): boolean {
  return queueType === FifoQueue || queueType.prototype instanceof FifoQueue
}

function splitArguments(
  portOrOptions: unknown,
  furtherOptions: ClientOptions | null | undefined,
): { port: unknown; options: ClientOptions } {
  if (!isObject(portOrOptions)) {
    const options = furtherOptions ?? {}
    checkKeys('Client()', options, OPTIONS)
    return { port: portOrOptions, options: readOnce(options) }
  }
  if (furtherOptions !== undefined && furtherOptions !== null) {
    throw typeError(`port must be a number, not ${describeType(portOrOptions)}`)
  }
  checkKeys('Client()', portOrOptions, OPTIONS_AND_PORT)
  const { port } = portOrOptions
  return { port, options: readOnce(portOrOptions) }
}

/** The options as plain values: a getter that says something else the next time is not asked again. */
function readOnce(options: ClientOptions): ClientOptions {
  const given = options as Readonly<Record<string, unknown>>
  return Object.fromEntries(CLIENT_OPTION_NAMES.map((name) => [name, given[name]]))
}
