/**
 * The native boundary: what the addon exports. The layout of the two buffers that cross it is in `boundary.ts`.
 *
 * Nothing crosses once a message. What arrives is packed by the addon as bytes (a slab) and eight integers
 * a record (an index) and drained in bursts; what leaves is packed here as one buffer of commands a tick;
 * acknowledgements come back as integers among the records.
 */

/** What the addon exports, once for each environment (main thread or worker) that loads it. */
export interface Binding {
  /** The version of Eclipse Paho MQTT C inside, for example `1.3.14`. */
  readonly pahoVersion: string
  /** Whether the process has an OpenSSL 3 for `ConnectionOptions.tls`. */
  readonly hasTls: boolean
  /**
   * Registers the environment's doorbell. Called once, before anything else.
   * @param onEvents runs on this environment's event loop when events wait; one call for a whole burst
   * @param hasLibuv whether that event loop is libuv's, and so may read by itself (`lead()`)
   */
  attach(onEvents: () => void, hasLibuv: boolean): void
  /**
   * The event loop reads what comes by itself from now on, if that is good just now, and for as long as it is. Otherwise,
   * and without libuv, the I/O thread does.
   */
  lead(): void
  /** Keeps the event loop alive until `release()`. Calling it twice is the same as once. */
  hold(): void
  /** Stops keeping the event loop alive. Calling it twice is the same as once. */
  release(): void
  /**
   * Starts to connect.
   * @returns a process-unique connection number above 0. The connection's events are at most one OPENED and
   *   exactly one CLOSED, which is the last one.
   */
  open(options: ConnectionOptions): number
  /** Copies a large payload; a PUBLISH command of the next `submit()` with `PUBLISH_STAGED` has it, in their order. */
  stage(payload: Uint8Array): void
  /**
   * Copies a large payload that is to be sent several times.
   * @returns a view of the copy, for `stageKept()`; it must not be changed
   */
  keep(payload: Uint8Array): Buffer
  /** As `stage()`, without another copy. @param kept what `keep()` gave */
  stageKept(kept: Uint8Array): void
  /**
   * Copies commands; they are executed in order, on the API thread or, few as they are, at once on this one.
   * @param length the number of bytes of `commands` in use, a multiple of 4
   * @returns true if something waits by now that the doorbell does not ring for: `drain()` must follow
   */
  submit(commands: Uint8Array, length: number): boolean
  /**
   * Says how much a connection may deliver: totals since it began, at first none. What there is no room for is neither
   * delivered nor acknowledged; nothing behind it is read, and STALLED tells of it. Keepalive goes on.
   * @param messages at least as many as before; `Infinity` for any number
   * @param bytes of their topics, properties and payloads
   */
  grant(connection: number, messages: number, bytes: number): void
  /**
   * Moves as many waiting events as fit into `slab` and `index`.
   * @param slab gets the events' bytes from `offset` on; the offsets in records are absolute within it
   * @param index gets the records, `RECORD_WORDS` words each; it has room for `RECORD_LIMIT`
   * @returns the number of records; 0 when nothing waits; -n when the next event needs n bytes of slab.
   *   The doorbell rings again only for events that arrive after a call that returned 0.
   */
  drain(slab: Uint8Array, offset: number, index: Uint32Array): number
  /**
   * The bytes of the next events, when they are large: to be the slab of the `drain()` that must follow, at offset 0.
   * Null when they are to be copied into a slab of the caller's.
   */
  lend(): Buffer | null
  /**
   * What a connection has moved so far, and what it holds.
   * @param into gets `TRAFFIC_FIELDS` numbers
   * @returns false if the connection is over, and nothing was written; its SESSION record says what was moved
   */
  traffic(connection: number, into: Float64Array): boolean
  /** Turns Paho's own trace lines, as TRACE records, on or off. */
  trace(enabled: boolean): void
  /**
   * Makes two connected sockets: a `descriptor` for `open()`, which must follow at once, and one for JavaScript.
   * Whatever is written to one comes out at the other.
   * @returns both; or the operating system's error number
   */
  pair(): [engineEnd: number, nodeEnd: number] | number
  /**
   * Connects to a listener of this process's own on 127.0.0.1, as `pair()` where a socket cannot be made of a descriptor.
   * @returns a `descriptor` for `open()`, which must follow at once, and the port that the listener sees at its other
   * end; or the operating system's error number
   */
  join(port: number): [engineEnd: number, ownPort: number] | number
  /**
   * setsockopt(2).
   * @returns 0, or the operating system's error number
   */
  setSocketOption(descriptor: number, level: number, name: number, value: Uint8Array): number
  /**
   * Locks a file, which is made if need be, without waiting. The kernel keeps the lock until the process ends, or this
   * environment, or what is returned is called.
   * @returns what releases the lock; or the operating system's error number, EAGAIN when somebody else has the lock
   */
  lockFile(path: string): (() => void) | number
}

