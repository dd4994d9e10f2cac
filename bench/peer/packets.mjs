// MQTT packets as bytes: as little of the protocol as the benchmark's own side of a connection needs.

import { encodeFrame } from './frames.mjs'

export const CONNECT = 1
export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBSCRIBE = 8
export const SUBACK = 9
export const UNSUBSCRIBE = 10
export const UNSUBACK = 11
export const PINGREQ = 12
export const PINGRESP = 13
export const DISCONNECT = 14

/** First bytes of the four acknowledgements; PUBREL's has a reserved bit set. */
export const PUBACK_HEAD = 0x40
export const PUBREC_HEAD = 0x50
export const PUBREL_HEAD = 0x62
export const PUBCOMP_HEAD = 0x70

const RECEIVE_MAXIMUM = 0x21
const USER_PROPERTY = 0x26
const LARGEST_RECEIVE_MAXIMUM = 65_535

/** The topics of all scenarios: of one length, so that all packets of a scenario are of one size. */
export function topicNames(count) {
  return Array.from({ length: count }, (_, index) => `fleet/device-${String(index).padStart(3, '0')}/measure`)
}

/**
 * The payload of message `sequence`: its first byte counts up to `cycle` and starts again, which is how a
 * receiver knows that nothing was lost or changed places.
 */
export function payloadOf(sequence, size, cycle) {
  const payload = Buffer.alloc(size, 'measure ')
  payload[0] = sequence % cycle
  return payload
}

/**
 * Packets to send round and round: message `n` is packet `n % packets`. For QoS 1 and 2 packet `n` has the packet
 * identifier `n + 1`, so that fewer than `packets` may be under way at once. With `framed` each is a WebSocket frame, as
 * brokers send them.
 *
 * @returns {{ bytes: Buffer, size: number, packets: number }} size: the bytes of one packet
 */
export function encodeRing({
  protocol,
  qos,
  topics,
  payload,
  cycle,
  userProperties,
  packets,
  framed = false,
}) {
  const names = topicNames(topics)
  const encoded = Array.from({ length: packets }, (_, index) => {
    const bytes = payloadOf(index, payload, cycle)
    const packet = encodePublish(protocol, qos, names[index % topics], bytes, index + 1, userProperties)
    return framed ? encodeFrame(packet) : packet
  })
  return { bytes: Buffer.concat(encoded), size: encoded[0].length, packets }
}

function encodePublish(protocol, qos, topic, payload, identifier, userProperties) {
  const properties = protocol === 5 ? withLength(Buffer.concat(userProperties.map(encodeUserProperty))) : []
  const parts = [text(topic), qos > 0 ? uint16(identifier) : [], properties, payload]
  return packet((PUBLISH << 4) | (qos << 1), parts)
}

function encodeUserProperty([name, value]) {
  return Buffer.concat([Buffer.of(USER_PROPERTY), text(name), text(value)])
}

export function encodeConnect(protocol, identifier, keepalive) {
  const properties = protocol === 5 ? [0] : []
  const flags = 0x02
  return packet(CONNECT << 4, [
    text('MQTT'),
    [protocol, flags],
    uint16(keepalive),
    properties,
    text(identifier),
  ])
}

export function encodeSubscribe(protocol, filter, qos) {
  return packet((SUBSCRIBE << 4) | 2, [uint16(1), protocol === 5 ? [0] : [], text(filter), [qos]])
}

export function encodeConnack(protocol) {
  return packet(CONNACK << 4, [[0, 0], protocol === 5 ? [0] : []])
}

/** SUBACK or UNSUBACK for the packet whose body starts at `body`; one reason code a filter. */
export function encodeFiltersAck(type, protocol, bytes, body, end) {
  const identifier = bytes.subarray(body, body + 2)
  let at = body + 2
  if (protocol === 5) at += 1 + bytes[at]
  const codes = []
  while (at < end) {
    at += 2 + bytes.readUInt16BE(at)
    codes.push(type === SUBACK ? bytes[at++] & 3 : 0)
  }
  const hasCodes = type === SUBACK || protocol === 5
  return packet(type << 4, [identifier, protocol === 5 ? [0] : [], hasCodes ? codes : []])
}

/**
 * What the server's side has to know of a CONNECT.
 *
 * @returns {{ protocol: number, receiveMaximum: number }}
 */
export function decodeConnect(bytes, body) {
  const level = body + 2 + bytes.readUInt16BE(body)
  const protocol = bytes[level]
  const properties = level + 4
  const receiveMaximum =
    protocol === 5 ? findReceiveMaximum(bytes, properties + 1, bytes[properties]) : LARGEST_RECEIVE_MAXIMUM
  return { protocol, receiveMaximum }
}

const CONNECT_PROPERTY_SIZES = new Map([
  [0x11, 4],
  [0x17, 1],
  [0x19, 1],
  [0x22, 2],
  [0x27, 4],
])

function findReceiveMaximum(bytes, start, length) {
  let at = start
  while (at < start + length) {
    const name = bytes[at++]
    if (name === RECEIVE_MAXIMUM) return bytes.readUInt16BE(at)
    const size = CONNECT_PROPERTY_SIZES.get(name)
    if (size !== undefined) at += size
    else at += 2 + bytes.readUInt16BE(at)
    if (name === USER_PROPERTY) at += 2 + bytes.readUInt16BE(at)
  }
  return LARGEST_RECEIVE_MAXIMUM
}

function packet(head, parts) {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([Buffer.of(head), withLength(body)])
}

function withLength(body) {
  const prefix = []
  let rest = body.length
  do {
    const more = rest > 127 ? 128 : 0
    prefix.push((rest & 127) | more)
    rest >>>= 7
  } while (rest > 0)
  return Buffer.concat([Buffer.from(prefix), body])
}

function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint16(bytes.length), bytes])
}

function uint16(value) {
  return Buffer.of(value >> 8, value & 255)
}
