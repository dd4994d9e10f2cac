/**
 * The numbers that both sides of the native boundary know, written here alone. `scripts/boundary.mjs` makes
 * `native/engine/boundary.h` of them, and the lint fails when that is not what it would make.
 *
 * Each line is one constant and a number; the part of its name before the first `_` names the C++ namespace. Words are
 * 32 bits in the byte order of the machine, on both sides; what stands among a command's bytes is little endian.
 */

// --- Records: what arrives ------------------------------------------------------------------------------------------

/** Words of one record of the index. */
export const RECORD_WORDS = 8
/** Records that one call of `drain()` gives at most. */
export const RECORD_LIMIT = 1024

// The words that every record has.

/** `kind | flags << 8`. */
export const RECORD_HEAD = 0
export const RECORD_CONNECTION = 1
/** What the record is about: a topic's id, an operation, a packet identifier; other things where a kind says so. */
export const RECORD_SUBJECT = 2
/** Where the record's bytes begin in the slab. */
export const RECORD_OFFSET = 3
/** How many bytes it has; of a message, how many its topic has. */
export const RECORD_LENGTH = 4

/**
 * A message. Flags: QoS in bits 0 and 1, `MESSAGE_RETAIN`, `MESSAGE_DUP`. Subject: the topic's id or `TOPIC_INLINE`,
 * without which the length is 0. At the offset stand the topic, the properties (raw, without their length prefix) and
 * the payload. A QoS 2 message arrives when its PUBREL came, but see `holdAcknowledgements`.
 */
export const EVENT_MESSAGE = 1
export const MESSAGE_PROPERTIES_LENGTH = 5
export const MESSAGE_PAYLOAD_LENGTH = 6
/** 0 for QoS 0. */
export const MESSAGE_IDENTIFIER = 7

/**
 * Subject: an id. From now on this id means this topic. Ids are given out from 0 on; 0 says that all others mean nothing
 * until they come again. None means anything after the CLOSED of the environment's last connection.
 */
export const EVENT_TOPIC = 2
/** CONNACK accepted. Subject: 1 if the session was present. The bytes are its properties (raw). */
export const EVENT_OPENED = 3
/**
 * The last event of a connection. Flags: bit 0 when OPENED had happened. Subject: `CAUSE_…`, which decides what the
 * bytes, the code and the errno mean.
 */
export const EVENT_CLOSED = 4
/**
 * An operation, the subject, has ended. Code, of PUBLISH and RELEASE: the reason code of PUBACK, PUBREC or PUBCOMP (0
 * on MQTT 3.x, and for QoS 0 once handed to the socket's buffer). SUBSCRIBE and UNSUBSCRIBE: the bytes begin with one
 * reason code a filter (none for UNSUBACK on 3.x). Or one of `CODE_…`. If a code is a failure, the bytes end with the
 * properties of its packet (raw).
 */
export const EVENT_DONE = 5
export const DONE_PROPERTIES_LENGTH = 6
/** A line of Paho's trace. Subject: its level. */
export const EVENT_TRACE = 6
/**
 * Just before CLOSED: what the next connection of the same session has to know, as bytes; and how many bytes the
 * connection has moved.
 */
export const EVENT_SESSION = 7
/**
 * PUBREC came, not refusing, for a QoS 2 publish, the subject, whose packet identifier the caller chose. PUBREL follows
 * by itself, and with PUBCOMP comes DONE; but see `holdReleases`.
 */
export const EVENT_RECEIVED = 8
/**
 * Only with `holdAcknowledgements`: PUBREL came for a QoS 2 message that had been acknowledged, and its packet
 * identifier, the subject, is free again.
 */
export const EVENT_RELEASED = 9
/**
 * AUTH came, and it was the server's turn (MQTT 5, 4.12); with 0x18 it is ours now. Before OPENED, too. The bytes are
 * its properties (raw). Code: 0x18 (continue authentication), or 0x00 when what `COMMAND_AUTH` began with 0x19 is over.
 */
export const EVENT_AUTH = 10
/**
 * A message came that there is no room for, and reading stops before it until `grant()` makes room. Subject: how many
 * bytes it needs.
 */
export const EVENT_STALLED = 11

/** PUBACK came for a QoS 2 publish, which it settles (DONE). Once for each connection. */
export const EVENT_LOWERED = 12

/** Of CLOSED, DONE and AUTH. */
export const RECORD_CODE = 5
/** Of CLOSED. */
export const RECORD_ERRNO = 6

// Words of SESSION: bytes that came and that left, the low words and the high ones.
export const SESSION_RECEIVED_LOW = 2
export const SESSION_RECEIVED_HIGH = 5
export const SESSION_SENT_LOW = 6
export const SESSION_SENT_HIGH = 7
/** Of its bytes those that it always has; what follows is kept of messages. */
export const SESSION_HEAD = 4

/** In place of a topic's id: the topic's bytes are in the record. */
export const TOPIC_INLINE = 0xffff_ffff
/** Ids of topics are below this. */
export const TOPIC_LIMIT = 65_536

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

// --- Flags of messages, in both directions --------------------------------------------------------------------------

export const MESSAGE_QOS = 0b0011
export const MESSAGE_RETAIN = 0b0100
export const MESSAGE_DUP = 0b1000

// --- Commands: what leaves ------------------------------------------------------------------------------------------

// The words that every command begins with. Further words and the bytes after them depend on the kind.

