import type { Duplex } from 'node:stream'
import { PacketTypes } from '../../mqtt/packet-types.js'
import { Properties } from '../../mqtt/properties.js'
import { ProtocolVersion } from '../../mqtt/protocol-version.js'
import { connackReasonCode } from '../../mqtt/reason-code.js'
import type { ClientSettings } from '../../options/client-settings.js'
import { Fault } from './checklist.js'

/** What a broker answered to CONNECT. */
export interface Connack {
  readonly sessionPresent: boolean
  /** 0, or the code of a refusal. */
  readonly code: number
  /** The reason in words. */
  readonly reason: string
  /** Null on MQTT 3.x. */
  readonly properties: Properties | null
}

/** What to do about a refusal, by the code of MQTT 5. */
const ADVICE: ReadonlyMap<number, string> = new Map([
  [129, 'The broker did not understand CONNECT: is it a broker of MQTT?'],
  [130, 'The broker did not understand CONNECT: is it a broker of MQTT?'],
  [132, 'The broker does not speak this version of MQTT.'],
  [133, 'The broker does not take this client identifier: choose another one with -i.'],
  [134, 'The broker knows no such user, or the password is another one: see -u and -P.'],
  [135, 'The broker wants a user name and a password (-u, -P), or its rules do not let this client in (-i).'],
  [136, 'The broker is there, but not ready: its log says why.'],
  [137, 'The broker has too much to do: try again later.'],
  [138, 'The broker has banned this client: its administrator knows why.'],
  [140, 'The broker wants another method of authentication.'],
  [149, 'CONNECT is larger than the broker takes: is the will that large?'],
  [151, 'The broker has a limit, perhaps of connections, that is reached.'],
  [153, "The will's payload is not what its properties say."],
  [154, 'The broker retains no messages: leave out --will-retain.'],
  [155, 'The broker does not take the QoS of the will: choose a lower one.'],
  [156, 'The broker wants this client to use another server.'],
  [157, 'The broker has moved to another server.'],
  [159, 'This client connects too often for the broker: wait a while.'],
])

const CONNACK = 0x20

const CLOSED = [
  'Something else than a broker listens there, or the broker does not let this client in: see its log.',
]

/**
 * Sends CONNECT with a clean start and the given credentials, and reads the answer.
 * @throws {Fault} what came is no CONNACK, or nothing came
 */
export async function askForConnack(stream: Duplex, settings: ClientSettings): Promise<Connack> {
  stream.write(connectPacket(settings))
  let received = Buffer.alloc(0)
  try {
    for await (const chunk of stream) {
      received = Buffer.concat([received, chunk as Buffer])
      if (received[0] !== CONNACK) throw strangerFault(received)
      const packet = bodyOf(received)
      if (packet !== null) return parse(packet, settings.protocol)
    }
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new SilentFault(`the connection was closed without an answer (${(error as Error).message})`, CLOSED)
  }
  throw new SilentFault('the connection was closed without an answer', CLOSED)
}

/** A server that took CONNECT without a word of its own: perhaps it speaks something else. */
export class SilentFault extends Fault {}

/** What to do about a refusal. */
export function adviceFor(connack: Connack): string[] {
  const { reasonString, serverReference } = connack.properties ?? {}
  return [
    ...(reasonString === undefined ? [] : [`The broker says: ${reasonString}`]),
    ...(serverReference === undefined ? [] : [`It names ${serverReference}.`]),
    ...[ADVICE.get(connack.code) ?? []].flat(),
  ]
}

/** CONNECT (MQTT 5, 3.1) without a will. */
function connectPacket({
  protocol,
  identifier,
  username,
  password,
  keepalive,
  properties,
}: ClientSettings): Buffer {
  const isNew = protocol === ProtocolVersion.V5
  const flags = 0x02 | (username === null ? 0 : 0x80) | (password === null ? 0 : 0x40)
  const parts: Uint8Array[] = [
    field(protocol === ProtocolVersion.V31 ? 'MQIsdp' : 'MQTT'),
    Uint8Array.of(protocol, flags, keepalive >> 8, keepalive & 0xff),
    isNew ? (properties ?? new Properties(PacketTypes.CONNECT)).encode() : new Uint8Array(),
    // MQTT 3.1 has no empty identifiers.
    field(identifier === '' && protocol === ProtocolVersion.V31 ? `doctor${process.pid}` : identifier),
    ...(username === null ? [] : [field(username)]),
    ...(password === null ? [] : [field(password)]),
  ]
  const body = Buffer.concat(parts)
  return Buffer.concat([Uint8Array.of(0x10, ...variableByteInteger(body.length)), body])
}

function field(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes])
}

function variableByteInteger(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...variableByteInteger(value >> 7)]
}

/** What follows the fixed header, once all of it is there. */
function bodyOf(packet: Buffer): Buffer | null {
  let length = 0
  for (let at = 1; at < Math.min(packet.length, 5); at++) {
    const byte = packet[at] ?? 0
    length |= (byte & 0x7f) << (7 * (at - 1))
    if (byte < 0x80) return packet.length > at + length ? packet.subarray(at + 1, at + 1 + length) : null
  }
  return null
}

function parse(body: Buffer, protocol: ProtocolVersion): Connack {
  const isNew = protocol === ProtocolVersion.V5
  const reason = connackReasonCode(isNew, body[1] ?? 0)
  // An old broker refuses a new version in its own format.
  const hasProperties = isNew && body.length > 2
  return {
    sessionPresent: ((body[0] ?? 0) & 1) !== 0,
    code: Number(reason?.valueOf() ?? body[1]),
    reason: reason?.getName() ?? `code ${body[1]}`,
    properties: hasProperties
      ? Properties.decode(PacketTypes.CONNACK, withoutPrefix(body.subarray(2)))
      : null,
  }
}

function withoutPrefix(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte < 0x80) + 1
  return bytes.subarray(start)
}

/** What else it may be, by the first bytes that came. */
function strangerFault(bytes: Buffer): Fault {
  if (bytes.subarray(0, 5).toString('latin1') === 'HTTP/') {
    const [status] = bytes.toString('latin1').split('\r\n')
    return new Fault(`an HTTP server answered: ${status}`, [
      'If the broker speaks WebSocket there, use ws: or wss:; else its port for MQTT is usually 1883.',
    ])
  }
  if (bytes[0] === 0x15 && bytes[1] === 0x03) {
    return new Fault('a TLS server answered', ['Use mqtts: (or wss:) there.'])
  }
  const shown = bytes.subarray(0, 16).toString('hex')
  return new Fault(`what came is not MQTT: ${shown}`, ['Something else than a broker listens there.'])
}
