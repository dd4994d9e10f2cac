/**
 * The control packets of MQTT by their number on the wire (MQTT 5, 2.1.2), as paho's `PacketTypes`.
 * `WILLMESSAGE` is no packet: it stands for the properties of a will, which have a set of their own.
 */
export const PacketTypes = Object.freeze({
  /** A client asks for a connection. */
  CONNECT: 1,
  /** The broker accepts it, or refuses. */
  CONNACK: 2,
  /** A message. */
  PUBLISH: 3,
  /** A message of QoS 1 has been taken over. */
  PUBACK: 4,
  /** A message of QoS 2 has been received. */
  PUBREC: 5,
  /** Its identifier may be released. */
  PUBREL: 6,
  /** A message of QoS 2 is done with. */
  PUBCOMP: 7,
  /** A client asks for messages. */
  SUBSCRIBE: 8,
  /** The broker answers, filter by filter. */
  SUBACK: 9,
  /** A client asks for no more messages. */
  UNSUBSCRIBE: 10,
  /** The broker answers, on MQTT 5 filter by filter. */
  UNSUBACK: 11,
  /** A client asks for a sign of life. */
  PINGREQ: 12,
  /** The broker gives it. */
  PINGRESP: 13,
  /** The connection ends, on purpose. */
  DISCONNECT: 14,
  /** MQTT 5: a step of enhanced authentication. */
  AUTH: 15,
  /** No packet: the properties of a will. */
  WILLMESSAGE: 99,
} as const)

/** One of the numbers in {@link PacketTypes}. */
export type PacketType = (typeof PacketTypes)[keyof typeof PacketTypes]

const NAMES = new Map<unknown, string>(
  Object.entries(PacketTypes).map(([name, value]) => [value, name.charAt(0) + name.slice(1).toLowerCase()]),
)

/** The name of a packet type as error messages show it (`Publish`), or undefined when there is none such. */
export function packetTypeName(packetType: unknown): string | undefined {
  return NAMES.get(packetType)
}
