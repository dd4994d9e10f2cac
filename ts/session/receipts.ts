import type { Journal } from './journal.js'
import { receiptKey } from './store-records.js'

const WORD = 4

const NOTHING = new Uint8Array(0)

/**
 * What the store has of incoming messages: the packet identifiers of those of QoS 2 that were acknowledged and not
 * released. The broker sends such a message again if it has not heard of that, and it must not come twice, not even to
 * the next program.
 */
export class Receipts {
  private readonly identifiers = new Set<number>()

  constructor(private readonly journal: Journal) {}

  /** The store had it when the program began. */
  restore(identifier: number): void {
    this.identifiers.add(identifier)
  }

  /** @param then runs when the store has it: PUBREC may leave */
  put(identifier: number, then: () => void): void {
    this.identifiers.add(identifier)
    this.journal.note(receiptKey(identifier), NOTHING, then)
  }

  /** PUBREL came. */
  released(identifier: number): void {
    if (this.identifiers.delete(identifier)) this.journal.note(receiptKey(identifier), null, null)
  }

  /** The broker has no session. */
  clear(): void {
    for (const identifier of [...this.identifiers]) this.released(identifier)
  }

  /** The engine's session state for the first connection of the program; null for none. */
  get state(): Uint8Array | null {
    if (this.identifiers.size === 0) return null
    const state = Buffer.alloc((1 + this.identifiers.size) * WORD)
    let at = WORD
    for (const identifier of this.identifiers) at = state.writeUInt32LE(identifier, at)
    return state
  }
}
