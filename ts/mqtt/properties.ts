import { type InspectOptions, inspect, types } from 'node:util'
import { plainBytes } from '../support/bytes.js'
import { inspectFields } from '../support/inspection.js'
import { describeType, isObject, nearest, rangeError, typeError } from '../support/validate.js'
import { MAX_FIELD_LENGTH, textFlaw } from './fields.js'
import { type PacketType, packetTypeName } from './packet-types.js'
import {
  decodeProperties,
  encodeProperties,
  type PropertyValue,
  type PropertyValues,
  prefixLength,
  type UserProperty,
} from './property-codec.js'
import {
  BINARY,
  FLAG,
  isRepeatable,
  PAIRS,
  PROPERTIES,
  type PropertySpec,
  propertiesOf,
  propertyNamed,
  TEXT,
  VARIABLE_BYTES,
} from './property-table.js'
import { isTopicName } from './topic.js'

/** The properties that hold one number or one text. Sections are those of MQTT 5. */
export interface PlainProperties {
  /** Messages: 1 when the payload is UTF-8, 0 when it is just bytes (3.3.2.3.2). */
  payloadFormatIndicator?: number | undefined
  /** Messages: seconds for which the broker may keep the message, 0 to 4,294,967,295 (3.3.2.3.3). */
  messageExpiryInterval?: number | undefined
  /** Messages: what the payload is, as a MIME type for example (3.3.2.3.9). */
  contentType?: string | undefined
  /** Messages: the topic on which an answer is expected, without wildcards (3.3.2.3.5). */
  responseTopic?: string | undefined
  /** CONNECT, CONNACK, DISCONNECT: seconds for which the session outlives the connection (3.1.2.11.2). */
  sessionExpiryInterval?: number | undefined
  /** CONNACK: the client identifier that the broker chose (3.2.2.3.7). */
  assignedClientIdentifier?: string | undefined
  /** CONNACK: the keepalive in seconds that the broker wants instead (3.2.2.3.14). */
  serverKeepAlive?: number | undefined
  /** CONNECT, CONNACK, AUTH: the name of the method of enhanced authentication (3.1.2.11.9). */
  authenticationMethod?: string | undefined
  /** CONNECT: 0 asks for no reason strings and user properties but where they are due (3.1.2.11.7). */
  requestProblemInformation?: number | undefined
  /** Wills: seconds from the loss of the connection until the will is published (3.1.3.2.2). */
  willDelayInterval?: number | undefined
  /** CONNECT: 1 asks for `responseInformation` (3.1.2.11.6). */
  requestResponseInformation?: number | undefined
  /** CONNACK: what response topics are to be made of (3.2.2.3.15). */
  responseInformation?: string | undefined
  /** CONNACK, DISCONNECT: another server to use (4.11). */
  serverReference?: string | undefined
  /** Answers and DISCONNECT: the reason for people to read (3.2.2.3.9). */
  reasonString?: string | undefined
  /** CONNECT, CONNACK: QoS 1 and 2 messages that may be partway at once, 1 to 65535 (3.1.2.11.3). */
  receiveMaximum?: number | undefined
  /** CONNECT, CONNACK: the highest topic alias that will be taken, 0 to 65535 (3.1.2.11.5). */
  topicAliasMaximum?: number | undefined
  /** PUBLISH: the number that stands for the topic from now on, 1 to 65535 (3.3.2.3.4). */
  topicAlias?: number | undefined
  /** CONNACK: the highest QoS that the broker supports, 0 or 1; 2 when absent (3.2.2.3.4). */
  maximumQoS?: number | undefined
  /** CONNACK: 0 when the broker retains no messages (3.2.2.3.5). */
  retainAvailable?: number | undefined
  /** CONNECT, CONNACK: the longest packet that will be taken, in bytes, 1 to 268,435,455 (3.1.2.11.4). */
  maximumPacketSize?: number | undefined
  /** CONNACK: 0 when filters must not have wildcards (3.2.2.3.11). */
  wildcardSubscriptionAvailable?: number | undefined
  /** CONNACK: 0 when `subscriptionIdentifier` must not be used (3.2.2.3.12). */
  subscriptionIdentifierAvailable?: number | undefined
  /** CONNACK: 0 when there are no shared subscriptions (3.2.2.3.13). */
  sharedSubscriptionAvailable?: number | undefined
}

/** Properties as an object literal; what is undefined or null is not sent. */
export interface PropertiesLiteral extends PlainProperties {
  /** Messages: bytes that belong to a request and come back with its answer (3.3.2.3.6). */
  correlationData?: Uint8Array | ArrayBuffer | undefined
  /** CONNECT, CONNACK, AUTH: data of the method of enhanced authentication (3.1.2.11.10). */
  authenticationData?: Uint8Array | ArrayBuffer | undefined
  /** SUBSCRIBE: a number, 1 to 268,435,455, that comes with each message for this subscription (3.8.2.1.2). */
  subscriptionIdentifier?: number | readonly number[] | undefined
  /** All packets: pairs of texts in a given order; one pair serves too (3.3.2.3.7). */
  userProperty?: UserProperty | readonly UserProperty[] | undefined
}

