import type { Runtime } from '../engine/runtime.js'
import type { Store } from '../store/store.js'
import { Timed } from '../support/deadlines.js'
import type { KeptPublish } from './kept-publish.js'
import type { PacketIdentifiers } from './packet-identifiers.js'
import { type FlowRecord, readOn, type StoredSession } from './store-records.js'

/** Messages and bytes in memory, beside a full window, with which more is read. */
const FEW_MESSAGES = 512
const FEW_BYTES = 2 * 1024 * 1024
/** Seconds until a store that failed is read again; twice as many after each failure. */
const FIRST_DELAY = 1
const LONGEST_DELAY = 60

/** Who takes in what is read. */
export interface BacklogOwner {
  /** The next publishes, in their order; or none, if it is time to ask again. */
  onRead(flows: readonly FlowRecord[]): void
  /** The store cannot be read; it is asked again later. */
  onUnreadable(error: unknown): void
}

/**
 * The publishes of an older program that a store has and this one has not read yet. They are read in portions while
 * those before them are sent, so that memory goes by what is in flight.
 *
 * What was given a packet identifier comes before what was not. The identifiers of publishes that are not read yet are
 * known all the same, so that nothing else is given one of them.
 */
export class Backlog extends Timed {
  /** The key behind which the next portion begins; null if there is nothing to read. */
  private position: string | null = null
  private lastKey = ''
  private readonly identifiersAhead = new Set<number>()
  private isReading = false
  /** The store failed a moment ago. */
  private isResting = false
  private delay = FIRST_DELAY
  /** The publishes that were read and are not over, and their bytes. */
  private held = 0
  private heldBytes = 0

  constructor(
    private readonly runtime: Runtime,
    private readonly store: Store,
    private readonly identifiers: PacketIdentifiers,
    private readonly owner: BacklogOwner,
    private readonly warn: (text: string) => void,
  ) {
    super()
  }

  /** Whether there is nothing left to read. */
  get isOver(): boolean {
    return this.position === null
  }

  /** The first portion has been read, and taken in. */
  begin({ position, lastKey, identifiersAhead }: StoredSession): void {
    this.position = position
    this.lastKey = lastKey
    for (const identifier of identifiersAhead) {
      if (this.identifiers.isUsed(identifier)) continue
      this.identifiers.reserve(identifier)
      this.identifiersAhead.add(identifier)
    }
  }

  /** Takes the packet identifier of a publish that was read. @returns whether it is the only one that has it */
  claim(identifier: number): boolean {
    if (identifier === 0) return false
    if (this.identifiersAhead.delete(identifier)) return true
    if (this.identifiers.isUsed(identifier)) return false
    this.identifiers.reserve(identifier)
    return true
  }

  /** It is in memory. */
  hold(flow: KeptPublish): void {
    flow.backlogBytes = Math.max(1, flow.size)
    this.held++
    this.heldBytes += flow.backlogBytes
  }

  /** It is over, and may be one that was read. */
  release(flow: KeptPublish): void {
    if (flow.backlogBytes === 0) return
    this.held--
    this.heldBytes -= flow.backlogBytes
    flow.backlogBytes = 0
  }

  /** Reads on, if not much is left in memory. @param window how many publishes may be in flight */
  refill(window: number): void {
    const { position } = this
    if (position === null || this.isReading || this.isResting) return
    if (this.held > window + FEW_MESSAGES || this.heldBytes > FEW_BYTES) return
    this.isReading = true
    void readOn(this.store, this.warn, position, this.lastKey).then(
      ({ flows, position: next }) => {
        this.isReading = false
        this.delay = FIRST_DELAY
        this.position = next
        this.owner.onRead(flows)
        if (next === null) this.freeAhead()
      },
      (error: unknown) => {
        this.isReading = false
        this.isResting = true
        this.runtime.deadlines.add(this, this.delay)
        this.delay = Math.min(2 * this.delay, LONGEST_DELAY)
        this.owner.onUnreadable(error)
      },
    )
  }

  override expire(): void {
    this.isResting = false
    this.owner.onRead([])
  }

  /** Of records that have been lost since they were first read. */
  private freeAhead(): void {
    for (const identifier of this.identifiersAhead) this.identifiers.free(identifier)
    this.identifiersAhead.clear()
  }
}
