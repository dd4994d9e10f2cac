import { MqttCodeError } from '../mqtt/errors.js'
import type { OfflineQueueSettings } from '../options/offline-queue-options.js'
import type { SessionOperation } from './session-operation.js'

/** Paho's code for a full queue of outgoing messages. */
const QUEUE_FULL = 15

/** The messages that were published without a connection and have not been sent since, with their bounds. */
export class OfflineQueue {
  /** With their sizes. */
  private readonly messages = new Map<SessionOperation, number>()
  private bytes = 0

  constructor(private readonly settings: OfflineQueueSettings) {}

  /** Whether messages of this QoS wait for a connection. */
  takes(qos: number): boolean {
    return qos > 0 || this.settings.qos0
  }

  has(message: SessionOperation): boolean {
    return this.messages.has(message)
  }

  /**
   * Makes room for a message.
   * @param size the bytes of its topic, payload and properties
   * @param drop drops a message, the oldest one, with the reason for it
   * @throws {MqttCodeError} `[code:15] Message queue full.`
   */
  makeRoom(size: number, drop: (message: SessionOperation, why: () => MqttCodeError) => void): void {
    const { maxMessages, maxBytes, overflow } = this.settings
    const isFull = () => this.messages.size >= maxMessages || this.bytes + size > maxBytes
    if (!isFull()) return
    if (overflow === 'reject' || size > maxBytes) throw new MqttCodeError(QUEUE_FULL)
    for (const oldest of this.messages.keys()) {
      drop(oldest, dropped)
      if (!isFull()) return
    }
  }

  add(message: SessionOperation): void {
    this.messages.set(message, message.contentLength)
    this.bytes += message.contentLength
  }

  /** It is sent, or given up. */
  remove(message: SessionOperation): void {
    this.bytes -= this.messages.get(message) ?? 0
    this.messages.delete(message)
  }
}

function dropped(): MqttCodeError {
  const cause = new Error('The message was dropped from the offline queue to make room for a newer one')
  return new MqttCodeError(QUEUE_FULL, '', { cause })
}
