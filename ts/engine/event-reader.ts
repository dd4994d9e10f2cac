import type { Logger } from '../support/logger.js'
import type { Binding } from './binding.js'
import {
  DONE_PROPERTIES_LENGTH,
  EVENT_AUTH,
  EVENT_CLOSED,
  EVENT_DONE,
  EVENT_LOWERED,
  EVENT_MESSAGE,
  EVENT_OPENED,
  EVENT_RECEIVED,
  EVENT_RELEASED,
  EVENT_SESSION,
  EVENT_STALLED,
  EVENT_TOPIC,
  EVENT_TRACE,
  MESSAGE_IDENTIFIER,
  MESSAGE_PAYLOAD_LENGTH,
  MESSAGE_PROPERTIES_LENGTH,
  RECORD_CODE,
  RECORD_CONNECTION,
  RECORD_ERRNO,
  RECORD_HEAD,
  RECORD_LENGTH,
  RECORD_LIMIT,
  RECORD_OFFSET,
  RECORD_SUBJECT,
  RECORD_WORDS,
  SESSION_RECEIVED_HIGH,
  SESSION_RECEIVED_LOW,
  SESSION_SENT_HIGH,
  SESSION_SENT_LOW,
} from './boundary.js'
import type { Acknowledger } from './held-message.js'
import { HeldMessage } from './held-message.js'
import { MESSAGE_HAS_PROPERTIES, Message, TopicName } from './message.js'
import { Slabs } from './slabs.js'

/** A slab with less room than this left is replaced. */
const SLAB_REST = 1024

/** What a message without bytes is a view of, so that it keeps nothing alive. */
const NO_BYTES = Buffer.alloc(0)

/** Where a connection's events go. Bytes are valid only during the call. */
export interface ConnectionEvents {
  /** Whether the connection speaks MQTT 5. */
  readonly hasProperties: boolean
  /** What its messages' `ack()` does; null where the engine acknowledges. */
  readonly acknowledgements: Acknowledger | null
  message(message: Message): void
  /** A topic name of so many bytes has come, which is remembered as long as `topicGeneration` stays. */
  named(bytes: number): void
  opened(sessionPresent: boolean, properties: Buffer): void
  /** PUBREC came for a QoS 2 publish with an identifier of the caller's. */
  received(operation: number): void
  /** A message waits for so many bytes of room. */
  stalled(bytes: number): void
  /** PUBACK came for a QoS 2 publish, for the first time. */
  lowered(): void
  /** @param properties AUTH's, raw */
  auth(code: number, properties: Buffer): void
  /** PUBREL came for an acknowledged QoS 2 message; only with `holdAcknowledgements`. */
  released(identifier: number): void
  /** Comes before `closed()`, with the bytes that the connection has received and sent. */
  left(state: Uint8Array, received: number, sent: number): void
  /**
   * @param codes one reason code a filter
   * @param properties those of a packet with a code that is a failure, raw
   */
  done(operation: number, code: number, codes: Uint8Array, properties: Uint8Array): void
  closed(cause: number, code: number, errno: number, bytes: Buffer): void
}

/**
 * Reads what the native side has for JavaScript, a block of records at a time, and delivers each record to the connection
 * that it belongs to. When is the matter of `Runtime`.
 */
export class EventReader {
  private readonly connections = new Map<number, ConnectionEvents>()
  /** By the ids that the native side gives them. */
  private readonly topics: TopicName[] = []
  /** Grows when all of them are forgotten. */
  topicGeneration = 0
  readonly slabs = new Slabs()
  private readonly traced: Logger[] = []

  private readonly index = new Uint32Array(RECORD_LIMIT * RECORD_WORDS)
  /** The same words; signed ones are small integers to the engine, whatever their value. */
  private readonly words = new Int32Array(this.index.buffer)
  /** What is read from: the current slab, or one that was lent. */
  private slab: Buffer = this.slabs.current
  private slabUsed = 0
  /** Records of the block that have not been delivered, from the first of them to the last. */
  private next = 0
  private count = 0
  /** The usual slab, while another one is read from. */
  private setAside: { slab: Buffer; slabUsed: number } | null = null

  constructor(private readonly binding: Binding) {}

  /** Delivers the events of a connection to `events`, until its CLOSED. */
  listen(connection: number, events: ConnectionEvents): void {
    this.connections.set(connection, events)
  }

  /** Has Paho's trace written to a logger, until `untrace()`; each call counts. */
  trace(logger: Logger): void {
    this.traced.push(logger)
    if (this.traced.length === 1) this.binding.trace(true)
  }

  untrace(logger: Logger): void {
    this.traced.splice(this.traced.indexOf(logger), 1)
    if (this.traced.length === 0) this.binding.trace(false)
  }

  /** Whether records of the block have not been delivered. */
  get hasNext(): boolean {
    return this.next < this.count
  }

  /**
   * Reads the next block; the last one has been delivered.
   * @returns its records; 0 if there is nothing
   */
  readBlock(): number {
    for (;;) {
      const count = this.binding.drain(this.slab, this.slabUsed, this.index)
      if (count >= 0) return this.beginBlock(count)
      const lent = this.binding.lend()
      if (lent === null) this.replaceSlab(-count)
      else if (this.readLent(lent) > 0) return this.count
    }
  }

  /** Delivers the next record of the block. It counts as delivered whatever a listener throws. */
  deliverNext(): void {
    this.deliver(this.next++ * RECORD_WORDS)
  }

