import { type PacketType, PacketTypes } from './packet-types.js'

/** How the value of a property stands on the wire (MQTT 5, 1.5). */
export const FLAG = 0
export const TWO_BYTES = 1
export const FOUR_BYTES = 2
export const VARIABLE_BYTES = 3
export const TEXT = 4
export const BINARY = 5
export const PAIRS = 6

/** One property of MQTT 5. */
export interface PropertySpec {
  /** The number before its value on the wire. */
  readonly id: number
  readonly name: string
  readonly kind: number
  /** For numbers: the least value and the greatest that may be assigned. */
  readonly min: number
  readonly max: number
  /** The packets that may carry it. */
  readonly packets: readonly PacketType[]
}

const { CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP } = PacketTypes
const { SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, DISCONNECT, AUTH, WILLMESSAGE } = PacketTypes

const MESSAGE = [PUBLISH, WILLMESSAGE]
const CONNECTION = [CONNECT, CONNACK]
const ANSWERS = [CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH]
const ALL = [CONNECT, PUBLISH, WILLMESSAGE, SUBSCRIBE, UNSUBSCRIBE, ...ANSWERS]

function spec(
  id: number,
  name: string,
  kind: number,
  packets: readonly PacketType[],
  min = 0,
  max = 0,
): PropertySpec {
  return { id, name, kind, min, max, packets }
}

/** All properties of MQTT 5 in the order of their numbers (2.2.2.2); limits as paho checks them. */
export const PROPERTIES: readonly PropertySpec[] = [
  spec(1, 'payloadFormatIndicator', FLAG, MESSAGE, 0, 1),
  spec(2, 'messageExpiryInterval', FOUR_BYTES, MESSAGE, 0, 4_294_967_295),
  spec(3, 'contentType', TEXT, MESSAGE),
  spec(8, 'responseTopic', TEXT, MESSAGE),
  spec(9, 'correlationData', BINARY, MESSAGE),
  spec(11, 'subscriptionIdentifier', VARIABLE_BYTES, [PUBLISH, SUBSCRIBE], 1, 268_435_455),
  spec(17, 'sessionExpiryInterval', FOUR_BYTES, [CONNECT, CONNACK, DISCONNECT], 0, 4_294_967_295),
  spec(18, 'assignedClientIdentifier', TEXT, [CONNACK]),
  spec(19, 'serverKeepAlive', TWO_BYTES, [CONNACK], 0, 65535),
  spec(21, 'authenticationMethod', TEXT, [CONNECT, CONNACK, AUTH]),
  spec(22, 'authenticationData', BINARY, [CONNECT, CONNACK, AUTH]),
  spec(23, 'requestProblemInformation', FLAG, [CONNECT], 0, 1),
  spec(24, 'willDelayInterval', FOUR_BYTES, [WILLMESSAGE], 0, 4_294_967_295),
  spec(25, 'requestResponseInformation', FLAG, [CONNECT], 0, 1),
  spec(26, 'responseInformation', TEXT, [CONNACK]),
  spec(28, 'serverReference', TEXT, [CONNACK, DISCONNECT]),
  spec(31, 'reasonString', TEXT, ANSWERS),
  spec(33, 'receiveMaximum', TWO_BYTES, CONNECTION, 1, 65535),
  spec(34, 'topicAliasMaximum', TWO_BYTES, CONNECTION, 0, 65535),
  spec(35, 'topicAlias', TWO_BYTES, [PUBLISH], 1, 65535),
  spec(36, 'maximumQoS', FLAG, [CONNACK], 0, 1),
  spec(37, 'retainAvailable', FLAG, [CONNACK], 0, 1),
  spec(38, 'userProperty', PAIRS, ALL),
  spec(39, 'maximumPacketSize', FOUR_BYTES, CONNECTION, 1, 268_435_455),
  spec(40, 'wildcardSubscriptionAvailable', FLAG, [CONNACK], 0, 1),
  spec(41, 'subscriptionIdentifierAvailable', FLAG, [CONNACK], 0, 1),
  spec(42, 'sharedSubscriptionAvailable', FLAG, [CONNACK], 0, 1),
]

const BY_NAME = new Map<string, PropertySpec>(PROPERTIES.map((property) => [property.name, property]))

const BY_ID: PropertySpec[] = []
for (const property of PROPERTIES) BY_ID[property.id] = property

/** The property of this name, or undefined. */
export function propertyNamed(name: string): PropertySpec | undefined {
  return BY_NAME.get(name)
}

/** The property of this number, which must be one of {@link PROPERTIES}. */
export function propertyNumbered(id: number): PropertySpec {
  return BY_ID[id] as PropertySpec
}

/** For each packet type the properties that it may carry, by their number on the wire. */
const BY_PACKET = new Map<PacketType, ReadonlyMap<number, PropertySpec>>(
  Object.values(PacketTypes).map((packetType) => [
    packetType,
    new Map(
      PROPERTIES.filter(({ packets }) => packets.includes(packetType)).map((property) => [
        property.id,
        property,
      ]),
    ),
  ]),
)

/** The properties that a packet may carry, by their number; undefined for what is no packet type. */
export function propertiesOf(packetType: PacketType): ReadonlyMap<number, PropertySpec> | undefined {
  return BY_PACKET.get(packetType)
}

/** True when a packet may carry the property more than once. */
export function isRepeatable(property: PropertySpec, packetType: PacketType): boolean {
  return property.kind === PAIRS || (property.kind === VARIABLE_BYTES && packetType === PUBLISH)
}