/** The length of the whole command in bytes, padded to a multiple of 4. */
export const COMMAND_LENGTH = 0
/** `kind | flags << 8`. */
export const COMMAND_HEAD = 1
export const COMMAND_CONNECTION = 2
/** Chosen by the caller; 0 for none. */
export const COMMAND_OPERATION = 3
/** How many these are. */
export const COMMAND_WORDS = 4

/**
 * Flags: QoS in bits 0 and 1, `MESSAGE_RETAIN`, `MESSAGE_DUP` (with a packet identifier of the caller's only),
 * `PUBLISH_STAGED`. Bytes: topic, NUL, properties including their length prefix (none: no bytes), payload.
 *
 * On one connection either the caller chooses all packet identifiers or the engine does. One that is in use is refused
 * (`CODE_REFUSED`); one is free again when the operation's DONE has come.
 */
export const COMMAND_PUBLISH = 1
export const PUBLISH_TOPIC_LENGTH = 4
export const PUBLISH_PROPERTIES_LENGTH = 5
export const PUBLISH_PAYLOAD_LENGTH = 6
/** 0 for the engine to choose one (QoS 0: always 0). */
export const PUBLISH_IDENTIFIER = 7
export const PUBLISH_WORDS = 8
/** A flag: the payload is not among the bytes, but was staged. */
export const PUBLISH_STAGED = 0b1_0000

/**
 * Bytes: properties including their length prefix, then for each filter one byte of options (as on the wire), two bytes
 * of length, the filter, NUL.
 */
export const COMMAND_SUBSCRIBE = 2
/** As SUBSCRIBE, with options of 0. */
export const COMMAND_UNSUBSCRIBE = 3
export const FILTERS_COUNT = 4
export const FILTERS_PROPERTIES_LENGTH = 5
/** 0 for the engine to choose one (see `COMMAND_PUBLISH`). */
export const FILTERS_IDENTIFIER = 6
export const FILTERS_WORDS = 7

/** Withdraws the operation if it has not been sent; otherwise it goes on and its DONE comes as usual. */
export const COMMAND_CANCEL = 4

/** Ends the connection, after what was submitted before. Flags: `CLOSE_FORCE`. */
export const COMMAND_CLOSE = 5
/** DISCONNECT's reason code; bytes: its properties including their length prefix, or none at all. */
export const CLOSE_REASON = 4
export const CLOSE_PROPERTIES_LENGTH = 5
export const CLOSE_WORDS = 6
/** A flag: without DISCONNECT, dropping what is unsent. */
export const CLOSE_FORCE = 1

/**
 * Continues a QoS 2 publish whose PUBREC had come (RECEIVED), of an older connection of the same session, or of this
 * one with `holdReleases`: sends PUBREL. DONE comes with PUBCOMP, whose reason code is the code: 0x92 (packet
 * identifier not found) means that PUBCOMP was on its way before.
 */
export const COMMAND_RELEASE = 8
export const RELEASE_IDENTIFIER = 4
export const RELEASE_WORDS = 5

/**
 * Only with `holdAcknowledgements`: sends PUBACK or PUBREC. Flags: the message's QoS. Ignored if no such message waits
 * for it on this connection.
 */
export const COMMAND_ACKNOWLEDGE = 9
export const ACKNOWLEDGE_IDENTIFIER = 4
export const ACKNOWLEDGE_WORDS = 5

/**
 * Sends AUTH, if it is our turn; else it is ignored. Code: 0x18 (continue authentication) or 0x19 (re-authenticate).
 * Bytes: properties including their length prefix.
 */
export const COMMAND_AUTH = 10
export const AUTH_CODE = 4
export const AUTH_PROPERTIES_LENGTH = 5
export const AUTH_WORDS = 6

// --- Limits that both sides keep ------------------------------------------------------------------------------------

/**
 * QoS 1 and 2 publishes that may be in flight on one connection: with one more Paho would hold back everything else,
 * QoS 0 too.
 */
export const WINDOW_LIMIT = 65_533
/** A payload of this size is not copied on its way: it is staged, or lent when it arrives. */
export const LARGE_FROM = 65_536
/** Small messages cross in chunks of at most so many bytes. */
export const CHUNK_BYTES = 8192
/**
 * Bytes that messages may take outside the queue, however little may be queued: those of QoS 2 that wait for the broker
 * to release them, of which it has some in flight at any time, and one that a queue is to drop.
 */
export const BESIDE_QUEUE = 16_777_216

// --- What `traffic()` writes ----------------------------------------------------------------------------------------

/** Bytes that came, and that left. */
export const TRAFFIC_RECEIVED = 0
export const TRAFFIC_SENT = 1
/** Seconds that the broker took for its last answer to PINGREQ, at first to CONNECT; -1 while there was none. */
export const TRAFFIC_ROUND_TRIP = 2
/** Bytes that are held: read from the connection and not taken in. */
export const TRAFFIC_UNREAD = 3
/** Bytes of the messages that were delivered, since the connection began. */
export const TRAFFIC_DELIVERED = 4
/** Bytes that are held: QoS 2 messages that the broker has not released. */
export const TRAFFIC_UNRELEASED = 5
/** Bytes that are held: replies that the broker has not taken. */
export const TRAFFIC_REPLIES = 6
/** Bytes that are held: the topics of the broker's topic aliases. */
export const TRAFFIC_ALIASES = 7
/** How many numbers it writes. */
export const TRAFFIC_FIELDS = 8
