import type { PublishCall } from '../calls/publish-arguments.js'
import {
  TRAFFIC_ALIASES,
  TRAFFIC_DELIVERED,
  TRAFFIC_FIELDS,
  TRAFFIC_RECEIVED,
  TRAFFIC_REPLIES,
  TRAFFIC_ROUND_TRIP,
  TRAFFIC_SENT,
  TRAFFIC_UNREAD,
  TRAFFIC_UNRELEASED,
} from '../engine/boundary.js'
import type { Message } from '../engine/message.js'
import { dropChannel, messageChannel, publishChannel, stateChannel } from './channels.js'
import type { StateChange } from './client-states.js'
import type { ClientStats } from './client-stats.js'
import { queuedBytes } from './held-bytes.js'

/** A connection that moves bytes. */
export interface Traffic {
  /** Bytes of the messages that have come to the client. */
  readonly taken: number
  /** Bytes of topic names that it has brought and that are remembered. */
  readonly topicBytes: number
  /** Bytes that have come and that JavaScript's part of the way to the broker still has. */
  readonly heldOnWay: number
  /**
   * Fills in `TRAFFIC_…`.
   * @returns false if the engine is done with the connection; all is left as it was
   */
  measure(into: Float64Array): boolean
}

/** The calls of a client. */
interface CallLoad {
  /** QoS 1 and 2 publishes that the broker has not acknowledged. */
  readonly unacknowledged: number
  /** Calls whose promises are pending. */
  readonly pending: number
  /** Bytes of messages that the next connection of the session begins with. */
  readonly keptBytes: number
}

/** The messages that wait for the program. */
export interface Waiting {
  readonly queued: number
  /** Bytes of their topics, properties and payloads. */
  readonly bytes: number
  readonly slabBytes: number
}

/** What happens to a client: counted for `Client.stats`, and told to whoever listens (diagnostics.ts). */
export class Telemetry {
  private messagesReceived = 0
  private messagesSent = 0
  private messagesDropped = 0
  private connections = 0
  private bytesReceived = 0
  private bytesSent = 0
  /** Connections whose bytes are still to be added, in the order of their opening, and when each was last measured. */
  private calls: CallLoad | null = null
  private readonly open = new Map<Traffic, Float64Array>()

  /** @param client the `client` of all that is told */
  constructor(private readonly client: object) {}

  /** The client has gone from one state to the next. */
  stateChanged(change: StateChange): void {
    if (!stateChannel.hasSubscribers) return
    stateChannel.publish({ ...change, client: this.client })
  }

  /** A publish was accepted. */
  published({ topic, payload, qos, retain, properties }: PublishCall): void {
    if (!publishChannel.hasSubscribers) return
    const { client } = this
    publishChannel.publish({ client, topic, payload, qos, retain, properties })
  }

  /** A message came. */
  received(message: Message): void {
    this.messagesReceived++
    if (messageChannel.hasSubscribers) {
      messageChannel.publish({ client: this.client, message })
    }
  }

  /** A message was dropped. */
  dropped(message: Message, which: 'newest' | 'oldest'): void {
    this.messagesDropped++
    if (dropChannel.hasSubscribers) {
      dropChannel.publish({ client: this.client, message, which })
    }
  }

  /** A publish has left, or has been acknowledged. */
  sent(): void {
    this.messagesSent++
  }

  /** The client's calls are there. */
  follow(calls: CallLoad): void {
    this.calls = calls
  }

  /** A connection was made. */
  begin(connection: Traffic): void {
    const numbers = new Float64Array(TRAFFIC_FIELDS)
    numbers[TRAFFIC_ROUND_TRIP] = -1
    this.open.set(connection, numbers)
  }

  /** The broker has accepted a connection. */
  connected(): void {
    this.connections++
  }

  /** A connection is over, with so many bytes. */
  end(connection: Traffic, received: number, sent: number): void {
    this.open.delete(connection)
    this.bytesReceived += received
    this.bytesSent += sent
  }

  /** @param waiting what is in the client's queues */
  snapshot(waiting: Waiting): ClientStats {
    let { bytesReceived, bytesSent } = this
    let roundTripTime: number | null = null
    let messageBytes = waiting.bytes
    let unreadBytes = 0
    let unreleasedBytes = this.calls?.keptBytes ?? 0
    let replyBytes = 0
    let topicBytes = 0
    for (const [connection, numbers] of this.open) {
      const isThere = connection.measure(numbers)
      const of = (field: number) => numbers[field] as number
      bytesReceived += of(TRAFFIC_RECEIVED)
      bytesSent += of(TRAFFIC_SENT)
      roundTripTime = of(TRAFFIC_ROUND_TRIP) < 0 ? null : of(TRAFFIC_ROUND_TRIP)
      messageBytes += Math.max(of(TRAFFIC_DELIVERED) - connection.taken, 0)
      unreadBytes += connection.heldOnWay
      topicBytes += connection.topicBytes
      if (!isThere) continue
      unreadBytes += of(TRAFFIC_UNREAD)
      unreleasedBytes += of(TRAFFIC_UNRELEASED)
      replyBytes += of(TRAFFIC_REPLIES)
      topicBytes += of(TRAFFIC_ALIASES)
    }
    const { slabBytes } = waiting
    const held = { messageBytes, unreadBytes, unreleasedBytes, replyBytes, topicBytes, slabBytes }
    return {
      queued: waiting.queued,
      queuedBytes: queuedBytes(held),
      ...held,
      messagesReceived: this.messagesReceived,
      messagesSent: this.messagesSent,
      bytesReceived,
      bytesSent,
      dropped: this.messagesDropped,
      inflight: this.calls?.unacknowledged ?? 0,
      pending: this.calls?.pending ?? 0,
      reconnects: Math.max(this.connections - 1, 0),
      roundTripTime,
    }
  }
}
