import { byteLength } from '../support/bytes.js'
import { type Callable, CallSite } from '../support/call-site.js'
import { nextTick } from '../support/clock.js'
import { Deadlines } from '../support/deadlines.js'
import type { Logger } from '../support/logger.js'
import type { Binding } from './binding.js'
import {
  CHUNK_BYTES,
  EVENT_AUTH,
  EVENT_CLOSED,
  EVENT_DONE,
  EVENT_MESSAGE,
  EVENT_OPENED,
  EVENT_RECEIVED,
  EVENT_RELEASED,
  EVENT_SESSION,
  EVENT_STALLED,
  EVENT_TOPIC,
  EVENT_TRACE,
  MESSAGE_IDENTIFIER,
  MESSAGE_PAYLOAD_LENGTH,
  MESSAGE_PROPERTIES_LENGTH,
  RECORD_CODE,
  RECORD_CONNECTION,
  RECORD_ERRNO,
  RECORD_HEAD,
  RECORD_LENGTH,
  RECORD_LIMIT,
  RECORD_OFFSET,
  RECORD_SUBJECT,
  RECORD_WORDS,
  SESSION_RECEIVED_HIGH,
  SESSION_RECEIVED_LOW,
  SESSION_SENT_HIGH,
  SESSION_SENT_LOW,
} from './boundary.js'
import { CommandBatch, FULL_BATCH } from './command-batch.js'
import type { Acknowledger } from './held-message.js'
import { HeldMessage } from './held-message.js'
import { loadAddon } from './load-addon.js'
import { MESSAGE_HAS_PROPERTIES, Message, TopicName } from './message.js'
import { Turns, type TurnTask } from './turns.js'

/** After as many records the program has its turn with what they brought. */
const STEP_RECORDS = 1024
/** After as many settled promises what waits for them runs before the next ones, so that its time can be measured. */
const STEP_SETTLED = 8

/**
 * What arrives is copied into slabs of this size, and messages are views of them. Small, because a message
 * that somebody keeps keeps its whole slab; still large enough that a slab costs little for each of its messages. A
 * larger message has a slab of its own.
 */
const SLAB_SIZE = 2 * CHUNK_BYTES
/** A slab with less room than this left is replaced. */
const SLAB_REST = 1024

/** Taking down where a call came from costs microseconds (see rejection.ts); so many take half a percent of a core. */
const CALL_SITES_A_SECOND = 1000

const NO_BYTES = new Uint8Array(0)

/** Where a connection's events go. Bytes are valid only during the call. */
export interface ConnectionEvents {
  /** Whether the connection speaks MQTT 5. */
  readonly hasProperties: boolean
  /** What its messages' `ack()` does; null where the engine acknowledges. */
  readonly acknowledgements: Acknowledger | null
  message(message: Message): void
  opened(sessionPresent: boolean, properties: Buffer): void
  /** PUBREC came for a QoS 2 publish with an identifier of the caller's. */
  received(operation: number): void
  /** A message waits for so many bytes of room. */
  stalled(bytes: number): void
  /** @param properties AUTH's, raw */
  auth(code: number, properties: Buffer): void
  /** PUBREL came for an acknowledged QoS 2 message; only with `holdAcknowledgements`. */
  released(identifier: number): void
  /** Comes before `closed()`, with the bytes that the connection has received and sent. */
  left(state: Uint8Array, received: number, sent: number): void
  done(operation: number, code: number, bytes: Uint8Array): void
  closed(cause: number, code: number, errno: number, bytes: Buffer): void
}

/**
 * The half of the client that there is once for each environment (main thread or worker): it moves what crosses
 * the native boundary, for all clients together, and keeps the event loop alive while promises are pending.
 */
export class Runtime implements TurnTask {
  /** What leaves at the end of this tick. After writing to it call `changed()`. */
  readonly commands = new CommandBatch()
  readonly deadlines = new Deadlines(() => this.takeIn())
  /** The time of a turn of the event loop, of which all that comes has its share. */
  readonly turns = new Turns(() => this.pending > 0)

  private readonly connections = new Map<number, ConnectionEvents>()
  /** By the ids that the native side gives them. */
  private readonly topics: TopicName[] = []
  private readonly traced: Logger[] = []

  private readonly index = new Uint32Array(RECORD_LIMIT * RECORD_WORDS)
  /** The same words; signed ones are small integers to the engine, whatever their value. */
  private readonly words = new Int32Array(this.index.buffer)
  private slab: Buffer = Buffer.allocUnsafeSlow(SLAB_SIZE)
  private slabUsed = 0
  /** Records of the index that have not been delivered, from the first of them to the last. */
  private next = 0
  private count = 0
  /** The usual slab, while another one is read from. */
  private setAside: { slab: Buffer; slabUsed: number } | null = null
  /** Whether delivering goes on when `turns` says so. */
  private goesOn = false
  /** Promises that were settled. */
  private settled = 0

  private tickEnds = false
  private pending = 0
  /** Bytes of the payloads that were staged for the commands at hand. */
  private staged = 0
  private callSitesLeft = 0
  private callSitesUntil = 0

