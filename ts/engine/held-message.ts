import { Message, type TopicName } from './message.js'

/**
 * Acknowledges the messages of one connection, when they say so.
 * @typeParam Entry what stands for one message that waits for its `ack()`
 */
export interface Acknowledger<Entry = unknown> {
  /** A message has come that must be acknowledged. */
  expect(qos: number, identifier: number): Entry
  /** The message was acknowledged. */
  give(qos: number, entry: Entry): void
  /** So many queues have the message, in the place of one. */
  share(entry: Entry, recipients: number): void
  /** One of the queues has dropped the message. */
  forfeit(qos: number, entry: Entry): void
  /** Whether the broker has not been told of it. */
  isOutstanding(entry: Entry): boolean
}

/** A message of QoS 1 or 2 of a client with `manualAcks` or a store. */
export class HeldMessage extends Message {
  private readonly acknowledgement: unknown

  constructor(
    private readonly acknowledger: Acknowledger,
    name: TopicName | null,
    bytes: Buffer,
    offset: number,
    topicLength: number,
    propertiesLength: number,
    payloadLength: number,
    flags: number,
    mid: number,
  ) {
    super(name, bytes, offset, topicLength, propertiesLength, payloadLength, flags, mid)
    this.acknowledgement = acknowledger.expect(this.qos, mid)
  }

  override ack(): Promise<void> {
    this.acknowledger.give(this.qos, this.acknowledgement)
    return super.ack()
  }

  override get isOutstanding(): boolean {
    return this.acknowledger.isOutstanding(this.acknowledgement)
  }

  override share(recipients: number): void {
    this.acknowledger.share(this.acknowledgement, recipients)
  }

  override drop(): void {
    this.acknowledger.forfeit(this.qos, this.acknowledgement)
  }
}