  /** All records of the block have been delivered. */
  endBlock(): void {
    const { setAside } = this
    if (setAside !== null) {
      this.slab = setAside.slab
      this.slabUsed = setAside.slabUsed
      this.setAside = null
    } else if (this.slab.length - this.slabUsed < SLAB_REST) {
      this.replaceSlab()
    }
  }

  private beginBlock(count: number): number {
    this.next = 0
    this.count = count
    return count
  }

  /**
   * Reads what is large from where the native side has it, which serves as its slab.
   * @returns as `readBlock()`
   */
  private readLent(lent: Buffer): number {
    this.setAside = { slab: this.slab, slabUsed: this.slabUsed }
    this.slab = lent
    const count = this.beginBlock(Math.max(this.binding.drain(lent, 0, this.index), 0))
    if (count === 0) this.endBlock()
    return count
  }

  private replaceSlab(room?: number): void {
    this.slabs.replace(room)
    this.slab = this.slabs.current
    this.slabUsed = 0
  }

  private forgetTopics(): void {
    this.topics.length = 0
    this.topicGeneration++
  }

  private deliver(at: number): void {
    const { words } = this
    const head = words[at + RECORD_HEAD] as number
    const kind = head & 0xff
    const connection = words[at + RECORD_CONNECTION] as number
    const offset = words[at + RECORD_OFFSET] as number
    const length = words[at + RECORD_LENGTH] as number
    if (kind === EVENT_MESSAGE) {
      const propertiesLength = words[at + MESSAGE_PROPERTIES_LENGTH] as number
      const payloadLength = words[at + MESSAGE_PAYLOAD_LENGTH] as number
      const end = offset + length + propertiesLength + payloadLength
      this.slabUsed = end
      const events = this.connections.get(connection)
      if (events === undefined) return
      const topic = words[at + RECORD_SUBJECT] as number
      const flags = (head >>> 8) | (events.hasProperties ? MESSAGE_HAS_PROPERTIES : 0)
      const name = topic < 0 ? null : (this.topics[topic] as TopicName)
      const mid = words[at + MESSAGE_IDENTIFIER] as number
      const slab = end === offset ? NO_BYTES : this.slab
      const start = end === offset ? 0 : offset
      const { acknowledgements } = events
      events.message(
        acknowledgements === null || mid === 0
          ? new Message(name, slab, start, length, propertiesLength, payloadLength, flags, mid)
          : new HeldMessage(
              acknowledgements,
              name,
              slab,
              start,
              length,
              propertiesLength,
              payloadLength,
              flags,
              mid,
            ),
      )
      return
    }
    if (length > 0) this.slabUsed = offset + length
    if (kind === EVENT_TOPIC) {
      const id = words[at + RECORD_SUBJECT] as number
      if (id === 0) this.forgetTopics()
      this.connections.get(connection)?.named(length)
      this.topics[id] = new TopicName(this.slab.toString('utf8', offset, offset + length), length)
      return
    }
    if (kind === EVENT_TRACE) {
      const line = `Paho: ${this.slab.toString('utf8', offset, offset + length)}`
      for (const logger of new Set(this.traced)) logger.debug(line)
      return
    }
    const events = this.connections.get(connection)
    if (events === undefined) return
    if (kind === EVENT_DONE) {
      const end = offset + length
      const codesEnd = end - (words[at + DONE_PROPERTIES_LENGTH] as number)
      const codes = length === 0 ? NO_BYTES : this.slab.subarray(offset, codesEnd)
      const properties = codesEnd === end ? NO_BYTES : this.slab.subarray(codesEnd, end)
      const code = words[at + RECORD_CODE] as number
      events.done(words[at + RECORD_SUBJECT] as number, code, codes, properties)
    } else if (kind === EVENT_RECEIVED) {
      events.received(words[at + RECORD_SUBJECT] as number)
    } else if (kind === EVENT_STALLED) {
      events.stalled((words[at + RECORD_SUBJECT] as number) >>> 0)
    } else if (kind === EVENT_LOWERED) {
      events.lowered()
    } else if (kind === EVENT_AUTH) {
      events.auth(words[at + RECORD_CODE] as number, this.slab.subarray(offset, offset + length))
    } else if (kind === EVENT_RELEASED) {
      events.released(words[at + RECORD_SUBJECT] as number)
    } else if (kind === EVENT_OPENED) {
      events.opened(words[at + RECORD_SUBJECT] !== 0, this.slab.subarray(offset, offset + length))
    } else if (kind === EVENT_SESSION) {
      const { index } = this
      const received = wide(
        index[at + SESSION_RECEIVED_LOW] as number,
        index[at + SESSION_RECEIVED_HIGH] as number,
      )
      const sent = wide(index[at + SESSION_SENT_LOW] as number, index[at + SESSION_SENT_HIGH] as number)
      events.left(this.slab.subarray(offset, offset + length), received, sent)
    } else if (kind === EVENT_CLOSED) {
      this.connections.delete(connection)
      if (this.connections.size === 0) this.forgetTopics()
      const bytes = this.slab.subarray(offset, offset + length)
      events.closed(
        words[at + RECORD_SUBJECT] as number,
        words[at + RECORD_CODE] as number,
        words[at + RECORD_ERRNO] as number,
        bytes,
      )
    }
  }
}

/** A number of more than 32 bits. */
function wide(low: number, high: number): number {
  return high * 2 ** 32 + low
}
