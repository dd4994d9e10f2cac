import { queueFull } from '../calls/local-errors.js'
import type { PublishCall } from '../calls/publish-arguments.js'
import type { MqttCodeError } from '../mqtt/errors.js'
import type { OfflineQueueSettings } from '../options/offline-queue-options.js'
import { type KeptPublish, sizeOf } from './kept-publish.js'

/** The messages that were published without a connection and have not been sent since, with their bounds. */
export class OfflineQueue {
  /** With their sizes. */
  private readonly messages = new Map<KeptPublish, number>()
  private bytes = 0

  constructor(private readonly settings: OfflineQueueSettings) {}

  /** Whether messages of this QoS wait for a connection. */
  takes(qos: number): boolean {
    return qos > 0 || this.settings.qos0
  }

  has(message: KeptPublish): boolean {
    return this.messages.has(message)
  }

  /**
   * Makes room for a message.
   * @param drop drops a message, the oldest one, with the reason for it
   * @throws {MqttCodeError} `[code:15] Message queue full.`
   */
  makeRoom(call: PublishCall, drop: (message: KeptPublish, why: () => MqttCodeError) => void): void {
    const { maxMessages, maxBytes, overflow } = this.settings
    const { topic, encodedProperties: properties, payload } = call
    const size = sizeOf({ topic, properties, payload })
    const isFull = () => this.messages.size >= maxMessages || this.bytes + size > maxBytes
    if (!isFull()) return
    if (overflow === 'reject' || size > maxBytes) throw queueFull()
    for (const oldest of this.messages.keys()) {
      drop(oldest, dropped)
      if (!isFull()) return
    }
  }

  add(message: KeptPublish): void {
    const { size } = message
    this.messages.set(message, size)
    this.bytes += size
  }

  /** It is sent, or given up. */
  remove(message: KeptPublish): void {
    this.bytes -= this.messages.get(message) ?? 0
    this.messages.delete(message)
  }
}

function dropped(): MqttCodeError {
  return queueFull(new Error('The message was dropped from the offline queue to make room for a newer one'))
}
