/** What `Client.stats` shows: a snapshot. Counts go on over all connections of the client. */
export interface ClientStats {
  /** Messages that came, whatever became of them. */
  readonly messagesReceived: number
  /** Messages that left: of QoS 1 and 2 when the broker has acknowledged them. */
  readonly messagesSent: number
  /** Bytes of MQTT that came, without those of TLS, WebSocket or a proxy. */
  readonly bytesReceived: number
  /** Bytes of MQTT that left, without those of TLS, WebSocket or a proxy. */
  readonly bytesSent: number
  /** Messages in the queues of `messages` and of its `filter()` views. A message in two of them counts twice. */
  readonly queued: number
  /**
   * Bytes of their topics, properties and payloads. Without bounds of the queue they are counted when this is asked for,
   * which takes some milliseconds for a million messages.
   */
  readonly queuedBytes: number
  /** Messages that were dropped because a queue was full. */
  readonly dropped: number
  /** QoS 1 and 2 messages that were published and that the broker has not acknowledged yet. */
  readonly inflight: number
  /** Calls of `publish()`, `subscribe()` and `unsubscribe()` whose promises are pending. */
  readonly pending: number
  /** Connections after the first one. */
  readonly reconnects: number
  /**
   * Seconds that the broker took for its last answer to PINGREQ, measured off the JavaScript thread; until the first
   * one, that to CONNECT. PINGREQ is sent when nothing came or nothing left for `keepalive` seconds. Null without a
   * connection.
   */
  readonly roundTripTime: number | null
}

/** A connection that moves bytes. */
export interface Traffic {
  readonly inflight: number
  readonly pending: number
  /** Fills in the bytes received and sent so far, and the round-trip time in seconds or -1; else leaves all as it was. */
  measure(into: Float64Array): void
}

/** What a client counts. */
export class Counters {
  messagesReceived = 0
  messagesSent = 0
  dropped = 0
  private connections = 0
  private bytesReceived = 0
  private bytesSent = 0
  /** Connections whose bytes are still to be added, in the order of their opening, and when each was last measured. */
  private readonly open = new Map<Traffic, Float64Array>()

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
    let inflight = 0
    let pending = 0
    let roundTripTime: number | null = null
    for (const [connection, measured] of this.open) {
      connection.measure(measured)
      const [received = 0, sent = 0, seconds = -1] = measured
      bytesReceived += received
      bytesSent += sent
      inflight += connection.inflight
      pending += connection.pending
      roundTripTime = seconds < 0 ? null : seconds
    }
    return {
      messagesReceived: this.messagesReceived,
      messagesSent: this.messagesSent,
      bytesReceived,
      bytesSent,
      dropped: this.dropped,
      inflight,
      pending,
      reconnects: Math.max(this.connections - 1, 0),
      roundTripTime,
    }
  }
}