/** The options of one connection. */
export interface ConnectionOptions {
  /**
   * In order of preference; they are raced as in RFC 8305 ("happy eyeballs"). Family 0 is the path of a unix socket,
   * with port 0.
   */
  addresses: Array<[address: string, port: number, family: 0 | 4 | 6]>
  /** A connected socket to use instead of an address; the native side closes it. */
  descriptor?: number
  /** An address to connect from, not a name. */
  bindAddress?: string
  /** A port to connect from. */
  bindPort?: number
  /** What setsockopt(2) gets for the socket before it is connected. */
  socketOptions?: Array<[level: number, name: number, value: Uint8Array]>
  /** For TLS; only with `Binding.hasTls`. */
  tls?: ConnectionTls
  /** The protocol level of CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
  protocol: 3 | 4 | 5
  identifier: string
  /** Clean Session on MQTT 3.x. */
  cleanStart: boolean
  /** Seconds; 0 turns it off. */
  keepalive: number
  username?: string
  password?: Uint8Array
  will?: ConnectionWill
  /** CONNECT properties including their length prefix; empty on MQTT 3.x. */
  properties: Uint8Array
  /** A message with more bytes, as `grant()` counts them, ends the connection; 0: of any size. */
  largestMessage: number
  /**
   * QoS 2 messages that the broker does not release may have so many bytes together; 0: any number. What they have
   * beyond `BESIDE_QUEUE` takes room that `grant()` gave.
   */
  mostUnreleased: number
  /** QoS 1 and 2 publishes partway at once, 1 to 65,535; lowered to the broker's Receive Maximum. */
  maxInflight: number
  /** Milliseconds that a message may be held back at most; 0: none is. */
  latency: number
  /** MQTT 5: the most topic aliases that PUBLISH may be given, within the broker's limit; 0 to 65,535. */
  topicAliases: number
  /**
   * The engine acknowledges no QoS 1 or 2 message by itself: `COMMAND_ACKNOWLEDGE` does. Both are delivered at once,
   * QoS 2 before its PUBREL, and RELEASED tells of that; PUBCOMP is still the engine's.
   *
   * A QoS 2 PUBLISH that was acknowledged and not yet released is a repetition: it is answered with PUBREC again, and
   * not delivered. So is one that waits for its acknowledgement on this connection, which is not delivered twice. One
   * that was not acknowledged when its connection went is delivered again by the next connection.
   */
  holdAcknowledgements: boolean
  /**
   * The engine answers no PUBREC of a publish whose packet identifier the caller chose: after RECEIVED, `COMMAND_RELEASE`
   * does.
   */
  holdReleases: boolean
  /**
   * What this session's last connection left behind, the bytes of its SESSION record; none for a new session. Word 0 is
   * the last packet identifier that was used. With `holdAcknowledgements` a word each follows for the identifiers of
   * QoS 2 messages that were acknowledged and not released. Otherwise the QoS 2 messages that wait for their PUBREL
   * follow, as the engine keeps them. In both a PUBLISH of QoS 2 without DUP is another message.
   */
  session?: Uint8Array
}

/** TLS of one connection. Texts are PEM, and lists in OpenSSL's notation. */
export interface ConnectionTls {
  /** The certificates that are trusted. */
  ca: string
  /** Whether the broker's certificate must be trusted. */
  verify: boolean
  /** Revocation lists; every issuer must have one then. */
  crl?: string
  /** The client's certificate, followed by those above it. */
  certificate?: string
  key?: string
  /** What the key is encrypted with. */
  passphrase?: string
  /** For TLS 1.2 and older. */
  ciphers?: string
  /** For TLS 1.3. */
  cipherSuites?: string
  groups?: string
  signatureAlgorithms?: string
  /** As on the wire: 0x0303 is TLS 1.2. */
  minimumVersion?: number
  maximumVersion?: number
  /** As on the wire (RFC 7301). */
  alpn?: Uint8Array
  /** What is sent to the broker (SNI); none without it. */
  serverName?: string
  /** The name or address that must be in the certificate; any will do without it. */
  verifiedHost?: string
}

/** The will of one connection. */
export interface ConnectionWill {
  topic: string
  payload: Uint8Array
  qos: number
  retain: boolean
  /** Will properties including their length prefix; empty on MQTT 3.x. */
  properties: Uint8Array
}

export * from './boundary.js'
