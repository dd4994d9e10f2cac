import { COMMAND_WORDS, MESSAGE_RETAIN } from '../engine/binding.js'
import { CommandBatch } from '../engine/command-batch.js'
import { decodePublish, encodePublish, RELEASED } from '../store/message-record.js'
import type { StoreRecord } from '../store/store.js'
import { type SessionOperation, word } from './session-operation.js'

// A record is one unfinished publish of QoS 1 or 2. Key: the prefix and its number in the order of all, in 14 decimal
// digits; a message that was set aside keeps its number under another prefix. Value: message-record.ts.
//
// A record of the other kind is a message of QoS 2 that was acknowledged and not released. Key: its prefix and the packet
// identifier in five decimal digits. The value is empty.

const PREFIX = 'out-'
const RECEIPT_PREFIX = 'in-'
const RECEIPT_DIGITS = 5
const DIGITS = 14

const TOPIC_AT = (COMMAND_WORDS + 4) * 4

/** Where commands are encoded that a store had as messages. */
const commands = new CommandBatch()

/** What a record says. */
export interface FlowRecord {
  readonly sequence: number
  readonly identifier: number
  readonly qos: number
  /** Null for a QoS 2 flow of which only the second half is left. */
  readonly command: Uint8Array | null
}

/** @param sequence the number of the flow, from 1 */
export function keyOf(sequence: number): string {
  return `${PREFIX}${String(sequence).padStart(DIGITS, '0')}`
}

/** The key of an incoming message's record. */
export function receiptKey(identifier: number): string {
  return `${RECEIPT_PREFIX}${String(identifier).padStart(RECEIPT_DIGITS, '0')}`
}

/** @returns the packet identifier of an incoming message's record; null for any other record */
export function parseReceipt([key]: StoreRecord): number | null {
  const identifier = Number(key.slice(RECEIPT_PREFIX.length))
  const isOne = Number.isInteger(identifier) && identifier > 0 && identifier <= 0xffff
  return isOne && receiptKey(identifier) === key ? identifier : null
}

/** The value of a flow's record. */
export function describe({ command, identifier, isReleased, qos }: SessionOperation): Uint8Array {
  if (isReleased || command === null) return encodePublish({ identifier, ...RELEASED })
  const topicEnd = TOPIC_AT + word(command, COMMAND_WORDS)
  const propertiesEnd = topicEnd + 1 + word(command, COMMAND_WORDS + 1)
  const payloadEnd = propertiesEnd + word(command, COMMAND_WORDS + 2)
  return encodePublish({
    identifier,
    qos,
    isRetained: ((command[5] as number) & MESSAGE_RETAIN) !== 0,
    isReleased: false,
    topic: command.subarray(TOPIC_AT, topicEnd),
    properties: command.subarray(topicEnd + 1, propertiesEnd),
    payload: command.subarray(propertiesEnd, payloadEnd),
  })
}

/** @returns null for a record of something else; an error's text for one that makes no sense */
export function parse([key, value]: StoreRecord): FlowRecord | string | null {
  if (!key.startsWith(PREFIX)) return null
  const sequence = Number(key.slice(PREFIX.length))
  if (!Number.isSafeInteger(sequence) || sequence <= 0 || keyOf(sequence) !== key) {
    return 'its key is not one of ours'
  }
  const record = decodePublish(value)
  if (typeof record === 'string') return record
  const { identifier, qos, isRetained, isReleased, properties, payload } = record
  if (isReleased) return { sequence, identifier, qos, command: null }
  const topic = Buffer.from(record.topic).toString()
  const flags = qos | (isRetained ? MESSAGE_RETAIN : 0)
  commands.publish(0, 0, identifier, flags, topic, properties.length === 0 ? null : properties, payload)
  const command = commands.takeBack(0)
  commands.clear()
  return { sequence, identifier, qos, command }
}
