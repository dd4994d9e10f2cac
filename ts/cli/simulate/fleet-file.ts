import { readFile } from 'node:fs/promises'
import { checkPublishTopic } from '../../mqtt/topic.js'
import { checkBoolean, checkKeys, isObject } from '../../support/validate.js'
import { CommandError } from '../command-error.js'
import { compileJson, compileText, type Moment } from './template.js'

/** A message of a device, before its placeholders are filled in. */
interface MessageTemplate {
  readonly topic: string
  /** Text, or anything that JSON has. */
  readonly payload: unknown
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/** What every device of the fleet does. */
export interface FleetTemplate {
  readonly reading: MessageTemplate
  /** What is published when a device has connected, and what the broker publishes when it is lost. */
  readonly birth: MessageTemplate | null
  readonly will: MessageTemplate | null
  /** Devices, and seconds between two readings of each; null where the file does not say. */
  readonly devices: number | null
  readonly interval: number | null
}

/** Makes the messages of one device. */
export type MessageMaker = (moment: Moment) => { topic: string; payload: string }

const MESSAGE_KEYS = new Set(['topic', 'payload', 'qos', 'retain'])
const FLEET_KEYS = new Set([...MESSAGE_KEYS, 'devices', 'interval', 'birth', 'will'])

/** @throws {CommandError} the file cannot be read, is no JSON, or no template; it names what is wrong */
export async function readFleetFile(file: string): Promise<FleetTemplate> {
  try {
    return fleetOf(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    throw new CommandError(`${file}: ${(error as Error).message}`)
  }
}

function fleetOf(value: unknown): FleetTemplate {
  checkKeys('a template', value, FLEET_KEYS)
  const { devices, interval, birth, will, ...reading } = value as Record<string, unknown>
  return {
    reading: messageOf('the template', reading),
    birth: birth === undefined ? null : messageOf('birth', birth),
    will: will === undefined ? null : messageOf('will', will),
    devices: devices === undefined ? null : positive('devices', devices),
    interval: interval === undefined ? null : positive('interval', interval),
  }
}

function messageOf(name: string, value: unknown): MessageTemplate {
  checkKeys(name, value, MESSAGE_KEYS)
  const { topic, payload = '', qos = 0, retain = false } = isObject(value) ? value : {}
  if (typeof topic !== 'string') throw new TypeError(`${name} must have a topic, a string`)
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new RangeError(`qos of ${name} must be 0, 1 or 2`)
  return { topic, payload, qos, retain: checkBoolean(`retain of ${name}`, retain) }
}

function positive(name: string, value: unknown): number {
  if (typeof value === 'number' && value > 0) return value
  throw new RangeError(`${name} must be a number above 0`)
}

/**
 * What makes the messages of one device.
 * @throws {CommandError} no such placeholder
 * @throws {RangeError} a topic that nobody can publish to
 */
export function makerOf({ topic, payload }: MessageTemplate): MessageMaker {
  const topicOf = compileText(topic)
  checkPublishTopic(topicOf({ device: 1, count: 1, now: new Date() }), false)
  if (typeof payload === 'string') {
    const payloadOf = compileText(payload)
    return (moment) => ({ topic: topicOf(moment), payload: payloadOf(moment) })
  }
  const payloadOf = compileJson(payload)
  return (moment) => ({ topic: topicOf(moment), payload: JSON.stringify(payloadOf(moment)) })
}