/** Properties, or an object literal of them. */
export type PropertiesLike = Properties | PropertiesLiteral

/** The properties of {@link Properties}; those that it holds in another form than it takes have two types. */
interface PropertyMembers extends PlainProperties {
  /** Messages: bytes that belong to a request and come back with its answer (3.3.2.3.6). */
  get correlationData(): Buffer | undefined
  /** Copied; at most 65,535 bytes. */
  set correlationData(data: Uint8Array | ArrayBuffer | undefined)
  /** CONNECT, CONNACK, AUTH: data of the method of enhanced authentication (3.1.2.11.10). */
  get authenticationData(): Buffer | undefined
  /** Copied; at most 65,535 bytes. */
  set authenticationData(data: Uint8Array | ArrayBuffer | undefined)
  /** Messages: the numbers of the subscriptions that they match (3.3.2.3.8). */
  get subscriptionIdentifier(): readonly number[] | undefined
  /** SUBSCRIBE: one number, 1 to 268,435,455 (3.8.2.1.2). */
  set subscriptionIdentifier(identifiers: number | readonly number[] | undefined)
  /** All packets: pairs of texts in a given order (3.3.2.3.7). */
  get userProperty(): readonly UserProperty[] | undefined
  /** A list of pairs, or one pair. */
  set userProperty(pairs: UserProperty | readonly UserProperty[] | undefined)
}

// The base class gives Properties the types of its members, which are defined from the table below, and
// ends its chain of prototypes with a trap: only a name that is no property is ever looked up that far.
const Members = class {} as new () => PropertyMembers
Object.setPrototypeOf(
  Members.prototype,
  new Proxy(
    {},
    {
      set(_target, name): never {
        throw unknownProperty(String(name))
      },
    },
  ),
)

const NONE: PropertyValues = new Map()

/**
 * The MQTT 5 properties of one packet, as paho's `Properties`. Each property is a member: reading one that
 * is not there gives undefined, assigning replaces, assigning undefined or an empty list removes. Compare
 * by `toJSON()`.
 *
 * An assignment throws a TypeError for an unknown name and for a wrong type, a RangeError for a value out
 * of its range and for a property that does not apply to the packet.
 */
export class Properties extends Members {
  readonly #packetType: PacketType
  // Received properties stay as they came until someone looks: then they are in #values.
  #raw: Uint8Array | null = null
  #values: PropertyValues = NONE
  // Kept until the next assignment: many messages may be published with the same properties.
  #encoded: Uint8Array | null = null

  static {
    for (const property of PROPERTIES) {
      Object.defineProperty(Properties.prototype, property.name, {
        get(this: Properties) {
          return this.#decoded().get(property.id)
        },
        set(this: Properties, value: unknown) {
          this.#assign(property, value)
        },
        enumerable: true,
        configurable: true,
      })
    }
  }

  /**
   * No properties yet, for a packet of this type.
   * @param packetType one of `PacketTypes`; `WILLMESSAGE` for the properties of a will
   * @throws RangeError for any other number
   */
  constructor(packetType: PacketType) {
    super()
    if (packetTypeName(packetType) === undefined) {
      throw rangeError(`${inspect(packetType)} is not one of PacketTypes`)
    }
    this.#packetType = packetType
  }

  /**
   * A copy of other properties, or the properties of an object literal, for a packet of this type.
   * @throws TypeError and RangeError as an assignment does, also for a property of `source` that does not
   *   apply to this packet
   */
  static from(packetType: PacketType, source: PropertiesLike): Properties {
    const properties = new Properties(packetType)
    if (source instanceof Properties) {
      for (const property of PROPERTIES) {
        const value = source.#decoded().get(property.id)
        if (value !== undefined) properties.#assign(property, value)
      }
      return properties
    }
    if (!isObject(source)) {
      throw typeError('The properties argument must be an instance of the Properties class.')
    }
    for (const name in source) {
      const property = propertyNamed(name)
      if (property === undefined) throw unknownProperty(name)
      properties.#assign(property, source[name])
    }
    return properties
  }

  /**
   * Properties as they came in a packet, without their length prefix. They are decoded when they are first
   * looked at; until then `raw` must not change.
   * @throws nothing yet: what reads them first throws an MqttCodeError when they are malformed
   */
  static decode(packetType: PacketType, raw: Uint8Array): Properties {
    const properties = new Properties(packetType)
    properties.#raw = raw
    return properties
  }

  /** The packet that these properties are for. */
  get packetType(): PacketType {
    return this.#packetType
  }

  /** The properties as they stand in a packet, with their length prefix. The bytes must not be changed. */
  encode(): Uint8Array {
    this.#encoded ??= this.#raw === null ? encodeProperties(this.#values) : prefixLength(this.#raw)
    return this.#encoded
  }

  /** True when there are none. */
  isEmpty(): boolean {
    return this.#raw === null ? this.#values.size === 0 : this.#raw.length === 0
  }

  /** Removes all. */
  clear(): void {
    this.#raw = null
    this.#values = NONE
    this.#encoded = null
  }

