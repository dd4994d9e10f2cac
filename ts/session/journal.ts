import type { Store } from '../store/store.js'
import { clearTimeout, nextTick, setTimeout } from '../support/clock.js'
import type { KeptPublish } from './kept-publish.js'
import { asideKey, describe, keyOf } from './store-records.js'

/** Who acts upon what the store has done. */
export interface JournalOwner {
  /** The store has taken in changes: what waited for it can go on. */
  onStored(): void
  /** The store did not take these in. */
  onRefused(flows: readonly KeptPublish[], error: unknown): void
}

/** A record that is not a publish: what it becomes, and what to do then. */
interface Note {
  readonly value: Uint8Array | null
  readonly then: (() => void) | null
}

/** Bytes of publishes that are written as one batch; what is more comes with the next one. */
const MOST_BYTES_AT_ONCE = 64 * 1024 * 1024

/**
 * Nobody waits for a deletion: it goes with the next publish. If none comes, or with so many of them, deletions are written
 * alone after so many milliseconds.
 */
const DELETION_DELAY = 5
const MOST_DELETIONS_WAITING = 1024

/**
 * Writes what changes in the publishes of QoS 1 and 2 to a store: all that changes in a tick, or while an older batch
 * is being written, as one batch; what is deleted a moment later. A publish that is over before it was ever written is not
 * written.
 */
export class Journal {
  private readonly puts = new Set<KeptPublish>()
  private readonly deletions = new Set<string>()
  /** What else is to be written, by key. */
  private readonly notes = new Map<string, Note>()
  /** Deletions that the store has refused: they go with the next changes. */
  private readonly postponed = new Set<string>()
  private isOpen = false
  private isScheduled = false
  private isWriting = false
  /** Writes deletions that no other change has taken along. */
  private timer: NodeJS.Timeout | null = null
  private sequence = 0
  private readonly waiting: Array<() => void> = []

  constructor(
    private readonly store: Store,
    private readonly owner: JournalOwner,
  ) {}

  /**
   * Begins to write.
   * @param last the number of the last record that the store has
   */
  begin(last: number): void {
    this.sequence = last
    this.isOpen = true
    this.schedule()
  }

  /** The flow is new, or has changed. */
  put(flow: KeptPublish): void {
    this.puts.add(flow)
    this.schedule()
  }

  /** The flow is over. */
  delete(flow: KeptPublish): void {
    this.puts.delete(flow)
    if (flow.storedIdentifier < 0) return
    this.deletions.add(flow.key)
    this.scheduleDeletions()
  }

  /**
   * The flow is over, but its message stays for the operator: it is not sent any more, and nothing but the command
   * `aiomqtt store` or `dropSetAside()` removes it.
   */
  setAside(flow: KeptPublish): void {
    if (flow.content !== null) {
      if (flow.key === '') flow.key = keyOf(++this.sequence)
      this.note(asideKey(flow.key), describe(flow), null)
    }
    this.delete(flow)
  }

  /** Resolves when the store has all changes, or has refused them; null if there are none. */
  stored(): Promise<void> | null {
    if (!this.isOpen || (this.isUnchanged && !this.isScheduled && !this.isWriting)) return null
    this.schedule()
    return new Promise((resolve) => {
      this.waiting.push(resolve)
    })
  }

  /**
   * A record of another kind.
   * @param value null to delete it
   * @param then runs when the store has it; not if the store refuses it
   */
  note(key: string, value: Uint8Array | null, then: (() => void) | null): void {
    this.notes.set(key, { value, then })
    this.schedule()
  }

  /** Takes publishes, the first ones first, as many as a batch may have. */
  private takeSome(): KeptPublish[] {
    const flows: KeptPublish[] = []
    let bytes = 0
    for (const flow of this.puts) {
      if (bytes >= MOST_BYTES_AT_ONCE) break
      flows.push(flow)
      bytes += flow.size
      this.puts.delete(flow)
    }
    return flows
  }

  private get isUnchanged(): boolean {
    return this.puts.size === 0 && this.deletions.size === 0 && this.notes.size === 0
  }

  private scheduleDeletions(): void {
    if (this.deletions.size >= MOST_DELETIONS_WAITING) {
      this.schedule()
    } else if (this.timer === null && !this.isScheduled && this.isOpen) {
      this.timer = setTimeout(() => {
        this.timer = null
        this.schedule()
      }, DELETION_DELAY).unref()
    }
  }

  private schedule(): void {
    if (this.isScheduled || this.isWriting || !this.isOpen) return
    this.isScheduled = true
    nextTick(() => {
      this.isScheduled = false
      this.write()
    })
  }

  private write(): void {
    if (this.isUnchanged) {
      for (const resolve of this.waiting.splice(0)) resolve()
      return
    }
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    const flows = this.takeSome()
    const states = flows.map((flow) => ({
      flow,
      identifier: flow.identifier,
      isReleased: flow.content === null,
    }))
    const notes = [...this.notes]
    const changes = new Map<string, Uint8Array | null>()
    for (const key of [...this.postponed, ...this.deletions]) changes.set(key, null)
    for (const [key, { value }] of notes) changes.set(key, value)
    for (const flow of flows) {
      if (flow.key === '') flow.key = keyOf(++this.sequence)
      changes.set(flow.key, describe(flow))
      // From now on it may be there, and has to be deleted.
      flow.storedIdentifier = Math.max(flow.storedIdentifier, 0)
    }
    this.deletions.clear()
    this.notes.clear()
    this.postponed.clear()
    const done = () => {
      for (const [, { then }] of notes) then?.()
      for (const { flow, identifier, isReleased } of states) {
        flow.storedIdentifier = identifier
        flow.isReleasable = isReleased
      }
      this.owner.onStored()
    }
    const refused = (error: unknown) => {
      for (const [key, value] of changes) if (value === null) this.postponed.add(key)
      this.owner.onRefused(flows, error)
    }
    this.isWriting = true
    const finish = () => {
      this.isWriting = false
      const isUrgent = this.puts.size > 0 || this.notes.size > 0 || this.waiting.length > 0
      if (isUrgent || this.isUnchanged) this.write()
      else this.scheduleDeletions()
    }
    let pending: Promise<void> | void
    try {
      pending = this.store.batch([...changes])
    } catch (error) {
      pending = Promise.reject(error)
    }
    if (pending !== undefined) {
      void pending.then(done, refused).finally(finish)
    } else {
      done()
      finish()
    }
  }
}
