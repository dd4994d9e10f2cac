import { randomInt } from 'node:crypto'
import type { SecureContext, ConnectionOptions as TLSConnectionOptions } from 'node:tls'
import { types } from 'node:util'
import type { ConnectionWill } from '../engine/binding.js'
import { checkText, MAX_FIELD_LENGTH, MAX_REMAINING_LENGTH } from '../mqtt/fields.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { toWill, type Will, type WillLiteral, willPayload } from '../mqtt/will.js'
import { copiedBytes, plainBytes } from '../support/bytes.js'
import {
  checkBoolean,
  checkInteger,
  describeType,
  isObject,
  rangeError,
  typeError,
} from '../support/validate.js'
import {
  type ClientOptions,
  MQTT_CLEAN_START_FIRST_ONLY,
  type SocketOption,
  type Transport,
  type WebSocketHeaders,
} from './client-options.js'
import { ProxySettings } from './proxy-settings.js'
import { TLSParameters } from './tls-parameters.js'

// One function for each option of a client, from what was given to what ClientSettings holds. All throw a
// TypeError for a wrong type and a RangeError for a wrong value, with Python's text where it has one.

type Given<Key extends keyof ClientOptions> = ClientOptions[Key]

const NO_LIMIT = Number.POSITIVE_INFINITY
const MOST_INFLIGHT = 65535
/** Seconds. */
const DEFAULT_LATENCY = 0.001
const MOST_LATENCY = 1

export function checkPort(port: unknown): number {
  if (typeof port === 'number' && port <= 0) throw rangeError('Invalid port number.')
  return checkInteger('port', port, 1, 65535)
}

export function checkBindPort(port: Given<'bindPort'>): number {
  if (typeof port === 'number' && port < 0) throw rangeError('Invalid bind port number.')
  return checkInteger('bindPort', port ?? 0, 0, 65535)
}

export function checkKeepalive(keepalive: Given<'keepalive'>): number {
  if (typeof keepalive === 'number' && keepalive < 0) throw rangeError('Keepalive must be >=0.')
  return checkInteger('keepalive', keepalive ?? 60, 0, 65535)
}

export function checkLatency(latency: Given<'latency'>): number {
  const seconds: unknown = latency ?? DEFAULT_LATENCY
  if (typeof seconds !== 'number') {
    throw typeError(`latency must be a number of seconds, not ${describeType(seconds)}`)
  }
  if (!(seconds >= 0 && seconds <= MOST_LATENCY)) {
    throw rangeError(`latency must be a number of seconds from 0 to ${MOST_LATENCY}, not ${seconds}`)
  }
  return seconds
}

export function checkProtocol(value: Given<'protocol'>): ProtocolVersion {
  const protocol = value ?? ProtocolVersion.V311
  if (typeof protocol !== 'number') {
    throw typeError(`protocol must be one of ProtocolVersion, not ${describeType(protocol)}`)
  }
  if (!Object.values(ProtocolVersion).includes(protocol)) {
    throw rangeError(`protocol must be ProtocolVersion.V31, V311 or V5, not ${protocol}`)
  }
  return protocol
}

export function checkTransport(value: Given<'transport'>): Transport {
  if (typeof value === 'function') return value
  const transport: unknown = value ?? 'tcp'
  if (typeof transport !== 'string') {
    throw typeError(`transport must be a string or a function, not ${describeType(transport)}`)
  }
  const name = transport.toLowerCase()
  if (name !== 'tcp' && name !== 'websockets' && name !== 'unix') {
    throw rangeError(`transport must be "websockets", "tcp" or "unix", not ${name}`)
  }
  return name
}

export function checkIdentifier(protocol: ProtocolVersion, options: ClientOptions): string {
  const cleanSession = checkOptionalBoolean('cleanSession', options.cleanSession)
  const identifier = checkText('identifier', options.identifier ?? '')
  if (protocol === ProtocolVersion.V5 && cleanSession !== null) {
    throw rangeError('Clean session is not used for MQTT 5.0')
  }
  if (cleanSession === false && identifier === '') {
    throw rangeError('A client id must be provided if clean session is False.')
  }
  return identifier === '' && protocol === ProtocolVersion.V31 ? randomIdentifier() : identifier
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** MQTT 3.1 has no empty identifier, and none of more than 23 characters (3.1, "Client Identifier"). */
function randomIdentifier(): string {
  return Array.from({ length: 22 }, () => BASE62[randomInt(BASE62.length)]).join('')
}

export function checkCleanStart(protocol: ProtocolVersion, options: ClientOptions): boolean {
  const cleanStart = options.cleanStart ?? MQTT_CLEAN_START_FIRST_ONLY
  if (cleanStart !== MQTT_CLEAN_START_FIRST_ONLY && protocol !== ProtocolVersion.V5) {
    throw rangeError('Clean start only applies to MQTT V5')
  }
  if (protocol !== ProtocolVersion.V5) return options.cleanSession ?? true
  if (cleanStart === MQTT_CLEAN_START_FIRST_ONLY) return true
  return checkBoolean('cleanStart', cleanStart)
}

export function checkPassword(value: string | Uint8Array | null | undefined): Uint8Array | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'string' && !types.isUint8Array(value)) {
    throw typeError(`password must be a string or a Uint8Array, not ${describeType(value)}`)
  }
  const password = typeof value === 'string' ? Buffer.from(value) : copiedBytes('password', value)
  if (password.length > MAX_FIELD_LENGTH)
    throw rangeError(`password must be at most ${MAX_FIELD_LENGTH} bytes`)
  return password
}