  constructor(readonly binding: Binding) {
    binding.attach(() => this.drain())
  }

  /** Delivers the events of a connection to `events`, until its CLOSED. */
  listen(connection: number, events: ConnectionEvents): void {
    this.connections.set(connection, events)
  }

  /** Has Paho's trace written to a logger, until `untrace()`; each call counts. */
  trace(logger: Logger): void {
    this.traced.push(logger)
    if (this.traced.length === 1) this.binding.trace(true)
  }

  untrace(logger: Logger): void {
    this.traced.splice(this.traced.indexOf(logger), 1)
    if (this.traced.length === 0) this.binding.trace(false)
  }

  /** A promise was given out: the event loop stays alive until `release()`. */
  hold(): void {
    if (this.pending++ > 0) return
    this.binding.hold()
    this.turns.ref()
  }

  /** A promise was settled. */
  release(): void {
    this.settled++
    if (--this.pending === 0) this.binding.release()
  }

  /** Copies the payload of the PUBLISH command that was just added (`PUBLISH_STAGED`). */
  stage(payload: Uint8Array): void {
    this.binding.stage(payload)
    this.staged += byteLength(payload)
  }

  /** Copies a large payload that is to be sent several times, for `stageKept()`. */
  keep(payload: Uint8Array): Buffer {
    return this.binding.keep(payload)
  }

  /** As `stage()`, for what `keep()` gave. */
  stageKept(kept: Uint8Array): void {
    this.binding.stageKept(kept)
    this.staged += kept.length
  }

  /** Commands or deadlines were added. */
  changed(): void {
    if (this.commands.length + this.staged >= FULL_BATCH) this.submit()
    this.noteTick()
  }

  /** Sees to it that the tick's end is noticed. Submits nothing: a command may still be taken back. */
  private noteTick(): void {
    if (this.tickEnds) return
    this.tickEnds = true
    // Not a microtask: a tick callback runs after all microtasks, of which many may have something to send.
    nextTick(endTick, this)
  }

  /**
   * Where a call came from, for the stack of its error; null when there were too many calls to take them all down.
   * @param entry the public method that is running
   */
  callSite(entry: Callable): CallSite | null {
    const now = this.deadlines.time
    if (now >= this.callSitesUntil) {
      this.callSitesUntil = now + 1000
      this.callSitesLeft = CALL_SITES_A_SECOND
    }
    this.noteTick()
    return this.callSitesLeft-- > 0 ? new CallSite(entry) : null
  }

  /** @internal */
  endTick(): void {
    this.tickEnds = false
    this.submit()
  }

  private submit(): void {
    this.deadlines.endTick()
    const { commands } = this
    if (commands.length === 0) return
    this.binding.submit(commands.bytes, commands.length)
    commands.clear()
    this.staged = 0
  }

  /** The native side has something, in a turn of the event loop of its own. */
  private drain(): void {
    if (this.turns.isWaiting) {
      this.goOnLater()
    } else if (!this.goesOn) {
      this.turns.begin()
      this.endTurn()
    }
  }

  /** Takes in the answers that have come, however many there are: their calls' time is over. */
  private takeIn(): void {
    this.turns.begin()
    this.step(Number.POSITIVE_INFINITY)
    this.goOnLater()
  }

  /** @internal */
  endTurn(): void {
    this.goesOn = false
    const goesOn = this.step(this.settled + STEP_SETTLED)
    this.turns.spend()
    if (goesOn) this.goOnLater()
  }

  private goOnLater(): void {
    if (this.goesOn) return
    this.goesOn = true
    this.turns.add(this)
  }

  /**
   * Delivers what there is, for as long as the turn's time lasts.
   * @param mostSettled what `settled` may become
   * @returns whether there may be more
   */
  private step(mostSettled: number): boolean {
    let left = STEP_RECORDS
    while (left > 0 && this.settled < mostSettled && (left === STEP_RECORDS || !this.turns.isOver())) {
      if (this.next === this.count) {
        const count = this.binding.drain(this.slab, this.slabUsed, this.index)
        if (count === 0) return false
        if (count < 0) {
          if (!this.drainLent()) this.replaceSlab(-count)
          continue
        }
        this.next = 0
        this.count = count
        left -= count
      }
      if (!this.route(mostSettled)) return true
      this.endBlock()
    }
    return true
  }

  /** Delivers what is large from where it was read, if it is there; it has a slab of its own then. */
  private drainLent(): boolean {
    const lent = this.binding.lend()
    if (lent === null) return false
    this.setAside = { slab: this.slab, slabUsed: this.slabUsed }
    this.slab = lent
    this.next = 0
    this.count = Math.max(this.binding.drain(lent, 0, this.index), 0)
    if (this.count === 0) this.endBlock()
    return true
  }

  /** All records of the index have been delivered. */
  private endBlock(): void {
    const { setAside } = this
    if (setAside !== null) {
      this.slab = setAside.slab
      this.slabUsed = setAside.slabUsed
      this.setAside = null
    } else if (this.slab.length - this.slabUsed < SLAB_REST) {
      this.replaceSlab(SLAB_SIZE)
    }
  }

