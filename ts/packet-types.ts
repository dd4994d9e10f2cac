/**
 * The control packets of MQTT by their number on the wire (MQTT 5, 2.1.2), as paho's `PacketTypes`.
 * `WILLMESSAGE` is no packet: it stands for the properties of a will, which have a set of their own.
 */
export const PacketTypes = Object.freeze({
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
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
