import { decodePublish, encodePublish, RELEASED } from '../store/message-record.js'
import { SET_ASIDE } from '../store/set-aside.js'
import type { Store, StoreRecord } from '../store/store.js'
import type { Content, KeptPublish } from './kept-publish.js'
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

/** What a store has. */
export interface StoredSession {
  readonly flows: FlowRecord[]
  /** The packet identifiers of incoming messages. */
  readonly received: number[]
  /** The number of the last flow. */
  readonly last: number
}

/**
 * @param warn tells the logger of records that are ignored
 * @throws what the store throws
 */
export async function readStore(store: Store, warn: (text: string) => void): Promise<StoredSession> {
  const flows: FlowRecord[] = []
  const received: number[] = []
  let last = 0
  for await (const record of store.load(warn)) {
    const identifier = parseReceipt(record)
    if (identifier !== null) received.push(identifier)
    // A message that is set aside keeps its number, which no other one may have.
    if (record[0].startsWith(SET_ASIDE)) last = Math.max(last, Number(record[0].slice(SET_ASIDE.length)) || 0)
    const flow = parse(record)
    if (typeof flow === 'string') warn(`The store's record ${record[0]} is ignored: ${flow}`)
    else if (flow !== null) flows.push(flow)
  }
  return { flows, received, last: Math.max(last, flows.at(-1)?.sequence ?? 0) }
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
  const isOne = Number.isInteger(identifier) && identifier > 0 && identifier <= 0xffff
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
