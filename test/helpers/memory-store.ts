import type { Store, StoreChange, StoreRecord } from 'aiomqtt'

/** A store that outlives its clients, but not the test; each batch takes a turn of the event loop. */
export class MemoryStore implements Store {
  readonly records = new Map<string, Uint8Array>()
  /** What the next batches throw. */
  failure: Error | undefined
  /** While set, batches wait for it. */
  gate: Promise<void> | undefined
  batches = 0

  load(): Iterable<StoreRecord> {
    return [...this.records].sort(([one], [other]) => (one < other ? -1 : 1))
  }

  async batch(changes: readonly StoreChange[]): Promise<void> {
    this.batches++
    await this.gate
    await new Promise((resolve) => setImmediate(resolve))
    if (this.failure !== undefined) throw this.failure
    for (const [key, value] of changes) {
      if (value === null) this.records.delete(key)
      else this.records.set(key, Uint8Array.from(value))
    }
  }
}
