import { printable } from '../support/printable.js'
import { ReasonCode } from './reason-code.js'

// Not an import as others: properties that are malformed are an error, too.
type Properties = import('./properties.js').Properties

/** What went wrong, for programs: the `code` of an {@link MqttError}. */
export type MqttErrorCode =
  /** Nothing more specific is known. */
  | 'ERR_MQTT_FAILED'
  /** The operation timed out. */
  | 'ERR_MQTT_TIMEOUT'
  /** The connection ended while the program waited for messages. */
  | 'ERR_MQTT_DISCONNECTED'
  /** The network failed: `cause` has a `code` of its own, such as `ECONNREFUSED`. */
  | 'ERR_MQTT_TRANSPORT'
  /** TLS failed: `cause` has a `code` of its own, such as `CERT_HAS_EXPIRED`. */
  | 'ERR_MQTT_TLS'
  /** The engine or the broker answered with a code: `rc`. */
  | 'ERR_MQTT_CODE'
  /** The broker refused the connection: `rc`. */
  | 'ERR_MQTT_CONNECT'
  /** The option `authentication` failed to answer the broker's challenge: `cause` says why. */
  | 'ERR_MQTT_AUTHENTICATION'
  /** The client is already in use. */
  | 'ERR_MQTT_REENTRANT'
  /** Not supported by this release. */
  | 'ERR_MQTT_UNSUPPORTED'
  /** The store failed: `cause` is what it threw. */
  | 'ERR_MQTT_STORE'
  /** Too many connections have ended because of the same message or subscription (`maxDeliveryLosses`): `cause` is the last loss. */
  | 'ERR_MQTT_DELIVERY'
  /** The native addon could not be loaded. */
  | 'ERR_MQTT_ADDON'

/** Options of an error's constructor. */
export interface MqttErrorOptions {
  /**
   * The code.
   * @defaultValue that of the class
   */
  code?: MqttErrorCode
  /**
   * The error behind this one.
   * @defaultValue none
   */
  cause?: unknown
  /**
   * HTTP status with which a server refused the WebSocket.
   * @defaultValue none
   */
  statusCode?: number | undefined
  /**
   * Properties of the broker's packet that had the code.
   * @defaultValue none
   */
  properties?: Properties | null | undefined
}

/** The base of all errors of this library that are not argument errors. */
export class MqttError extends Error {
  /** The kind of error, for programs: `ERR_MQTT_TIMEOUT`. */
  readonly code: MqttErrorCode
  /** HTTP status with which a server refused the WebSocket, such as 401; absent otherwise. */
  declare readonly statusCode?: number

  constructor(message = '', options: MqttErrorOptions = {}) {
    // An own `cause` of undefined would show in the output of an error that has none.
    // Some of it may be the broker's words, a topic's, or a proxy's.
    super(printable(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code ?? 'ERR_MQTT_FAILED'
    if (options.statusCode !== undefined) this.statusCode = options.statusCode
  }
}

/** An error with a code: a {@link ReasonCode} from the broker, or a number from the engine. */
export class MqttCodeError extends MqttError {
  /** The code, or null if there is none. */
  readonly rc: number | ReasonCode | null
  /**
   * What the broker said beside its code: the properties of the CONNACK, PUBACK, PUBREC, PUBCOMP, SUBACK, UNSUBACK or
   * DISCONNECT that failed (Reason String, User Properties, Server Reference). Null if there were none, and on MQTT 3.x.
   */
  declare readonly properties: Properties | null

  /**
   * @param rc the code; the message is made from it
   * @param text the message after the code if `rc` is null
   */
  constructor(rc: number | ReasonCode | null, text = '', options: MqttErrorOptions = {}) {
    super(describeCode(rc, text), { ...options, code: options.code ?? 'ERR_MQTT_CODE' })
    this.rc = rc
    // An own null would show in the output of an error that has none.
    if (options.properties?.isEmpty() === false) this.properties = options.properties
  }
}

/** The broker refused the connection. */
export class MqttConnectError extends MqttCodeError {
  constructor(rc: number | ReasonCode, options: MqttErrorOptions = {}) {
    super(rc, '', { ...options, code: options.code ?? 'ERR_MQTT_CONNECT' })
  }
}

/** `connect()` was called on a client that is already in use. */
export class MqttReentrantError extends MqttError {
  constructor(
    message = 'The client context manager is reusable, but not reentrant',
    options: MqttErrorOptions = {},
  ) {
    super(message, { ...options, code: options.code ?? 'ERR_MQTT_REENTRANT' })
  }
}

Object.defineProperty(MqttCodeError.prototype, 'properties', {
  value: null,
  configurable: true,
  writable: true,
})

// On the prototypes, not on each error, and before any is made: the first line of a stack has the name.
for (const type of [MqttError, MqttCodeError, MqttConnectError, MqttReentrantError]) {
  Object.defineProperty(type.prototype, 'name', { value: type.name, configurable: true, writable: true })
}

/** Python's `str()` of an MqttCodeError. */
function describeCode(rc: number | ReasonCode | null, text: string): string {
  if (rc instanceof ReasonCode) return `[code:${rc.value}] ${rc.getName()}`
  if (rc === null) return `[code:None] ${text}`
  return `[code:${rc}] ${errorString(rc)}`
}

const ERROR_STRINGS: readonly string[] = [
  'No error.',
  'Out of memory.',
  'A network protocol error occurred when communicating with the broker.',
  'Invalid function arguments provided.',
  'The client is not currently connected.',
  'The connection was refused.',
  'Message not found (internal error).',
  'The connection was lost.',
  'A TLS error occurred.',
  'Payload too large.',
  'This feature is not supported.',
  'Authorisation failed.',
  'Access denied by ACL.',
  'Unknown error.',
  'Error defined by errno.',
  'Message queue full.',
  'Client or broker did not communicate in the keepalive interval.',
]

/** What a number in `rc` means: paho's `error_string`. */
function errorString(rc: number): string {
  return ERROR_STRINGS[rc] ?? 'Unknown error.'
}