  private replaceSlab(room: number): void {
    this.slab = Buffer.allocUnsafeSlow(Math.max(room, SLAB_SIZE))
    this.slabUsed = 0
  }

  /**
   * Delivers the records that were drained. What a user's logger or queue throws must not cost the others their events.
   * @returns whether all of them were
   */
  private route(mostSettled: number): boolean {
    while (this.next < this.count) {
      try {
        while (this.next < this.count) {
          this.deliver(this.next++ * RECORD_WORDS)
          if (this.next < this.count && (this.settled >= mostSettled || this.turns.isOver())) return false
        }
      } catch (error) {
        nextTick(rethrow, error)
      }
    }
    return true
  }

  private deliver(at: number): void {
    const { words } = this
    const head = words[at + RECORD_HEAD] as number
    const kind = head & 0xff
    const connection = words[at + RECORD_CONNECTION] as number
    const offset = words[at + RECORD_OFFSET] as number
    const length = words[at + RECORD_LENGTH] as number
    if (kind === EVENT_MESSAGE) {
      const propertiesLength = words[at + MESSAGE_PROPERTIES_LENGTH] as number
      const payloadLength = words[at + MESSAGE_PAYLOAD_LENGTH] as number
      this.slabUsed = offset + length + propertiesLength + payloadLength
      const events = this.connections.get(connection)
      if (events === undefined) return
      const topic = words[at + RECORD_SUBJECT] as number
      const flags = (head >>> 8) | (events.hasProperties ? MESSAGE_HAS_PROPERTIES : 0)
      const name = topic < 0 ? null : (this.topics[topic] as TopicName)
      const mid = words[at + MESSAGE_IDENTIFIER] as number
      const { slab } = this
      const { acknowledgements } = events
      events.message(
        acknowledgements === null || mid === 0
          ? new Message(name, slab, offset, length, propertiesLength, payloadLength, flags, mid)
          : new HeldMessage(
              acknowledgements,
              name,
              slab,
              offset,
              length,
              propertiesLength,
              payloadLength,
              flags,
              mid,
            ),
      )
      return
    }
    if (length > 0) this.slabUsed = offset + length
    if (kind === EVENT_TOPIC) {
      const id = words[at + RECORD_SUBJECT] as number
      if (id === 0) this.topics.length = 0
      this.topics[id] = new TopicName(this.slab.toString('utf8', offset, offset + length), length)
      return
    }
    if (kind === EVENT_TRACE) {
      const line = `Paho: ${this.slab.toString('utf8', offset, offset + length)}`
      for (const logger of new Set(this.traced)) logger.debug(line)
      return
    }
    const events = this.connections.get(connection)
    if (events === undefined) return
    if (kind === EVENT_DONE) {
      const bytes = length === 0 ? NO_BYTES : this.slab.subarray(offset, offset + length)
      events.done(words[at + RECORD_SUBJECT] as number, words[at + RECORD_CODE] as number, bytes)
    } else if (kind === EVENT_RECEIVED) {
      events.received(words[at + RECORD_SUBJECT] as number)
    } else if (kind === EVENT_STALLED) {
      events.stalled((words[at + RECORD_SUBJECT] as number) >>> 0)
    } else if (kind === EVENT_AUTH) {
      events.auth(words[at + RECORD_CODE] as number, this.slab.subarray(offset, offset + length))
    } else if (kind === EVENT_RELEASED) {
      events.released(words[at + RECORD_SUBJECT] as number)
    } else if (kind === EVENT_OPENED) {
      events.opened(words[at + RECORD_SUBJECT] !== 0, this.slab.subarray(offset, offset + length))
    } else if (kind === EVENT_SESSION) {
      const { index } = this
      const received = wide(
        index[at + SESSION_RECEIVED_LOW] as number,
        index[at + SESSION_RECEIVED_HIGH] as number,
      )
      const sent = wide(index[at + SESSION_SENT_LOW] as number, index[at + SESSION_SENT_HIGH] as number)
      events.left(this.slab.subarray(offset, offset + length), received, sent)
    } else if (kind === EVENT_CLOSED) {
      this.connections.delete(connection)
      if (this.connections.size === 0) this.topics.length = 0
      const bytes = this.slab.subarray(offset, offset + length)
      events.closed(
        words[at + RECORD_SUBJECT] as number,
        words[at + RECORD_CODE] as number,
        words[at + RECORD_ERRNO] as number,
        bytes,
      )
    }
  }
}

/** A number of more than 32 bits. */
function wide(low: number, high: number): number {
  return high * 2 ** 32 + low
}

function endTick(runtime: Runtime): void {
  runtime.endTick()
}

function rethrow(error: unknown): never {
  throw error
}

let shared: Runtime | undefined

/**
 * This environment's runtime; the addon is loaded when it is first needed.
 * @throws {Error} the addon cannot be loaded; the error says why and what to do
 */
export function runtime(): Runtime {
  shared ??= new Runtime(loadAddon())
  return shared
}
