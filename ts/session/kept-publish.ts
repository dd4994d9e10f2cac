import { CALLER_WAITS, Operation, type OperationOwner, SENT } from '../calls/operation.js'
import type { PublishCall } from '../calls/publish-arguments.js'
import { COMMAND_PUBLISH, MESSAGE_DUP, MESSAGE_RETAIN } from '../engine/binding.js'
import type { Runtime } from '../engine/runtime.js'
import { byteLength } from '../support/bytes.js'
import type { CallSite } from '../support/call-site.js'
import type { Deadlines } from '../support/deadlines.js'
import { isLarge, submitPublish } from './publish-command.js'
import type { Suspect } from './suspicion.js'
import { withoutAlias } from './topic-alias.js'

/** What is left of a publish's time is a multiple of so many seconds. */
const LEFT_STEP = 0.1

// What the broker's session may know of a publish.

/** No connection has been given it. */
export const UNKNOWN = 0
/** A connection was given it, but the broker has lost the session since. */
export const FORGOTTEN = 1
/** An older connection of the same session was given it: it is repeated with DUP. */
export const KNOWN = 2

export type Memory = typeof UNKNOWN | typeof FORGOTTEN | typeof KNOWN

/** What a publish consists of, as it is kept. */
export interface Content {
  readonly topic: string
  /** With their length prefix, or null for none. */
  readonly properties: Uint8Array | null
  /** Large bytes are what `Runtime.keep()` gave. */
  readonly payload: string | Uint8Array
  readonly retain: boolean
}

/** The properties for one connection: a topic alias of the caller's means nothing to another one. */
interface Aliased {
  readonly connection: number
  readonly properties: Uint8Array
}

/**
 * A publish that is kept: until its turn comes, until there is a connection, or, where it outlives its connections, until
 * it is acknowledged. A link of the list of those.
 */
export class KeptPublish extends Operation implements Suspect {
  // Valid for the session.

  /** The packet identifier; 0 until it is first sent, and always where the engine chooses it. */
  identifier = 0
  memory: Memory = UNKNOWN
  /** What the store has of it: the packet identifier, or -1 while it has nothing. */
  storedIdentifier = -1
  /** Only the second half is left, and the store, if there is one, knows it: PUBREL may be sent. */
  isReleasable = false
  /** The key of its record. */
  key = ''
  losses = 0
  /** What it takes of the memory of the backlog; 0 if it was not read from the store. */
  backlogBytes = 0
  /** Seconds that are left of its time, if that runs with a connection only. */
  private timeLeft: number

  /** The connection whose limits it keeps to. Valid for that. */
  checkedFor = 0
  /** Nobody waits for it any longer, and a connection has it (`OutgoingFlows.abandon()`). */
  isAbandoned = false

  /** @internal */
  previous: KeptPublish | null = null
  /** @internal */
  next: KeptPublish | null = null

  /** Null when only the second half is left. */
  content: Content | null
  private aliased: Aliased | null = null

  /**
   * @param outlives whether a loss of its connection leaves it to the next one
   * @param isPatient whether its time stands still while there is no connection
   */
  constructor(
    owner: OperationOwner,
    number: number,
    qos: number,
    timeout: number,
    signal: AbortSignal | undefined,
    site: CallSite | null,
    content: Content | null,
    readonly outlives: boolean,
    readonly isPatient: boolean,
  ) {
    super(owner, number, COMMAND_PUBLISH, qos, timeout, signal, site)
    this.content = content
    this.timeLeft = timeout
  }

  /** Has a topic alias of the caller's sent on this connection, and on no other. */
  aliasOn(connection: number, content: Content): void {
    const { properties } = content
    if (properties === null) return
    this.aliased = { connection, properties }
    this.content = { ...content, properties: withoutAlias(properties) }
  }

  /** The bytes of its topic, properties and payload; 0 when it has none of them any more. */
  get size(): number {
    const { content } = this
    return content === null ? 0 : sizeOf(content)
  }

  /** The connection is lost: the time of one that is patient stands still. */
  pause(deadlines: Deadlines): void {
    if (!this.isPatient || this.list === null) return
    const left = (this.deadline - deadlines.time) / 1000
    // Few different times, as each has a timer of its own (deadlines.ts).
    this.timeLeft = Math.max(Math.ceil(left / LEFT_STEP) * LEFT_STEP, LEFT_STEP)
    deadlines.remove(this)
  }

  /** Gives it to a connection. */
  send(runtime: Runtime, connection: number): void {
    if (this.isPatient && this.caller === CALLER_WAITS && this.list === null) {
      runtime.deadlines.add(this, this.timeLeft)
    }
    const { number, identifier, aliased } = this
    const { topic, properties, payload, retain } = this.content as Content
    const flags = this.qos | (retain ? MESSAGE_RETAIN : 0) | (this.memory === KNOWN ? MESSAGE_DUP : 0)
    const sent = aliased !== null && aliased.connection === connection ? aliased.properties : properties
    if (submitPublish(runtime, connection, number, identifier, flags, topic, sent, payload)) {
      runtime.stageKept(payload)
    }
    this.phase = SENT
    runtime.changed()
  }
}

/** What a call publishes, to be kept: its bytes belong to the caller. */
export function contentOf(
  { topic, encodedProperties, payload, retain }: PublishCall,
  runtime: Runtime,
): Content {
  const own = typeof payload === 'string' || isLarge(payload) ? payload : copyOf(payload)
  return keptContent({ topic, properties: encodedProperties, payload: own, retain }, runtime)
}

/** A caller's `length` is not to be trusted (bytes.ts): `set()` goes by the array's own. */
function copyOf(payload: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(byteLength(payload))
  copy.set(payload)
  return copy
}

/** The same of what belongs to us. */
export function keptContent(content: Content, runtime: Runtime): Content {
  return isLarge(content.payload) ? { ...content, payload: runtime.keep(content.payload) } : content
}

/** The bytes of a topic, properties and a payload. */
export function sizeOf({ topic, properties, payload }: Omit<Content, 'retain'>): number {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : byteLength(payload)
  return Buffer.byteLength(topic) + (properties?.length ?? 0) + length
}
