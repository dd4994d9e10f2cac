/**
 * What is held of that which the broker has sent, in bytes, by where it is. All of it counts in `queuedBytes`, apart from
 * what a connection takes for itself however little comes: see there.
 */
export interface HeldBytes {
  /** Topics, properties and payloads of the messages in the queues, and of those that are on their way to them. */
  readonly messageBytes: number
  /**
   * Read from the connection and not taken in yet: packets that there is no room for, one that has not arrived in full,
   * and what comes through WebSocket, a proxy or a stream of the program's before its packets are seen.
   */
  readonly unreadBytes: number
  /** Messages of QoS 2 that the broker has not released, for the next connection of the session included. */
  readonly unreleasedBytes: number
  /** Acknowledgements and PINGREQ that the broker does not take. */
  readonly replyBytes: number
  /** Names of topics that are remembered because they came again, and those of the broker's topic aliases. */
  readonly topicBytes: number
  /** Memory that the messages in the queues keep alive beyond `messageBytes`; not more than these. */
  readonly slabBytes: number
}

/** What `Client.stats` shows: a snapshot. Counts go on over all connections of the client. */
export interface ClientStats extends HeldBytes {
  /** Messages received, including those dropped later. */
  readonly messagesReceived: number
  /** Messages sent; at QoS 1 and 2, those that the broker has acknowledged. */
  readonly messagesSent: number
  /** Bytes of MQTT received, without the overhead of TLS, WebSocket or a proxy. */
  readonly bytesReceived: number
  /** Bytes of MQTT sent, without the overhead of TLS, WebSocket or a proxy. */
  readonly bytesSent: number
  /** Messages in the queues of `messages` and of its `filter()` views. A message in two of them counts twice. */
  readonly queued: number
  /**
   * What is held for the client of that which its broker has sent, in bytes; `maxQueuedIncomingBytes` bounds it. It is
   * `messageBytes` and `unreleasedBytes`, and of `unreadBytes`, `replyBytes` and `topicBytes` what each has beyond 256 KiB,
   * which a connection may take for itself; of `slabBytes` what it has beyond `messageBytes`. Messages are looked through
   * when this is asked for, which takes some milliseconds for a million of them.
   */
  readonly queuedBytes: number
  /** Messages dropped because a queue was full. */
  readonly dropped: number
  /**
   * Published QoS 1 and 2 messages that the broker has not acknowledged yet. Those that an earlier process left in the
   * store count as one until they are read.
   */
  readonly inflight: number
  /** Calls of `publish()`, `subscribe()` and `unsubscribe()` whose promises are pending. */
  readonly pending: number
  /** Connections after the first one. */
  readonly reconnects: number
  /**
   * Seconds from the last PINGREQ to its PINGRESP, or until then from CONNECT to CONNACK, measured off the JavaScript
   * thread. PINGREQ is sent when nothing was received or nothing was sent for `keepalive` seconds. Null without a
   * connection.
   */
  readonly roundTripTime: number | null
}
