import { isUtf8 } from 'node:buffer'
import { MAX_REMAINING_LENGTH } from '../mqtt/fields.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { decodeProperties, withoutPrefix } from '../mqtt/property-codec.js'
import { isTopicName } from '../mqtt/topic.js'

// The layout of a message's record, which docs/store.md tells to the byte: its format, its flags, its packet identifier,
// the lengths of its topic (two bytes) and its properties (four), then topic, properties and payload. Numbers are little
// endian. Of a message of QoS 2 of which only the second half of its flow is left there is nothing but the first four
// bytes.

const FORMAT = 2
const FLAG_QOS = 0b0011
const FLAG_RETAIN = 0b0100
const FLAG_RELEASED = 0b1000
const FLAGS_AT = 1
const IDENTIFIER_AT = 2
const TOPIC_LENGTH_AT = 4
const PROPERTIES_LENGTH_AT = 6
const HEAD = 10
const RELEASED_LENGTH = 4

const RESPONSE_TOPIC = 8
const SUBSCRIPTION_IDENTIFIER = 11
const EMPTY = Buffer.alloc(0)

/** An unfinished publish of QoS 1 or 2, as a store has it. */
export interface PublishRecord {
  /** The packet identifier; 0 if it has none yet. */
  readonly identifier: number
  readonly qos: number
  readonly isRetained: boolean
  /** Only the second half of a QoS 2 flow is left: there is no message any more. */
  readonly isReleased: boolean
  readonly topic: Uint8Array
  /** With their length prefix, as in MQTT; empty for none. */
  readonly properties: Uint8Array
  readonly payload: Uint8Array
}

/** What a record of the second half of a flow has beside its packet identifier. */
export const RELEASED = {
  qos: 2,
  isRetained: false,
  isReleased: true,
  topic: EMPTY,
  properties: EMPTY,
  payload: EMPTY,
} as const

export function encodePublish(record: PublishRecord): Uint8Array {
  const { identifier, qos, isRetained, isReleased, topic, properties, payload } = record
  const length = isReleased ? RELEASED_LENGTH : HEAD + topic.length + properties.length + payload.length
  const value = Buffer.allocUnsafe(length)
  value[0] = FORMAT
  value[FLAGS_AT] = qos | (isRetained ? FLAG_RETAIN : 0) | (isReleased ? FLAG_RELEASED : 0)
  value.writeUInt16LE(identifier, IDENTIFIER_AT)
  if (isReleased) return value
  value.writeUInt16LE(topic.length, TOPIC_LENGTH_AT)
  value.writeUInt32LE(properties.length, PROPERTIES_LENGTH_AT)
  value.set(topic, HEAD)
  value.set(properties, HEAD + topic.length)
  value.set(payload, HEAD + topic.length + properties.length)
  return value
}

/**
 * Checks all that a store says of a message.
 * @returns views of `value`; or, for what no client has written, what is wrong with it
 */
export function decodePublish(value: Uint8Array): PublishRecord | string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (bytes.length < RELEASED_LENGTH || bytes[0] !== FORMAT) return 'its format is unknown'
  const flags = bytes[FLAGS_AT] as number
  const identifier = bytes.readUInt16LE(IDENTIFIER_AT)
  const qos = flags & FLAG_QOS
  if (flags > (FLAG_RELEASED | FLAG_RETAIN | FLAG_QOS) || qos === 0 || qos > 2) return 'its flags are wrong'
  if ((flags & FLAG_RELEASED) !== 0) {
    if (bytes.length !== RELEASED_LENGTH || qos !== 2) return 'its flags are wrong'
    return identifier === 0 ? 'it has no packet identifier' : { identifier, ...RELEASED }
  }
  if (bytes.length < HEAD) return 'it is cut short'
  const topicEnd = HEAD + bytes.readUInt16LE(TOPIC_LENGTH_AT)
  const propertiesEnd = topicEnd + bytes.readUInt32LE(PROPERTIES_LENGTH_AT)
  if (propertiesEnd > bytes.length) return 'it is cut short'
  const topic = bytes.subarray(HEAD, topicEnd)
  const properties = bytes.subarray(topicEnd, propertiesEnd)
  const payload = bytes.subarray(propertiesEnd)
  // With the lengths of the topic and the packet identifier, and the one of no properties.
  if (topic.length + properties.length + payload.length + 5 > MAX_REMAINING_LENGTH) {
    return 'it is longer than any MQTT packet'
  }
  if (!isUtf8(topic) || !isTopicName(topic.toString())) return 'its topic is none'
  const flaw = properties.length === 0 ? null : propertiesFlaw(properties)
  if (flaw !== null) return flaw
  const isRetained = (flags & FLAG_RETAIN) !== 0
  return { identifier, qos, isRetained, isReleased: false, topic, properties, payload }
}

function propertiesFlaw(properties: Uint8Array): string | null {
  const encoded = withoutPrefix(properties)
  if (encoded === null) return "its properties' length is wrong"
  try {
    const values = decodeProperties(PacketTypes.PUBLISH, encoded)
    const responseTopic = values.get(RESPONSE_TOPIC)
    if (values.has(SUBSCRIPTION_IDENTIFIER)) return 'its properties hold what only a server sends'
    const isAnswerable = responseTopic === undefined || isTopicName(responseTopic as string)
    return isAnswerable ? null : 'its response topic is none'
  } catch (error) {
    return `its properties are malformed: ${((error as Error).cause as Error).message}`
  }
}
