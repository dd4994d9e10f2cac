import type { Duplex } from 'node:stream'
import { refusal } from '../../failures/broker-failure.js'
import { nodeTlsFailure } from '../../failures/tls-failure.js'
import { PacketTypes } from '../../mqtt/packet-types.js'
import { Properties } from '../../mqtt/properties.js'
import { withoutPrefix } from '../../mqtt/property-codec.js'
import { ProtocolVersion } from '../../mqtt/protocol-version.js'
import { connackReasonCode } from '../../mqtt/reason-code.js'
import { readVariable, variableLength, writeVariable } from '../../mqtt/variable-byte-integer.js'
import type { ClientSettings } from '../../options/client-settings.js'
import { placeOf } from '../../transports/way.js'
import { adviceOn } from '../advice.js'
import { Fault } from './checklist.js'

/** What a broker answered to CONNECT. */
export interface Connack {
  readonly sessionPresent: boolean
  /** 0, or the code of a refusal, as MQTT 5 has it. */
  readonly code: number
  /** The reason in words. */
  readonly reason: string
  /** What to do about a refusal, after what the broker said itself. */
  readonly advice: readonly string[]
  /** Null on MQTT 3.x. */
  readonly properties: Properties | null
}

const CONNECT = 0x10
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
    // With TLS 1.3 a broker refuses the client's certificate after the handshake.
    const failure = nodeTlsFailure(error, placeOf(settings))
    if (failure !== null) throw new Fault(failure.text, adviceOn(failure))
    throw new SilentFault(`the connection was closed without an answer (${(error as Error).message})`, CLOSED)
  }
  throw new SilentFault('the connection was closed without an answer', CLOSED)
}

/** A server that took CONNECT without a word of its own: perhaps it speaks something else. */
export class SilentFault extends Fault {}

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
  const head = Buffer.alloc(1 + variableLength(body.length), CONNECT)
  writeVariable(head, 1, body.length)
  return Buffer.concat([head, body])
}

function field(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes])
}

/** What follows the fixed header, once all of it is there. */
function bodyOf(packet: Buffer): Buffer | null {
  const length = readVariable(packet, 1)
  if (length === 'short') return null
  if (length === 'long') throw strangerFault(packet)
  const end = length.end + length.value
  return packet.length < end ? null : packet.subarray(length.end, end)
}

function parse(body: Buffer, protocol: ProtocolVersion): Connack {
  const isNew = protocol === ProtocolVersion.V5
  const rc = connackReasonCode(isNew, body[1] ?? 0)
  // An old broker refuses a new version in its own format.
  const hasProperties = isNew && body.length > 2
  const encoded = hasProperties ? withoutPrefix(body.subarray(2)) : null
  if (hasProperties && encoded === null) throw strangerFault(body)
  const properties = encoded === null ? null : Properties.decode(PacketTypes.CONNACK, encoded)
  return {
    sessionPresent: ((body[0] ?? 0) & 1) !== 0,
    code: rc?.value ?? body[1] ?? 0,
    reason: rc?.getName() ?? `code ${body[1]}`,
    advice: rc === undefined ? [] : [...words(properties), ...adviceOn(refusal(rc, properties, ''))],
    properties,
  }
}

/** What the broker says beside its code. */
function words(properties: Properties | null): string[] {
  const { reasonString, serverReference } = properties ?? {}
  return [
    ...(reasonString === undefined ? [] : [`The broker says: ${reasonString}`]),
    ...(serverReference === undefined ? [] : [`It names ${serverReference}.`]),
  ]
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