  /**
   * The properties that are there, as a plain object; binary ones in hexadecimal, as in Python. What authenticates is
   * hidden: it is what logs are made of.
   */
  toJSON(): Record<string, unknown> {
    return this.#describe((value) => (Buffer.isBuffer(value) ? value.toString('hex') : value))
  }

  /** `Properties(Publish) { contentType: 'text/plain' }`, without what authenticates. @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const shown = this.#describe((value) => value)
    return inspectFields(`Properties(${packetTypeName(this.#packetType)})`, shown, depth, options)
  }

  #describe(show: (value: PropertyValue) => unknown): Record<string, unknown> {
    const values = this.#decoded()
    const shown: Record<string, unknown> = {}
    for (const property of PROPERTIES) {
      const value = values.get(property.id)
      if (value === undefined) continue
      shown[property.name] = property.name === 'authenticationData' ? '[hidden]' : show(value)
    }
    return shown
  }

  #decoded(): PropertyValues {
    if (this.#raw !== null) {
      this.#values = decodeProperties(this.#packetType, this.#raw)
      this.#raw = null
    }
    return this.#values
  }

  #assign(property: PropertySpec, value: unknown): void {
    const values = this.#decoded()
    if (propertiesOf(this.#packetType)?.has(property.id) !== true) {
      throw rangeError(
        `Property ${property.name} does not apply to packet type ${packetTypeName(this.#packetType)}`,
      )
    }
    this.#encoded = null
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
      values.delete(property.id)
      return
    }
    const checked = checkValue(property, this.#packetType, value)
    if (values === NONE) this.#values = new Map([[property.id, checked]])
    else values.set(property.id, checked)
  }
}

/**
 * What an option `properties` means for a packet: an instance for this very packet is taken as it is.
 * @throws as {@link Properties.from}
 */
export function toProperties(packetType: PacketType, source: PropertiesLike): Properties {
  return source instanceof Properties && source.packetType === packetType
    ? source
    : Properties.from(packetType, source)
}

function unknownProperty(name: string): TypeError {
  const names = PROPERTIES.map((property) => property.name)
  return typeError(
    `Property name must be one of ${names.join(', ')}, not ${name}. Did you mean ${nearest(name, names)}?`,
  )
}

function checkValue(property: PropertySpec, packetType: PacketType, value: unknown): PropertyValue {
  switch (property.kind) {
    case TEXT:
      return checkText(property, value)
    case BINARY:
      return checkBinary(property, value)
    case PAIRS:
      return isPair(value) ? [checkPair(property, value)] : checkPairs(property, value)
    case VARIABLE_BYTES:
      return checkNumbers(property, packetType, Array.isArray(value) ? value : [value])
    default:
      return checkNumber(property, value)
  }
}

function checkNumber(property: PropertySpec, value: unknown): number {
  const { name, kind, min, max } = property
  const range = kind === FLAG ? '0 or 1' : `in the range ${min}-${max}`
  if (typeof value !== 'number') throw typeError(`${name} property value must be ${range}`)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw rangeError(`${name} property value must be ${range}`)
  }
  return value
}

function checkNumbers(property: PropertySpec, packetType: PacketType, values: readonly unknown[]): number[] {
  if (values.length > 1 && !isRepeatable(property, packetType)) {
    throw rangeError(
      `${property.name} property must not stand more than once in packet type ${packetTypeName(packetType)}`,
    )
  }
  return values.map((value) => checkNumber(property, value))
}

function checkText(property: PropertySpec, value: unknown): string {
  if (typeof value !== 'string') {
    throw typeError(`${property.name} property value must be a string, not ${describeType(value)}`)
  }
  const flaw = textFlaw(value)
  if (flaw !== null) throw rangeError(`${property.name} property value ${flaw}`)
  if (property.name === 'responseTopic' && !isTopicName(value)) {
    throw rangeError('responseTopic property value must be a topic without wildcards')
  }
  return value
}

function checkBinary(property: PropertySpec, value: unknown): Buffer {
  if (!types.isUint8Array(value) && !types.isArrayBuffer(value)) {
    throw typeError(
      `${property.name} property value must be a Uint8Array or an ArrayBuffer, not ${describeType(value)}`,
    )
  }
  const name = `${property.name} property value`
  const bytes = plainBytes(name, value)
  if (bytes.length > MAX_FIELD_LENGTH) throw rangeError(`${name} must be at most ${MAX_FIELD_LENGTH} bytes`)
  return Buffer.from(bytes)
}

/** One pair looks like a list of two texts; a list of pairs has no texts in it. */
function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.some((part) => typeof part === 'string')
}

function checkPairs(property: PropertySpec, value: unknown): UserProperty[] {
  if (!Array.isArray(value)) {
    throw typeError(`${property.name} property value must be a list of pairs, not ${describeType(value)}`)
  }
  return value.map((pair) => checkPair(property, pair))
}

function checkPair(property: PropertySpec, value: unknown): UserProperty {
  if (!Array.isArray(value) || value.length !== 2) {
    throw typeError(`${property.name} property value must be a list of pairs of strings`)
  }
  return [checkText(property, value[0]), checkText(property, value[1])]
}