export function checkWill(
  protocol: ProtocolVersion,
  value: Will | WillLiteral | null | undefined,
): ConnectionWill | null {
  if (value === undefined || value === null) return null
  const will = toWill(value)
  const isV5 = protocol === ProtocolVersion.V5
  if (!isV5 && will.properties !== null) throw rangeError('Properties only apply to MQTT V5')
  const properties = will.properties ?? new Properties(PacketTypes.WILLMESSAGE)
  return Object.freeze({
    topic: will.topic,
    payload: willPayload(will.payload),
    qos: will.qos,
    retain: will.retain,
    properties: isV5 ? properties.encode() : new Uint8Array(0),
  })
}

/** What CONNECT has beside properties, at most: its variable header and seven fields (MQTT 5, 3.1). */
const MOST_OF_CONNECT = 10 + 7 * (2 + MAX_FIELD_LENGTH)

export function checkConnectLength(properties: Properties | null, will: ConnectionWill | null): void {
  const length = (properties?.encode().length ?? 0) + (will?.properties.length ?? 0)
  if (length <= MAX_REMAINING_LENGTH - MOST_OF_CONNECT) return
  throw rangeError('The properties of CONNECT and of its will are too large for one packet')
}

export function checkInflight(value: Given<'maxInflightMessages'>): number {
  if (typeof value === 'number' && value < 0) throw rangeError('Invalid inflight.')
  if (value === 0 || value === NO_LIMIT) return MOST_INFLIGHT
  return Math.min(MOST_INFLIGHT, checkInteger('maxInflightMessages', value ?? 20, 0, Number.MAX_SAFE_INTEGER))
}

export function checkOutgoing(value: Given<'maxQueuedOutgoingMessages'>): number {
  if (value === undefined || value === null || value === 0 || value === NO_LIMIT) return NO_LIMIT
  if (typeof value !== 'number') throw typeError('Invalid type of queue size.')
  if (!Number.isInteger(value) || value < 0) throw rangeError('Invalid queue size.')
  return value
}

export function checkConcurrency(value: Given<'maxConcurrentOutgoingCalls'>): number {
  if (value === undefined || value === null || value === NO_LIMIT) return NO_LIMIT
  if (typeof value === 'number' && value < 0) throw rangeError('Semaphore initial value must be >= 0')
  // In Python 0 is taken, and then every call hangs for ever.
  return checkInteger('maxConcurrentOutgoingCalls', value, 1, Number.MAX_SAFE_INTEGER)
}

/** A bound of the incoming queue: as in Python, zero and less mean that there is none. */
export function checkBound(name: string, value: number | null | undefined): number {
  if (value === undefined || value === null || value === NO_LIMIT) return NO_LIMIT
  const bound = checkInteger(name, value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  return bound <= 0 ? NO_LIMIT : bound
}

export function checkOptionalBoolean(name: string, value: unknown): boolean | null {
  return value === undefined || value === null ? null : checkBoolean(name, value)
}

export function checkProxy(value: Given<'proxy'>): ProxySettings | null {
  if (value === undefined || value === null) return null
  return value instanceof ProxySettings ? value : new ProxySettings(value)
}

export function checkTLSParameters(value: Given<'tlsParams'>): TLSParameters | null {
  if (value === undefined || value === null) return null
  return value instanceof TLSParameters ? value : new TLSParameters(value)
}

export function checkTLSContext(
  value: SecureContext | TLSConnectionOptions | null | undefined,
): SecureContext | TLSConnectionOptions | null {
  if (value === undefined || value === null) return null
  if (!isObject(value)) {
    throw typeError(`tlsContext must be a SecureContext or an object of options, not ${describeType(value)}`)
  }
  const [place] = ['host', 'port', 'path', 'socket'].filter((key) => key in value)
  if (place !== undefined)
    throw rangeError(`tlsContext must not have ${place}: the client connects by itself`)
  // Node's own error would show it.
  const { passphrase } = value as { passphrase?: unknown }
  if (passphrase !== undefined && passphrase !== null && typeof passphrase !== 'string') {
    throw typeError(`tlsContext: passphrase must be a string, not ${describeType(passphrase)}`)
  }
  return value
}

export function checkHeaders(value: Given<'websocketHeaders'>): WebSocketHeaders | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'function') return value
  if (!isObject(value)) {
    throw typeError("'headers' option to ws_set_options has to be either a dictionary or callable")
  }
  for (const [name, text] of Object.entries<unknown>(value)) {
    if (typeof text !== 'string') {
      throw typeError(`websocketHeaders: ${name} must be a string, not ${describeType(text)}`)
    }
  }
  return Object.freeze({ ...value })
}

export function checkSocketOptions(value: Given<'socketOptions'>): readonly SocketOption[] {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || typeof value[Symbol.iterator] !== 'function') {
    throw typeError(`socketOptions must be a list of [level, name, value], not ${describeType(value)}`)
  }
  return Object.freeze(Array.from(value, checkSocketOption))
}

function checkSocketOption(option: unknown): SocketOption {
  if (!Array.isArray(option) || option.length !== 3) {
    throw typeError(`socketOptions must be a list of [level, name, value]`)
  }
  const [level, name, value] = option
  const least = -(2 ** 31)
  const greatest = 2 ** 31 - 1
  return Object.freeze([
    checkInteger('socketOptions: level', level, least, greatest),
    checkInteger('socketOptions: name', name, least, greatest),
    types.isUint8Array(value)
      ? new Uint8Array(plainBytes('socketOptions: value', value))
      : checkInteger('socketOptions: value', value, least, greatest),
  ])
}
