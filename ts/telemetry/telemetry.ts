import type { PublishCall } from '../calls/publish-arguments.js'
import type { Message } from '../engine/message.js'
import { dropChannel, messageChannel, publishChannel, stateChannel } from './channels.js'
import type { StateChange } from './client-states.js'
import type { ClientStats } from './client-stats.js'

/** A connection that moves bytes. */
export interface Traffic {
  /** Fills in the bytes received and sent so far, and the round-trip time in seconds or -1; else leaves all as it was. */
  measure(into: Float64Array): void
}

/** The calls of a client. */
export interface CallLoad {
  /** QoS 1 and 2 publishes that the broker has not acknowledged. */
  readonly unacknowledged: number
  /** Calls whose promises are pending. */
  readonly pending: number
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
    this.open.set(connection, new Float64Array([0, 0, -1]))
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

  /** The part of a snapshot that has to do with connections. */
  snapshot(): Omit<ClientStats, 'queued' | 'queuedBytes'> {
    let { bytesReceived, bytesSent } = this
    let roundTripTime: number | null = null
    for (const [connection, measured] of this.open) {
      connection.measure(measured)
      const [received = 0, sent = 0, seconds = -1] = measured
      bytesReceived += received
      bytesSent += sent
      roundTripTime = seconds < 0 ? null : seconds
    }
    return {
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
