import {
  checkQoS,
  checkRemainingLength,
  MAX_FIELD_LENGTH,
  MAX_REMAINING_LENGTH,
  type QoS,
} from '../mqtt/fields.js'
import { type PacketType, PacketTypes } from '../mqtt/packet-types.js'
import { type PayloadType, payloadSource } from '../mqtt/payload.js'
import { type Properties, type PropertiesLike, toProperties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { SubscribeOptionsLike } from '../mqtt/subscribe-options.js'
import { checkPublishTopic, type TopicLike } from '../mqtt/topic.js'
import { byteLength } from '../support/bytes.js'
import { checkBoolean, checkKeys, checkSignal, checkTimeout, rangeError } from '../support/validate.js'

/** What every call to the broker takes. */
export interface CallOptions {
  /**
   * MQTT 5: the properties of the packet. A `RangeError` on MQTT 3.x.
   * @defaultValue none
   */
  properties?: PropertiesLike | null | undefined
  /**
   * Seconds to wait for the answer; `Infinity` to wait for ever. When they are over the call rejects with
   * `Operation timed out` (`ERR_MQTT_TIMEOUT`).
   * @defaultValue the client's `timeout`
   */
  timeout?: number | null | undefined
  /**
   * Gives the call up when it aborts; the call rejects with its reason.
   * @defaultValue none
   */
  signal?: AbortSignal | null | undefined
}

/** Options of `Client.publish()`. */
export interface PublishOptions extends CallOptions {
  /**
   * 0 at most once, 1 at least once, 2 exactly once (4.3).
   * @defaultValue 0
   */
  qos?: QoS | undefined
  /**
   * True for the broker to keep the message for those who subscribe later (3.3.1.3).
   * @defaultValue false
   */
  retain?: boolean | undefined
}

/** Options of `Client.subscribe()`. */
export interface SubscribeCallOptions extends CallOptions {
  /**
   * The highest QoS at which messages are to come, for filters that do not say it themselves: 0, 1 or 2.
   * @defaultValue 0
   */
  qos?: QoS | undefined
  /**
   * MQTT 5: options instead of `qos`, for filters without their own (3.8.3.1). Ignored on MQTT 3.x, as in Python.
   * @defaultValue those of `SubscribeOptions`
   */
  options?: SubscribeOptionsLike | null | undefined
}

/** The keys of {@link CallOptions}. */
export const CALL_OPTIONS: ReadonlySet<string> = new Set(['properties', 'timeout', 'signal'])

const PUBLISH_OPTIONS = new Set(['qos', 'retain', ...CALL_OPTIONS])

/** What the options of a call say, checked. */
export interface Call {
  /** The packet's properties; they may belong to the caller, and change after the call. */
  readonly properties: Properties | undefined
  /** The same as they are sent, with their length prefix, or null for none. */
  readonly encodedProperties: Uint8Array | null
  /** Seconds, or undefined for the client's own. */
  readonly timeout: number | undefined
  readonly signal: AbortSignal | undefined
}

/** A publish call, checked. */
export interface PublishCall extends Call {
  /** Empty only with a topic alias. */
  readonly topic: string
  /** Bytes still belong to the caller: to be copied before the call returns. Their `length` may not be theirs. */
  readonly payload: string | Uint8Array
  readonly qos: QoS
  readonly retain: boolean
}

/**
 * Checks the arguments of `publish()` in Python's order: topic, QoS, payload; then the rest.
 * @throws TypeError for an unknown key or a wrong type, RangeError for a wrong value, with Python's texts
 */
export function checkPublish(
  protocol: ProtocolVersion,
  topic: TopicLike,
  payload: PayloadType,
  options: PublishOptions | undefined,
  method = 'Client.publish()',
): PublishCall {
  if (options === undefined || options === null) {
    const text = checkPublishTopic(topic, false)
    const source = payloadSource(payload)
    checkPublishLength(protocol, text, source, 0, null)
    return {
      topic: text,
      payload: source,
      qos: 0,
      retain: false,
      properties: undefined,
      encodedProperties: null,
      timeout: undefined,
      signal: undefined,
    }
  }
  checkKeys(method, options, PUBLISH_OPTIONS)
  // Each option is read once: a getter might say something else the next time.
  const { qos: givenQoS, retain: givenRetain, properties: givenProperties, timeout, signal } = options
  const isAliasable = protocol === ProtocolVersion.V5 && hasAlias(givenProperties)
  const text = checkPublishTopic(topic, isAliasable)
  const qos = checkQoS(givenQoS ?? 0)
  const source = payloadSource(payload)
  const retain = checkBoolean('retain', givenRetain ?? false)
  const properties = checkProperties(protocol, PacketTypes.PUBLISH, givenProperties)
  if (isAliasable && properties?.topicAlias === undefined) checkPublishTopic(topic, false)
  if (properties?.subscriptionIdentifier !== undefined) {
    throw rangeError('Property subscriptionIdentifier must not be sent by a client in packet type Publish')
  }
  const encodedProperties = encode(properties)
  checkPublishLength(protocol, text, source, qos, encodedProperties)
  return {
    topic: text,
    payload: source,
    qos,
    retain,
    properties,
    encodedProperties,
    timeout: givenTimeout({ timeout }),
    signal: givenSignal({ signal }),
  }
}

/** What topic, packet identifier and their lengths take at most. */
const MOST_BEFORE_PAYLOAD = 2 + MAX_FIELD_LENGTH + 2

function checkPublishLength(
  protocol: ProtocolVersion,
  topic: string,
  payload: string | Uint8Array,
  qos: QoS,
  encodedProperties: Uint8Array | null,
): void {
  // On MQTT 5 the length of no properties is a byte, too.
  const propertiesLength = encodedProperties?.length ?? (protocol === ProtocolVersion.V5 ? 1 : 0)
  const most = MAX_REMAINING_LENGTH - MOST_BEFORE_PAYLOAD - propertiesLength
  // A UTF-16 code unit takes at most three bytes: all but huge payloads need no counting.
  if ((typeof payload === 'string' ? payload.length * 3 : byteLength(payload)) <= most) return
  const payloadLength = typeof payload === 'string' ? Buffer.byteLength(payload) : byteLength(payload)
  checkRemainingLength(2 + Buffer.byteLength(topic) + (qos > 0 ? 2 : 0) + propertiesLength + payloadLength)
}

/** What the properties, the timeout and the signal of a call say. */
export function checkCall(protocol: ProtocolVersion, packetType: PacketType, options: CallOptions): Call {
  const properties = checkProperties(protocol, packetType, options.properties)
  return {
    properties,
    encodedProperties: encode(properties),
    timeout: givenTimeout(options),
    signal: givenSignal(options),
  }
}

/**
 * The properties of a packet, or undefined for none.
 * @throws RangeError `Properties only apply to MQTT V5`; otherwise as `Properties.from()`
 */
export function checkProperties(
  protocol: ProtocolVersion,
  packetType: PacketType,
  properties: PropertiesLike | null | undefined,
): Properties | undefined {
  if (properties === undefined || properties === null) return undefined
  const checked = toProperties(packetType, properties)
  if (protocol !== ProtocolVersion.V5) throw rangeError('Properties only apply to MQTT V5')
  return checked
}

/** True when the topic may be empty; whether the alias itself is right is checked with the other properties. */
function hasAlias(properties: PropertiesLike | null | undefined): boolean {
  return properties?.topicAlias !== undefined && properties.topicAlias !== null
}

function encode(properties: Properties | undefined): Uint8Array | null {
  return properties === undefined || properties.isEmpty() ? null : properties.encode()
}

function givenTimeout({ timeout }: CallOptions): number | undefined {
  return timeout === undefined || timeout === null ? undefined : checkTimeout(timeout)
}

function givenSignal({ signal }: CallOptions): AbortSignal | undefined {
  return signal === undefined || signal === null ? undefined : checkSignal(signal)
}
