/**
 * The whole native boundary: what the addon exports, and the layout of the two buffers that cross it.
 *
 * Nothing crosses once a message. What arrives is packed by the addon as bytes (a slab) and eight integers
 * a record (an index) and drained in bursts; what leaves is packed here as one buffer of commands a tick;
 * acknowledgements come back as integers among the records. All integers are little endian.
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
   */
  attach(onEvents: () => void): void
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
   * Copies commands; they are executed in order on the API thread.
   * @param length the number of bytes of `commands` in use, a multiple of 4
   */
  submit(commands: Uint8Array, length: number): void
  /**
   * Stops reading what the broker sends, or reads again; keepalive goes on. At once, before what was submitted: while it
   * is under way, what comes is still delivered.
   */
  pause(connection: number, paused: boolean): void
  /**
   * Moves as many waiting events as fit into `slab` and `index`.
   * @param slab gets the events' bytes from `offset` on; the offsets in records are absolute within it
   * @param index gets the records, `RECORD_WORDS` words each; it has room for `MOST_RECORDS`
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
   * What a connection has moved so far.
   * @param into gets the bytes that came, the bytes that left, and how many seconds the broker took for its last
   *   answer to PINGREQ, at first to CONNECT; -1 while there was none
   * @returns false if the connection is over, and nothing was written; its SESSION record says what was moved
   */
  traffic(connection: number, into: Float64Array): boolean
  /** Turns Paho's own trace lines, as TRACE records, on or off. */
  trace(enabled: boolean): void
  /**
   * Makes two connected sockets: a `descriptor` for `open()`, which must follow at once, and one for JavaScript.
   * Whatever is written to one comes out at the other.
   */
  pair(): [engineEnd: number, nodeEnd: number]
  /**
   * Connects to a listener of this process's own on 127.0.0.1, as `pair()` where a socket cannot be made of a descriptor.
   * @returns a `descriptor` for `open()`, which must follow at once, and the port that the listener sees at its other end
   */
  join(port: number): [engineEnd: number, ownPort: number]
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
  /** QoS 1 and 2 publishes partway at once, 1 to 65,535; lowered to the broker's Receive Maximum. */
  maxInflight: number
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

/** Words of one record of the index. Word 0 is `kind | flags << 8`, word 1 the connection. */
export const RECORD_WORDS = 8
/** Records that one call of `drain()` gives at most. */
export const MOST_RECORDS = 1024

/**
 * A message. Flags: QoS in bits 0 and 1, `MESSAGE_RETAIN`, `MESSAGE_DUP`. Words: 2 topic id or
 * `INLINE_TOPIC`, 3 offset, 4 topic length (0 unless inline), 5 length of the properties (raw, without
 * their length prefix), 6 payload length, 7 packet identifier (0 for QoS 0). At the offset stand the topic,
 * the properties and the payload. A QoS 2 message arrives when its PUBREL came, but see `holdAcknowledgements`.
 */
export const EVENT_MESSAGE = 1
/** Words: 2 id, 3 offset, 4 length. From now on this id means this topic; ids are used again. */
export const EVENT_TOPIC = 2
/** CONNACK accepted. Words: 2 session present, 3 offset and 4 length of its properties (raw). */
export const EVENT_OPENED = 3
/**
 * The last event of a connection. Flags: bit 0 when OPENED had happened. Words: 2 cause (`CAUSE_…`),
 * 3 offset, 4 length, 5 code, 6 errno; their meaning depends on the cause.
 */
export const EVENT_CLOSED = 4
/**
 * An operation has ended. Words: 2 operation, 3 offset, 4 length, 5 code. PUBLISH and RELEASE: the reason code
 * of PUBACK, PUBREC or PUBCOMP (0 on MQTT 3.x, and for QoS 0 once handed to the socket's buffer). SUBSCRIBE and
 * UNSUBSCRIBE: the bytes are one reason code a filter (none for UNSUBACK on 3.x). Or one of `CODE_…`.
 */
export const EVENT_DONE = 5
/** A line of Paho's trace. Words: 2 level, 3 offset, 4 length. */
export const EVENT_TRACE = 6

/**
 * Just before CLOSED: what the next connection of the same session has to know. Words: 3 offset, 4 length, and the
 * bytes moved: 2 and 5 those that came (the low word and the high one), 6 and 7 those that left.
 */
export const EVENT_SESSION = 7

/**
 * PUBREC came, not refusing, for a QoS 2 publish whose packet identifier the caller chose. PUBREL follows by itself,
 * and with PUBCOMP comes DONE; but see `holdReleases`. Words: 2 operation.
 */
export const EVENT_RECEIVED = 8

/**
 * Only with `holdAcknowledgements`: PUBREL came for a QoS 2 message that had been acknowledged, and its packet
 * identifier is free again. Words: 2 the packet identifier.
 */
export const EVENT_RELEASED = 9

