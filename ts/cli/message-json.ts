import { isUtf8 } from 'node:buffer'
import type { Message } from '../engine/message.js'
import type { UserProperty } from '../mqtt/property-codec.js'
import { CommandError } from './command-error.js'
import { strftime } from './strftime.js'

/** What a line of JSON tells of a message. */
type PrintableMessage = Pick<Message, 'topic' | 'payload' | 'qos' | 'retain' | 'mid' | 'properties' | 'text'>

/** When a message was printed. */
export class Moment {
  readonly date: Date
  /** Those of the second that has begun, in nine digits; the clock of JavaScript has microseconds of them. */
  readonly nanoseconds: string

  constructor() {
    const microseconds = Math.round((performance.timeOrigin + performance.now()) * 1000)
    this.date = new Date(microseconds / 1000)
    this.nanoseconds = `${String(microseconds % 1_000_000).padStart(6, '0')}000`
  }
}

/** The payload as the JSON that it is; null for none. */
export function parsedPayload(message: Message): unknown {
  if (message.payload.length === 0) return null
  try {
    return message.json()
  } catch {
    throw new CommandError(`Message payload is not valid JSON on topic ${message.topic}.`)
  }
}

/** mosquitto_sub's JSON object for a message. */
export function messageJson(message: Message, moment: Moment, payload: unknown, isPretty: boolean): string {
  const object = { ...headOf(message, mosquittoTime(moment), Object.fromEntries), payload }
  return isPretty ? pretty(object, '') : JSON.stringify(object)
}

/**
 * A line of `--json`: the same, but made for programs, so that nothing is lost. The time is ISO 8601, which `new Date()`
 * reads; user properties are a list of pairs, since a name may occur twice; and a payload that is not UTF-8 is
 * `payload_base64`.
 */
export function messageLine(message: PrintableMessage, moment: Moment): string {
  const { payload } = message
  const content = isUtf8(payload)
    ? { payload: message.text() }
    : { payload_base64: payload.toString('base64') }
  return JSON.stringify({ ...headOf(message, isoTime(moment), (pairs) => pairs), ...content })
}

/** As mosquitto_sub has it: with a Z before the offset, which no parser of dates takes. */
function mosquittoTime({ date, nanoseconds }: Moment): string {
  return strftime(`%FT%T.${nanoseconds.slice(0, 6)}Z%z`, date)
}

/** ISO 8601 with microseconds and the offset of this machine's zone: `2026-12-01T01:02:03.000004+01:00`. */
function isoTime({ date, nanoseconds }: Moment): string {
  const offset = strftime('%z', date)
  return `${strftime('%FT%T', date)}.${nanoseconds.slice(0, 6)}${offset.slice(0, 3)}:${offset.slice(3)}`
}

/** What becomes of user properties, a list of pairs. */
type PairsForm = (pairs: readonly UserProperty[]) => unknown

function headOf(message: PrintableMessage, tst: string, formOfPairs: PairsForm): Record<string, unknown> {
  const { topic, qos, retain, payload, mid } = message
  const object: Record<string, unknown> = {
    tst,
    topic: topic.value,
    qos,
    retain: retain ? 1 : 0,
    payloadlen: payload.length,
  }
  if (qos > 0) object.mid = mid
  const properties = propertiesOf(message, formOfPairs)
  if (properties !== null) object.properties = properties
  return object
}

/** By the names that Mosquitto has for them; null when there are none. */
function propertiesOf(
  { properties }: PrintableMessage,
  formOfPairs: PairsForm,
): Record<string, unknown> | null {
  if (properties === null || properties.isEmpty()) return null
  const { correlationData, subscriptionIdentifier, userProperty } = properties
  const named: Record<string, unknown> = {
    'payload-format-indicator': properties.payloadFormatIndicator,
    'message-expiry-interval': properties.messageExpiryInterval,
    'content-type': properties.contentType,
    'response-topic': properties.responseTopic,
    'correlation-data': correlationData?.toString(),
    'subscription-identifier': subscriptionIdentifier?.[0],
    'user-properties': userProperty === undefined ? undefined : formOfPairs(userProperty),
  }
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
}

/** JSON as cJSON spreads it: tabs, and lists on one line. */
function pretty(value: unknown, indent: string): string {
  if (Array.isArray(value)) return `[${value.map((item) => pretty(item, indent)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const deeper = `${indent}\t`
  const lines = Object.entries(value).map(
    ([key, item]) => `${deeper}${JSON.stringify(key)}:\t${pretty(item, deeper)}`,
  )
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n${indent}}`
}
