import { type InspectOptions, inspect } from 'node:util'
import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { receivedTopic, type Topic } from '../mqtt/topic.js'
import { MESSAGE_DUP, MESSAGE_QOS, MESSAGE_RETAIN } from './boundary.js'

/** Beside `MESSAGE_…` in a message's flags: it came over MQTT 5, so it has properties. */
export const MESSAGE_HAS_PROPERTIES = 0b1_0000

const ACKNOWLEDGED = Promise.resolve()

/** A topic name that has an id on the native boundary; its `Topic` is made once for all its messages. */
export class TopicName {
  private made: Topic | null = null

  /** @param length of the name in bytes of UTF-8 */
  constructor(
    readonly value: string,
    readonly length: number,
  ) {}

  get topic(): Topic {
    this.made ??= receivedTopic(this.value)
    return this.made
  }
}

/**
 * A message received from the broker; aiomqtt's `Message`. It is decoded lazily: until a field is read, it is a place in
 * a slab of bytes. Its payload is a view of that slab, so keeping a small message keeps the slab alive, at most `SLAB_SIZE`
 * bytes, as a small `Buffer` does with Node's pool; a larger message keeps only itself. Created only by the client.
 */
export class Message {
  private name: TopicName | null
  private bytes: Buffer
  private offset: number
  private readonly topicLength: number
  private readonly propertiesLength: number
  private readonly payloadLength: number
  private readonly flags: number
  private payloadRead: Buffer | null = null
  private propertiesRead: Properties | null = null

  /** The packet identifier; 0 for QoS 0. */
  readonly mid: number

  /**
   * At the offset stand the topic (if it has no name yet), the properties (raw) and the payload.
   * @internal
   */
  constructor(
    name: TopicName | null,
    bytes: Buffer,
    offset: number,
    topicLength: number,
    propertiesLength: number,
    payloadLength: number,
    flags: number,
    mid: number,
  ) {
    this.name = name
    this.bytes = bytes
    this.offset = offset
    this.topicLength = topicLength
    this.propertiesLength = propertiesLength
    this.payloadLength = payloadLength
    this.flags = flags
    this.mid = mid
  }

  /**
   * Acknowledges the message, for a client with `manualAcks`. PUBACK or PUBREC is sent once all earlier messages of the
   * same QoS have been acknowledged, so that the broker sees them in order [MQTT-4.6.0-2] [MQTT-4.6.0-3]. Resolves at once
   * and never rejects. It does nothing for QoS 0, when called again, without `manualAcks`, or if the connection that
   * delivered the message has ended: the broker then sends it again.
   */
  ack(): Promise<void> {
    return ACKNOWLEDGED
  }

  /** @internal The broker waits for its acknowledgement, which has not been sent. */
  get isOutstanding(): boolean {
    return false
  }

  /** @internal It goes to so many recipients, each of whom may drop it. */
  share(_recipients: number): void {}

  /** @internal A recipient has no room for it. */
  drop(): void {}

  /** @internal Bytes of the topic, the properties and the payload, for the bounds of a queue. */
  get size(): number {
    const topicLength = this.name === null ? this.topicLength : this.name.length
    return topicLength + this.propertiesLength + this.payloadLength
  }

  /** @internal What it is a view of. */
  get slab(): Buffer {
    return this.bytes
  }

  /** @internal Bytes that it has in the slab. */
  get heldBytes(): number {
    return this.topicLength + this.propertiesLength + this.payloadLength
  }

  /**
   * @internal Moves it to another place.
   * @returns false if someone has a view of it already, which would not move
   */
  move(target: Buffer, at: number): boolean {
    if (this.payloadRead !== null || this.propertiesRead !== null) return false
    this.bytes.copy(target, at, this.offset, this.offset + this.heldBytes)
    this.bytes = target
    this.offset = at
    return true
  }

  /** @internal Bytes of the payload, which is not looked at for them. */
  get payloadSize(): number {
    return this.payloadLength
  }

  /** @internal The name that the topic has on the native boundary; null for one that has none yet. */
  get topicName(): TopicName | null {
    return this.name
  }

  /** The topic that the message was published to. */
  get topic(): Topic {
    this.name ??= new TopicName(
      this.bytes.toString('utf8', this.offset, this.offset + this.topicLength),
      this.topicLength,
    )
    return this.name.topic
  }

  /** The payload's bytes; empty if there are none. They are the caller's to keep and to change. */
  get payload(): Buffer {
    if (this.payloadRead === null) {
      const start = this.offset + this.topicLength + this.propertiesLength
      this.payloadRead = this.bytes.subarray(start, start + this.payloadLength)
    }
    return this.payloadRead
  }

  /** The QoS at which it came: that of the publisher or that of the subscription, whichever is lower. */
  get qos(): 0 | 1 | 2 {
    return (this.flags & MESSAGE_QOS) as 0 | 1 | 2
  }

  /** Whether the broker sent it as a retained message. */
  get retain(): boolean {
    return (this.flags & MESSAGE_RETAIN) !== 0
  }

  /** Whether the broker says that it may have sent it before (QoS 1 and 2). */
  get dup(): boolean {
    return (this.flags & MESSAGE_DUP) !== 0
  }

  /** The MQTT 5 properties, possibly empty; null on MQTT 3.x. */
  get properties(): Properties | null {
    if ((this.flags & MESSAGE_HAS_PROPERTIES) === 0) return null
    if (this.propertiesRead === null) {
      const start = this.offset + this.topicLength
      const raw = this.bytes.subarray(start, start + this.propertiesLength)
      this.propertiesRead = Properties.decode(PacketTypes.PUBLISH, raw)
    }
    return this.propertiesRead
  }

  /** The payload as UTF-8; what is not UTF-8 becomes U+FFFD. */
  text(): string {
    if (this.payloadRead !== null) return this.payloadRead.toString()
    const start = this.offset + this.topicLength + this.propertiesLength
    return this.bytes.toString('utf8', start, start + this.payloadLength)
  }

  /**
   * The payload as JSON.
   * @throws {SyntaxError} it is not JSON
   */
  json(): unknown {
    return JSON.parse(this.text())
  }

  /** How `console.log()` shows it. @internal */
  [inspect.custom](_depth: number, options: InspectOptions, inspector: typeof inspect): string {
    const { qos, retain, dup, mid, payload, properties } = this
    const shown = { topic: this.topic.value, payload, qos, retain, dup, mid, properties }
    return `Message ${inspector(shown, options)}`
  }
}
