import { RECEIVED, RELEASED } from '../calls/operation.js'
import type { Runtime } from '../engine/runtime.js'
import type { Journal } from './journal.js'
import { type KeptPublish, KNOWN } from './kept-publish.js'
import type { SessionConnection } from './session-connection.js'
import type { Suspicion } from './suspicion.js'

/**
 * The publishes of QoS 2 of which only the second half is left, PUBREL and PUBCOMP: their PUBREC has come, or nobody wants
 * them any more and the broker may know their identifier, and would take the next message with it for a repetition.
 *
 * Each connection is given their PUBRELs again, in the order of the PUBRECs (MQTT-4.6.0-4). With a store PUBREL waits
 * until the store knows that only the second half is left: a program that ends in between would find the message there,
 * and send what the broker has passed on already a second time.
 */
export class SecondHalves {
  /** In the order of their PUBRECs. */
  private readonly halves = new Set<KeptPublish>()
  /** Those of them whose PUBREL the connection has not been given, in the same order; some may be over. */
  private unreleased: KeptPublish[] = []
  private connection: SessionConnection | null = null

  /** @param journal null without a store */
  constructor(
    private readonly runtime: Runtime,
    private readonly journal: Journal | null,
    private readonly suspicion: Suspicion,
  ) {}

  get size(): number {
    return this.halves.size
  }

  /** Whether one waits for its PUBCOMP. */
  get isBusy(): boolean {
    return this.halves.size > 0
  }

  all(): Iterable<KeptPublish> {
    return this.halves
  }

  /** The oldest of those that the connection was given and the broker has not answered; null if there is none. */
  get oldest(): KeptPublish | null {
    for (const half of this.halves) if (half.phase === RELEASED) return half
    return null
  }

  /** The store has it from an older program. */
  restore(flow: KeptPublish): void {
    flow.phase = RECEIVED
    flow.isReleasable = true
    this.halves.add(flow)
    if (this.connection !== null) this.unreleased.push(flow)
  }

  /** There is a connection, which is given all PUBRELs. */
  connected(connection: SessionConnection): void {
    this.connection = connection
    this.unreleased = [...this.halves]
    this.pump()
  }

  /** The connection is lost. */
  lose(): void {
    this.connection = null
    this.unreleased = []
    for (const half of this.halves) {
      half.phase = RECEIVED
      half.memory = KNOWN
      half.isAbandoned = false
      half.pause(this.runtime.deadlines)
    }
  }

  /** PUBREC has come. Without a store the engine has answered it with PUBREL. */
  received(flow: KeptPublish): void {
    this.keep(flow)
    if (this.journal === null) flow.phase = RELEASED
    else this.unreleased.push(flow)
  }

  /** Nobody wants it any more, and the broker may know its identifier. */
  complete(flow: KeptPublish): void {
    this.keep(flow)
    if (this.connection === null) return
    this.unreleased.push(flow)
    this.pump()
  }

  /** It is over, or was none of them. */
  delete(flow: KeptPublish): void {
    this.halves.delete(flow)
  }

  /** Sends the PUBRELs that may be sent, in their order. */
  pump(): void {
    const { connection, halves, unreleased, suspicion } = this
    if (connection === null || unreleased.length === 0) return
    let count = 0
    for (const half of unreleased) {
      const isThere = halves.has(half)
      if (isThere && (!half.isReleasable || (suspicion.isCautious && this.oldest !== null))) break
      count++
      if (isThere) this.release(half, connection.number)
    }
    unreleased.splice(0, count)
  }

  private release(half: KeptPublish, connection: number): void {
    this.runtime.commands.release(connection, half.number, half.identifier)
    this.runtime.changed()
    half.phase = RELEASED
  }

  private keep(flow: KeptPublish): void {
    flow.phase = RECEIVED
    flow.isReleasable = this.journal === null
    flow.content = null
    this.halves.add(flow)
    this.journal?.put(flow)
  }
}
