import type { PropertiesLiteral } from '../mqtt/properties.js'
import type { UserProperty } from '../mqtt/property-codec.js'
import { CommandError } from './command-error.js'

/** The packets that `-D` gives properties to. */
export type PropertyPacket = 'connect' | 'publish' | 'subscribe' | 'unsubscribe' | 'will'

/** The values of one property in words: numbers, texts, or bytes that are given as text. */
type Kind = 'number' | 'text' | 'bytes'

const NAMES: Readonly<Record<string, readonly [member: keyof PropertiesLiteral, kind: Kind]>> = {
  'authentication-data': ['authenticationData', 'bytes'],
  'authentication-method': ['authenticationMethod', 'text'],
  'content-type': ['contentType', 'text'],
  'correlation-data': ['correlationData', 'bytes'],
  'maximum-packet-size': ['maximumPacketSize', 'number'],
  'message-expiry-interval': ['messageExpiryInterval', 'number'],
  'payload-format-indicator': ['payloadFormatIndicator', 'number'],
  'receive-maximum': ['receiveMaximum', 'number'],
  'request-problem-information': ['requestProblemInformation', 'number'],
  'request-response-information': ['requestResponseInformation', 'number'],
  'response-topic': ['responseTopic', 'text'],
  'session-expiry-interval': ['sessionExpiryInterval', 'number'],
  'subscription-identifier': ['subscriptionIdentifier', 'number'],
  'topic-alias': ['topicAlias', 'number'],
  'topic-alias-maximum': ['topicAliasMaximum', 'number'],
  'will-delay-interval': ['willDelayInterval', 'number'],
}

const PACKETS: ReadonlySet<string> = new Set(['connect', 'publish', 'subscribe', 'unsubscribe', 'will'])

const REFUSED: Readonly<Record<string, string>> = {
  auth: 'authentication by exchange cannot be given in options',
  disconnect: 'DISCONNECT is sent without properties',
  puback: 'acknowledgements are sent without properties',
  pubcomp: 'acknowledgements are sent without properties',
  pubrec: 'acknowledgements are sent without properties',
}

/**
 * The words after all `-D`, in one list: a packet, a property and its value, or `user-property`, a name and a value.
 * Whether a property fits its packet, and its value, the client checks.
 * @throws {CommandError} unknown or missing words
 */
export function readProperties(words: readonly string[]): Partial<Record<PropertyPacket, PropertiesLiteral>> {
  const result: Partial<Record<PropertyPacket, PropertiesLiteral>> = {}
  for (let at = 0; at < words.length; ) {
    const packet = readPacket(words[at])
    const name = words[at + 1]
    const value = words[at + 2]
    if (name === undefined || value === undefined)
      throw new CommandError('-D needs a packet, a property and a value')
    const properties = result[packet] ?? {}
    result[packet] = properties
    if (name === 'user-property') {
      const content = words[at + 3]
      if (content === undefined) throw new CommandError('-D: user-property needs a name and a value')
      const pairs = (properties.userProperty ?? []) as UserProperty[]
      properties.userProperty = [...pairs, [value, content]]
      at += 4
    } else {
      Object.assign(properties, propertyOf(name, value, '-D'))
      at += 3
    }
  }
  return result
}

function readPacket(word = ''): PropertyPacket {
  const packet = word.toLowerCase()
  if (PACKETS.has(packet)) return packet as PropertyPacket
  const reason = REFUSED[packet]
  if (reason !== undefined) throw new CommandError(`-D ${packet} is not supported: ${reason}`)
  throw new CommandError(`-D: ${word} is none of ${[...PACKETS].join(', ')}`)
}

/**
 * One property by Mosquitto's name for it.
 * @param where what the error begins with
 * @throws {CommandError} no such property, or a value that is none
 */
export function propertyOf(name: string, value: string, where: string): PropertiesLiteral {
  const known = NAMES[name]
  if (known === undefined) {
    throw new CommandError(
      `${where}: ${name} is none of ${[...Object.keys(NAMES), 'user-property'].join(', ')}`,
    )
  }
  const [member, kind] = known
  if (kind === 'text') return { [member]: value }
  if (kind === 'bytes') return { [member]: Buffer.from(value) }
  if (!/^\d+$/.test(value)) throw new CommandError(`${where}: ${name} must be a number, not ${value}`)
  return { [member]: Number(value) }
}
