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
  /**
   * QoS 1 and 2 messages that were published and that the broker has not acknowledged yet. Those of an older program
   * that were not read from the store yet count as one.
   */
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
