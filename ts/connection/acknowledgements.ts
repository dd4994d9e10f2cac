import type { Acknowledger } from '../engine/held-message.js'
import type { Runtime } from '../engine/runtime.js'
import type { Receipts } from '../session/receipts.js'

const WAITING = 0
const GIVEN = 1
/** Nobody can give it: the message was dropped. */
const FORFEITED = 2
/** The connection was told to send it. */
const SENT = 3

const WORD = 4

/** A message that waits for its `ack()`, in the order in which it came. */
class Acknowledgement {
  state: typeof WAITING | typeof GIVEN | typeof FORFEITED | typeof SENT = WAITING
  next: Acknowledgement | null = null
  /** Queues that hold the message, or that gave it out. */
  holders = 1

  constructor(readonly identifier: number) {}
}

/** The messages of one QoS, oldest first. */
class Line {
  private first: Acknowledgement | null = null
  private last: Acknowledgement | null = null

  put(acknowledgement: Acknowledgement): void {
    if (this.last === null) this.first = acknowledgement
    else this.last.next = acknowledgement
    this.last = acknowledgement
  }

  /** Takes the oldest out unless it still waits. */
  take(): Acknowledgement | null {
    const { first } = this
    if (first === null || first.state === WAITING) return null
    this.first = first.next
    if (this.first === null) this.last = null
    // A message that somebody keeps must not keep all that came after it.
    first.next = null
    return first
  }
}

/**
 * What a connection acknowledges when the messages' `ack()` says so (`manualAcks`), or when a store has them: PUBACK and
 * PUBREC leave in the order of the messages of their QoS [MQTT-4.6.0-2] [MQTT-4.6.0-3], whatever the order of the calls.
 */
export class Acknowledgements implements Acknowledger<Acknowledgement> {
  private readonly qos1 = new Line()
  private readonly qos2 = new Line()
  /** The packet identifiers of QoS 2 messages that were acknowledged, until their PUBREL. */
  private readonly unreleased = new Set<number>()
  private isOver = false

  /**
   * @param connection what `Binding.open()` gave
   * @param receipts where messages of QoS 2 are written down before PUBREC leaves
   */
  constructor(
    private readonly runtime: Runtime,
    private readonly connection: number,
    private readonly receipts: Receipts | null,
  ) {}

  /** A message has come that must be acknowledged. */
  expect(qos: number, identifier: number): Acknowledgement {
    const acknowledgement = new Acknowledgement(identifier)
    this.line(qos).put(acknowledgement)
    return acknowledgement
  }

  /** Sends it as soon as all before it have been given. A second time does nothing, nor does it without a connection. */
  give(qos: number, acknowledgement: Acknowledgement): void {
    if (acknowledgement.state !== WAITING || this.isOver) return
    acknowledgement.state = GIVEN
    this.send(qos)
  }

  share(acknowledgement: Acknowledgement, recipients: number): void {
    acknowledgement.holders += recipients - 1
  }

  /** The message was dropped: those after it do not wait for it. */
  forfeit(qos: number, acknowledgement: Acknowledgement): void {
    if (--acknowledgement.holders > 0 || acknowledgement.state !== WAITING) return
    acknowledgement.state = FORFEITED
    this.send(qos)
  }

  /** Whether the broker has not been told of it, though the message may have been acknowledged behind another one. */
  isOutstanding({ state }: Acknowledgement): boolean {
    return state === WAITING || state === GIVEN
  }

  /** PUBREL came. */
  released(identifier: number): void {
    this.unreleased.delete(identifier)
    this.receipts?.released(identifier)
  }

  /**
   * The connection is over.
   * @param state the engine's SESSION
   * @returns the same, with what was acknowledged when the connection was gone already: the broker sends it again, and it
   *   must not come twice
   */
  session(state: Uint8Array): Uint8Array {
    const known = Buffer.from(state)
    for (let at = WORD; at < known.length; at += WORD) this.unreleased.delete(known.readUInt16LE(at))
    const late = Buffer.alloc(this.unreleased.size * WORD)
    let at = 0
    for (const identifier of this.unreleased) at = late.writeUInt32LE(identifier, at)
    return Buffer.concat([known, late])
  }

  /** Whatever is acknowledged from now on is the business of the next connection, which gets it again. */
  end(): void {
    this.isOver = true
  }

  private line(qos: number): Line {
    return qos === 1 ? this.qos1 : this.qos2
  }

  private send(qos: number): void {
    const line = this.line(qos)
    for (let next = line.take(); next !== null; next = line.take()) {
      if (next.state === FORFEITED || this.isOver) continue
      next.state = SENT
      const { identifier } = next
      if (qos === 2) this.unreleased.add(identifier)
      if (qos === 2 && this.receipts !== null) this.receipts.put(identifier, () => this.submit(2, identifier))
      else this.submit(qos, identifier)
    }
  }

  private submit(qos: number, identifier: number): void {
    if (this.isOver) return
    this.runtime.commands.acknowledge(this.connection, qos, identifier)
    this.runtime.changed()
  }
}