/**
 * AUTH came, and it was the server's turn (MQTT 5, 4.12); with 0x18 it is ours now. Before OPENED, too. Words: 3 offset
 * and 4 length of its properties (raw), 5 reason code: 0x18 (continue authentication), or 0x00 when what
 * `COMMAND_AUTH` began with 0x19 is over.
 */
export const EVENT_AUTH = 10

export const MESSAGE_QOS = 0b0011
export const MESSAGE_RETAIN = 0b0100
export const MESSAGE_DUP = 0b1000

/** In place of a topic id: the topic's bytes are in the record. */
export const INLINE_TOPIC = 0xffff_ffff

/** In place of an operation's code: it was cancelled before it was sent. */
export const CODE_WITHDRAWN = 0x100
/** In place of an operation's code: Paho did not take it; the code is this minus Paho's (negative) result. */
export const CODE_REFUSED = 0x1000

/** A graceful CLOSE is done: DISCONNECT has left. */
export const CAUSE_LOCAL = 0
/** A forced CLOSE is done. */
export const CAUSE_ABORTED = 1
/**
 * The byte stream failed. The errno says how, 0 means that the peer closed it. The bytes are the
 * `address:port` concerned; the code is one of `TRANSPORT_…`.
 */
export const CAUSE_TRANSPORT = 2
/** CONNACK refused the connection: its code, its properties (raw) as bytes. */
export const CAUSE_REFUSED = 3
/** MQTT 5: the server sent DISCONNECT: its code, its properties (raw) as bytes. */
export const CAUSE_SERVER_DISCONNECT = 4
/** No PINGRESP within the keepalive time. */
export const CAUSE_KEEPALIVE = 5
/** The server broke the protocol: an MQTT 5 reason code as code, an English description as bytes. */
export const CAUSE_PROTOCOL = 6
/**
 * TLS failed. The code is the result of the verification (`X509_V_ERR_…`), 0 if it is not what failed. The bytes are
 * OpenSSL's error, after the name of a field of `ConnectionTls` and a colon if it is about that.
 */
export const CAUSE_TLS = 7

export const TRANSPORT_CONNECT = 1
export const TRANSPORT_READ = 2
export const TRANSPORT_WRITE = 3
/** The stream ended during TLS' handshake. */
export const TRANSPORT_HANDSHAKE = 4

/**
 * Words that every command begins with: 0 the length of the whole command in bytes, padded to a multiple of 4;
 * 1 `kind | flags << 8`; 2 the connection; 3 the operation, chosen here (0 for none). Further words and the
 * bytes after them depend on the kind.
 */
export const COMMAND_WORDS = 4

/**
 * Flags: QoS in bits 0 and 1, `MESSAGE_RETAIN`, `MESSAGE_DUP` (with a packet identifier of the caller's only). Words:
 * 4 topic length, 5 properties length, 6 payload length, 7 the packet identifier, or 0 for the engine to choose one
 * (QoS 0: always 0). Bytes: topic, NUL, properties including their length prefix (none: no bytes), payload.
 *
 * On one connection either the caller chooses all packet identifiers or the engine does. One that is in use is refused
 * (`CODE_REFUSED`); one is free again when the operation's DONE has come.
 */
export const COMMAND_PUBLISH = 1
/** A flag of PUBLISH: its payload is not among its bytes, but was staged. */
export const PUBLISH_STAGED = 0b1_0000
/**
 * Words: 4 filter count, 5 properties length, 6 the packet identifier, or 0 for the engine to choose one (see
 * `COMMAND_PUBLISH`). Bytes: properties including their length prefix, then for each filter one byte of options (as
 * on the wire), two bytes of length, the filter, NUL.
 */
export const COMMAND_SUBSCRIBE = 2
/** As SUBSCRIBE, with options of 0. */
export const COMMAND_UNSUBSCRIBE = 3
/** Withdraws the operation if it has not been sent; otherwise it goes on and its DONE comes as usual. */
export const COMMAND_CANCEL = 4
/**
 * Continues a QoS 2 publish whose PUBREC had come (RECEIVED), of an older connection of the same session, or of this one
 * with `holdReleases`: sends PUBREL. Word 4: its packet identifier. DONE comes with PUBCOMP, whose reason code is the code: 0x92 (packet identifier not
 * found) means that PUBCOMP was on its way before.
 */
export const COMMAND_RELEASE = 8
/**
 * Only with `holdAcknowledgements`: sends PUBACK or PUBREC. Flags: the message's QoS. Word 4: its packet identifier.
 * Ignored if no such message waits for it on this connection.
 */
export const COMMAND_ACKNOWLEDGE = 9
/**
 * Sends AUTH, if it is our turn; else it is ignored. Words: 4 reason code: 0x18 (continue authentication) or 0x19
 * (re-authenticate), 5 properties length. Bytes: properties including their length prefix.
 */
export const COMMAND_AUTH = 10
/** Ends the connection, after what was submitted before. Flags: `CLOSE_FORCE`. Word 4: DISCONNECT's reason code. */
export const COMMAND_CLOSE = 5

/** CLOSE without DISCONNECT, dropping what is unsent. */
export const CLOSE_FORCE = 1
