import {
  checkBoolean,
  checkKeys,
  describeType,
  isObject,
  rangeError,
  typeError,
} from '../support/validate.js'
import { checkQoS, MAX_FIELD_LENGTH, type QoS } from './fields.js'
import { PacketTypes } from './packet-types.js'
import { type PayloadType, payloadBytes } from './payload.js'
import { Properties, type PropertiesLike } from './properties.js'
import { checkPublishTopic, type TopicLike } from './topic.js'

/** What a will has beside its topic and its payload. */
export interface WillOptions {
  /**
   * The QoS with which the broker publishes it: 0, 1 or 2.
   * @defaultValue 0
   */
  qos?: QoS | undefined
  /**
   * Whether the broker retains it.
   * @defaultValue false
   */
  retain?: boolean | undefined
  /**
   * MQTT 5: properties of the message, and `willDelayInterval` (3.1.3.2).
   * @defaultValue none
   */
  properties?: PropertiesLike | null | undefined
}

/** A will as an object literal. */
export interface WillLiteral extends WillOptions {
  /** The topic to which the broker publishes it, without wildcards. */
  topic: TopicLike
  /**
   * The payload, at most 65,535 bytes (MQTT 5, 3.1.3.4).
   * @defaultValue an empty one
   */
  payload?: PayloadType
}

const OPTION_KEYS = new Set(['qos', 'retain', 'properties'])
const LITERAL_KEYS = new Set(['topic', 'payload', ...OPTION_KEYS])

/** The message that the broker publishes when the client is gone without a word, as aiomqtt's `Will`. Frozen. */
export class Will {
  /** The topic to which the broker publishes it. */
  readonly topic: string
  /** The payload as it was given. */
  readonly payload: PayloadType
  /** The QoS with which the broker publishes it. */
  readonly qos: QoS
  /** Whether the broker retains it. */
  readonly retain: boolean
  /** MQTT 5: properties of the message; null for none. */
  readonly properties: Properties | null

  /**
   * @throws TypeError for a wrong type; RangeError for a topic that is empty or has wildcards, a QoS other
   *   than 0, 1 and 2, a payload of more than 65535 bytes (MQTT 5, 3.1.3.4), properties of other packets
   */
  constructor(topic: TopicLike, payload?: PayloadType, options: WillOptions = {}) {
    checkKeys('Will()', options, OPTION_KEYS)
    this.topic = checkPublishTopic(topic, false)
    this.qos = checkQoS(options.qos ?? 0)
    this.retain = checkBoolean('retain', options.retain ?? false)
    const { properties } = options
    this.properties =
      properties === undefined || properties === null
        ? null
        : Properties.from(PacketTypes.WILLMESSAGE, properties)
    this.payload = payload
    willPayload(payload)
    Object.freeze(this)
  }
}

/**
 * The payload of a will as bytes of its own.
 * @throws as the constructor of {@link Will}
 */
export function willPayload(payload: PayloadType): Uint8Array {
  const bytes = payloadBytes(payload)
  if (bytes.length <= MAX_FIELD_LENGTH) return bytes
  throw rangeError(`The payload of a will must be at most ${MAX_FIELD_LENGTH} bytes`)
}

/** A will from what the option `will` may be. */
export function toWill(source: Will | WillLiteral): Will {
  if (source instanceof Will) return source
  if (!isObject(source)) throw typeError(`will must be a Will, not ${describeType(source)}`)
  checkKeys('Will()', source, LITERAL_KEYS)
  const { topic, payload, ...options } = source
  return new Will(topic, payload, options)
}
