import { isUtf8 } from 'node:buffer'
import type { Message } from '../engine/message.js'
import { CommandError } from './command-error.js'
import { strftime } from './strftime.js'

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
  const object = { ...headOf(message, moment), payload }
  return isPretty ? pretty(object, '') : JSON.stringify(object)
}

/** A line of `--json`: the same, but a payload that is not UTF-8 is `payload_base64`, so that nothing is lost. */
export function messageLine(message: Message, moment: Moment): string {
  const { payload } = message
  const content = isUtf8(payload)
    ? { payload: message.text() }
    : { payload_base64: payload.toString('base64') }
  return JSON.stringify({ ...headOf(message, moment), ...content })
}

function headOf(message: Message, { date, nanoseconds }: Moment): Record<string, unknown> {
  const { topic, qos, retain, payload, mid } = message
  const microseconds = nanoseconds.slice(0, 6)
  const object: Record<string, unknown> = {
    tst: strftime(`%FT%T.${microseconds}Z%z`, date),
    topic: topic.value,
    qos,
    retain: retain ? 1 : 0,
    payloadlen: payload.length,
  }
  if (qos > 0) object.mid = mid
  const properties = propertiesOf(message)
  if (properties !== null) object.properties = properties
  return object
}

/** By the names that Mosquitto has for them; null when there are none. */
function propertiesOf({ properties }: Message): Record<string, unknown> | null {
  if (properties === null || properties.isEmpty()) return null
  const { correlationData, subscriptionIdentifier, userProperty } = properties
  const named: Record<string, unknown> = {
    'payload-format-indicator': properties.payloadFormatIndicator,
    'message-expiry-interval': properties.messageExpiryInterval,
    'content-type': properties.contentType,
    'response-topic': properties.responseTopic,
    'correlation-data': correlationData?.toString(),
    'subscription-identifier': subscriptionIdentifier?.[0],
    'user-properties': userProperty === undefined ? undefined : Object.fromEntries(userProperty),
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
