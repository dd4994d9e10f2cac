import { decodePublish, encodePublish, RELEASED } from '../store/message-record.js'
import { SET_ASIDE } from '../store/set-aside.js'
import type { Store, StoreRecord } from '../store/store.js'
import type { Content, KeptPublish } from './kept-publish.js'
import { MOST_IDENTIFIER } from './packet-identifiers.js'
import { withoutAlias } from './topic-alias.js'

// A record is one unfinished publish of QoS 1 or 2. Key: the prefix and its number in the order of all, in 14 decimal
// digits; a message that was set aside keeps its number under another prefix. Value: message-record.ts.
//
// A record of the other kind is a message of QoS 2 that was acknowledged and not released. Key: its prefix and the packet
// identifier in five decimal digits. The value is empty.

const PREFIX = 'out-'
const RECEIPT_PREFIX = 'in-'
const RECEIPT_DIGITS = 5
const DIGITS = 14

const NONE = new Uint8Array(0)

/** What a record says. */
export interface FlowRecord {
  readonly sequence: number
  readonly identifier: number
  readonly qos: number
  /** Null for a QoS 2 flow of which only the second half is left. */
  readonly content: Content | null
}

/** Some of the flows of a store, in their order. */
interface Portion {
  readonly flows: FlowRecord[]
  /** The key of the last of them, if there are more; null if not. */
  readonly position: string | null
}

/** What a store has: its first flows, and what must be known of the others. */
export interface StoredSession extends Portion {
  /** The packet identifiers of incoming messages. */
  readonly received: number[]
  /** The number of the last flow. */
  readonly last: number
  /** Its key. */
  readonly lastKey: string
  /** The packet identifiers of flows that are not among the first ones. */
  readonly identifiersAhead: number[]
}

/** How much is read at once, of a store that is read in portions. */
const PORTION_FLOWS = 1024
const PORTION_BYTES = 4 * 1024 * 1024

/**
 * Reads a store for the first time: all of it, if it has no `last()`.
 * @param warn tells the logger of records that are ignored
 * @throws what the store throws
 */
export async function readStore(store: Store, warn: (text: string) => void): Promise<StoredSession> {
  const received: number[] = []
  const flows: FlowRecord[] = []
  const identifiersAhead: number[] = []
  const isInPortions = typeof store.last === 'function'
  const lastOf = async (prefix: string) => (isInPortions ? ((await store.last?.(prefix)) ?? '') : '')
  const lastKey = await lastOf(PREFIX)
  let last = Math.max(numberIn(lastKey, PREFIX), numberIn(await lastOf(SET_ASIDE), SET_ASIDE))
  let position: string | null = null
  let bytes = 0
  for await (const record of store.load(warn, isInPortions ? RECEIPT_PREFIX : undefined)) {
    const identifier = parseReceipt(record)
    if (identifier !== null) received.push(identifier)
    // A message that is set aside keeps its number, which no other one may have.
    last = Math.max(last, numberIn(record[0], SET_ASIDE))
    const flow = parse(record)
    if (flow === null) continue
    if (isInPortions && position === null && isPortion(flows, bytes)) {
      position = keyOf((flows.at(-1) as FlowRecord).sequence)
    }
    if (typeof flow === 'string') {
      if (position === null) tellIgnored(record, flow, warn)
    } else if (position === null || flow.content === null) {
      flows.push(flow)
      bytes += record[1].length
    } else if (flow.identifier !== 0) {
      identifiersAhead.push(flow.identifier)
    } else {
      break
    }
  }
  last = Math.max(last, flows.at(-1)?.sequence ?? 0)
  return { flows, received, last, lastKey, identifiersAhead, position }
}

/**
 * Reads the next portion of a store.
 * @param position the key behind which it begins
 * @param lastKey that of the last flow; behind it are newer ones
 * @throws what the store throws
 */
export async function readOn(
  store: Store,
  warn: (text: string) => void,
  position: string,
  lastKey: string,
): Promise<Portion> {
  const flows: FlowRecord[] = []
  let bytes = 0
  for await (const record of store.load(warn, position)) {
    const [key, value] = record
    if (key > lastKey) break
    // A store that takes no notice of `after` costs time, and sends nothing twice.
    if (key <= position) continue
    const flow = parse(record)
    if (typeof flow === 'string') tellIgnored(record, flow, warn)
    else if (flow !== null) flows.push(flow)
    bytes += value.length
    if (isPortion(flows, bytes)) return { flows, position: key }
  }
  return { flows, position: null }
}

function isPortion({ length }: readonly FlowRecord[], bytes: number): boolean {
  return length > 0 && (length >= PORTION_FLOWS || bytes >= PORTION_BYTES)
}

function tellIgnored([key]: StoreRecord, why: string, warn: (text: string) => void): void {
  warn(`The store's record ${key} is ignored: ${why}`)
}

/** The number that a key has behind its prefix; 0 if it has another one, or none. */
function numberIn(key: string, prefix: string): number {
  return key.startsWith(prefix) ? Number(key.slice(prefix.length)) || 0 : 0
}

/** @param sequence the number of the flow, from 1 */
export function keyOf(sequence: number): string {
  return `${PREFIX}${String(sequence).padStart(DIGITS, '0')}`
}

/**
 * The key of a message that is set aside.
 * @param key the one that it had
 */
export function asideKey(key: string): string {
  return SET_ASIDE + key.slice(PREFIX.length)
}

/** The key of an incoming message's record. */
export function receiptKey(identifier: number): string {
  return `${RECEIPT_PREFIX}${String(identifier).padStart(RECEIPT_DIGITS, '0')}`
}

/** @returns the packet identifier of an incoming message's record; null for any other record */
function parseReceipt([key]: StoreRecord): number | null {
  const identifier = Number(key.slice(RECEIPT_PREFIX.length))
  const isOne = Number.isInteger(identifier) && identifier > 0 && identifier <= MOST_IDENTIFIER
  return isOne && receiptKey(identifier) === key ? identifier : null
}

/** The value of a flow's record. */
export function describe({ content, identifier, qos }: KeptPublish): Uint8Array {
  if (content === null) return encodePublish({ identifier, ...RELEASED })
  const { topic, properties, payload, retain } = content
  return encodePublish({
    identifier,
    qos,
    isRetained: retain,
    isReleased: false,
    topic: Buffer.from(topic),
    properties: properties ?? NONE,
    payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
  })
}

/** @returns null for a record of something else; an error's text for one that makes no sense */
function parse([key, value]: StoreRecord): FlowRecord | string | null {
  if (!key.startsWith(PREFIX)) return null
  const sequence = Number(key.slice(PREFIX.length))
  if (!Number.isSafeInteger(sequence) || sequence <= 0 || keyOf(sequence) !== key) {
    return 'its key is not one of ours'
  }
  const record = decodePublish(value)
  if (typeof record === 'string') return record
  const { identifier, qos, isRetained, isReleased, properties, payload } = record
  if (isReleased) return { sequence, identifier, qos, content: null }
  const content = {
    topic: Buffer.from(record.topic).toString(),
    properties: properties.length === 0 ? null : withoutAlias(Buffer.from(properties)),
    payload: Buffer.from(payload),
    retain: isRetained,
  }
  return { sequence, identifier, qos, content }
}
