import { MqttCodeError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import type { Properties } from '../mqtt/properties.js'
import { receivedReasonCode } from '../mqtt/reason-code.js'
import { hasWildcard, sharedFilter } from '../mqtt/topic.js'
import { variableLength } from '../mqtt/variable-byte-integer.js'
import { byteLength } from '../support/bytes.js'
import type { PublishCall } from './publish-arguments.js'
import { type FiltersCall, filtersLength } from './subscribe-arguments.js'

const RETAIN_NOT_SUPPORTED = 154
const QOS_NOT_SUPPORTED = 155
const TOPIC_ALIAS_INVALID = 148
const PACKET_TOO_LARGE = 149
const SHARED_SUBSCRIPTION_NOT_SUPPORTED = 158
const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 161
const WILDCARD_SUBSCRIPTION_NOT_SUPPORTED = 162

/** Of a publish that is kept, what a broker may not take. */
interface KeptContent {
  readonly retain: boolean
  /** With their length prefix, or null for none. */
  readonly properties: Uint8Array | null
}

/**
 * What an MQTT 5 broker said in CONNACK that it does not take (MQTT 5, 3.2.2.3). A call that asks for it is refused
 * here, before anything is sent, with the reason code for which the broker would end the connection.
 */
export class BrokerLimits {
  private readonly maximumQoS: number
  private readonly retainAvailable: boolean
  private readonly topicAliasMaximum: number
  private readonly maximumPacketSize: number
  private readonly wildcardsAvailable: boolean
  private readonly identifiersAvailable: boolean
  private readonly sharedAvailable: boolean
  /** QoS 1 and 2 publishes that may be partway. */
  readonly receiveMaximum: number

  /** @param connack CONNACK's properties */
  constructor(connack: Properties) {
    this.maximumQoS = connack.maximumQoS ?? 2
    this.retainAvailable = connack.retainAvailable !== 0
    this.topicAliasMaximum = connack.topicAliasMaximum ?? 0
    this.maximumPacketSize = connack.maximumPacketSize ?? Number.POSITIVE_INFINITY
    this.wildcardsAvailable = connack.wildcardSubscriptionAvailable !== 0
    this.identifiersAvailable = connack.subscriptionIdentifierAvailable !== 0
    this.receiveMaximum = connack.receiveMaximum ?? 0xffff
    this.sharedAvailable = connack.sharedSubscriptionAvailable !== 0
  }

  checkPublish({ qos, retain, topic, payload, properties, encodedProperties }: PublishCall): void {
    if (qos > this.maximumQoS) throw refusal(QOS_NOT_SUPPORTED)
    if (retain && !this.retainAvailable) throw refusal(RETAIN_NOT_SUPPORTED)
    if ((properties?.topicAlias ?? 0) > this.topicAliasMaximum) throw refusal(TOPIC_ALIAS_INVALID)
    if (this.maximumPacketSize === Number.POSITIVE_INFINITY) return
    const identifierLength = qos > 0 ? 2 : 0
    const payloadLength = typeof payload === 'string' ? Buffer.byteLength(payload) : byteLength(payload)
    this.checkSize(
      2 + Buffer.byteLength(topic) + identifierLength + lengthOf(encodedProperties) + payloadLength,
    )
  }

  /**
   * A publish that another connection was to send, or none.
   * @param contentLength the lengths of its topic, its payload and its properties with their prefix, together
   */
  checkKept(qos: number, { retain, properties }: KeptContent, contentLength: number): void {
    if (qos > this.maximumQoS) throw refusal(QOS_NOT_SUPPORTED)
    if (retain && !this.retainAvailable) throw refusal(RETAIN_NOT_SUPPORTED)
    this.checkSize(2 + (qos > 0 ? 2 : 0) + (properties === null ? 1 : 0) + contentLength)
  }

  checkSubscribe(call: FiltersCall): void {
    if (!this.identifiersAvailable && call.properties?.subscriptionIdentifier !== undefined) {
      throw refusal(SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED)
    }
    for (const { filter } of call.filters) {
      const shared = sharedFilter(filter)
      if (shared !== null && !this.sharedAvailable) throw refusal(SHARED_SUBSCRIPTION_NOT_SUPPORTED)
      if (!this.wildcardsAvailable && hasWildcard(shared ?? filter)) {
        throw refusal(WILDCARD_SUBSCRIPTION_NOT_SUPPORTED)
      }
    }
    this.checkFiltersSize(call, 1)
  }

  /** @param optionsLength bytes of options that each filter has: 1 in SUBSCRIBE, 0 in UNSUBSCRIBE */
  checkFiltersSize(call: FiltersCall, optionsLength: 0 | 1): void {
    if (this.maximumPacketSize !== Number.POSITIVE_INFINITY)
      this.checkSize(filtersLength(call, optionsLength))
  }

  /** @param remaining the length of what follows a packet's fixed header */
  checkSize(remaining: number): void {
    const size = 1 + variableLength(remaining) + remaining
    if (size > this.maximumPacketSize) throw refusal(PACKET_TOO_LARGE)
  }
}

/** In a packet the length of no properties is a byte too. */
function lengthOf(encodedProperties: Uint8Array | null): number {
  return encodedProperties === null ? 1 : encodedProperties.length
}

/** `[code:148]`: an alias would mean nothing, or something else, to another connection. */
export function aliasRefusal(): MqttCodeError {
  return refusal(TOPIC_ALIAS_INVALID)
}

/** The error for a reason code of DISCONNECT. */
function refusal(code: number): MqttCodeError {
  return new MqttCodeError(receivedReasonCode(PacketTypes.DISCONNECT, code) ?? code)
}
