import type { Client } from './client/client.js'
import type { Message } from './engine/message.js'
import type { QoS } from './mqtt/fields.js'
import type { Properties } from './mqtt/properties.js'
import type { StateChange } from './telemetry/client-states.js'

// What this library tells node:diagnostics_channel, while someone listens: the names of the channels, and what their
// subscribers get. Subscribers run at once, on the way of each message, and what they throw is an uncaught exception.

/** `aiomqtt:state`: the client's state has changed, as `Client.states` tells it. */
export interface StateEvent extends StateChange {
  /** Whose state it is. */
  readonly client: Client
}

/** `aiomqtt:publish`: a call of `publish()` or `request()` was accepted, and leaves with what else this tick sends. */
export interface PublishEvent {
  /** Who publishes. */
  readonly client: Client
  /** The topic; empty when a topic alias stands for it. */
  readonly topic: string
  /** Bytes are the caller's, and theirs to change afterwards. Numbers and booleans are text already. */
  readonly payload: string | Uint8Array
  /** The QoS of the call. */
  readonly qos: QoS
  /** Whether the broker is to retain it. */
  readonly retain: boolean
  /** Undefined for none. */
  readonly properties: Properties | undefined
}

/** `aiomqtt:message`: a message came, and goes to a queue or is dropped next. */
export interface MessageEvent {
  /** To whom it came. */
  readonly client: Client
  /** The message itself, not a copy. */
  readonly message: Message
}

/** `aiomqtt:drop`: a message was dropped, because the queue was full. */
export interface DropEvent {
  /** Whose queue was full. */
  readonly client: Client
  /** The message that is gone. */
  readonly message: Message
  /** Whether it was the message that came (`overflow: 'drop-newest'`), or one that waited (`'drop-oldest'`). */
  readonly which: 'newest' | 'oldest'
}
