import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { PropertiesLiteral } from '../mqtt/properties.js'
import { checkPublishTopic } from '../mqtt/topic.js'
import { CommandError } from './command-error.js'
import { propertyOf } from './property-options.js'

/** A message of a recording. */
export interface Recorded {
  /** When it was received, in milliseconds since 1970. */
  readonly time: number
  readonly topic: string
  readonly payload: Buffer | string
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly properties: PropertiesLiteral | undefined
}

/**
 * The messages of a file that `aiomqtt record` or `aiomqtt sub --json` wrote, one line at a time.
 * @throws {CommandError} the file cannot be read, or a line is no such message; it names the line
 */
export async function* readRecording(
  file: string,
  signal: AbortSignal,
): AsyncGenerator<Recorded, void, undefined> {
  const input = file === '-' ? process.stdin : createReadStream(file)
  const failed = new Promise<never>((_resolve, reject) => {
    input.once('error', (error: Error) =>
      reject(new CommandError(`${file} cannot be read: ${error.message}`)),
    )
  })
  failed.catch(() => {})
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  signal.addEventListener('abort', () => lines.close(), { once: true })
  const iterator = lines[Symbol.asyncIterator]()
  for (let number = 1; ; number++) {
    const { value: line, done } = await Promise.race([iterator.next(), failed])
    if (done) return
    if (line.trim() === '') continue
    try {
      yield parse(line)
    } catch (error) {
      throw new CommandError(`${file}, line ${number}: ${(error as Error).message}`)
    }
  }
}

function parse(line: string): Recorded {
  const value: unknown = JSON.parse(line)
  if (typeof value !== 'object' || value === null) throw new TypeError('a message must be an object')
  const {
    tst,
    topic,
    qos = 0,
    retain = 0,
    payload,
    payload_base64: base64,
    properties,
  } = value as Record<string, unknown>
  const time = typeof tst === 'string' ? Date.parse(tst) : Number.NaN
  if (Number.isNaN(time)) throw new TypeError('tst must be an ISO 8601 date')
  if (typeof topic !== 'string') throw new TypeError('topic must be a string')
  checkPublishTopic(topic, false)
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new TypeError('qos must be 0, 1 or 2')
  return {
    time,
    topic,
    payload: typeof base64 === 'string' ? Buffer.from(base64, 'base64') : textOf(payload),
    qos,
    retain: retain === 1 || retain === true,
    properties: propertiesOf(properties),
  }
}

function textOf(payload: unknown): string {
  if (payload === undefined || payload === null) return ''
  return typeof payload === 'string' ? payload : JSON.stringify(payload)
}

/** From the names that Mosquitto has for them; the subscription identifier was for the one who recorded. */
function propertiesOf(named: unknown): PropertiesLiteral | undefined {
  if (typeof named !== 'object' || named === null) return undefined
  const properties: PropertiesLiteral = {}
  for (const [name, value] of Object.entries(named)) {
    if (name === 'subscription-identifier') continue
    if (name === 'user-properties') properties.userProperty = pairsOf(value)
    else Object.assign(properties, propertyOf(name, String(value), 'properties'))
  }
  return properties
}

/** A list of pairs, or mosquitto_sub's object. */
function pairsOf(value: unknown): Array<readonly [string, string]> {
  const pairs = Array.isArray(value) ? value : Object.entries(Object(value))
  return pairs.map((pair: unknown) => {
    const [name, content] = Array.isArray(pair) ? pair : []
    if (typeof name !== 'string' || typeof content !== 'string') {
      throw new TypeError('user-properties must be pairs of strings')
    }
    return [name, content] as const
  })
}
