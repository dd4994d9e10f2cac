import type { FiltersCall } from '../calls/subscribe-arguments.js'
import type { Filter } from '../engine/command-batch.js'

const FAILURE = 0x80

/**
 * What the broker has granted and not been asked to forget, for a broker that has lost the session. Filters stay with
 * those of their call: they share its properties, and a broker may bound the filters of one packet.
 */
export class RememberedSubscriptions {
  /** In the order in which they were made. */
  private readonly calls = new Map<string, { filter: Filter; call: FiltersCall }>()

  /** @param codes SUBACK's, one for each filter */
  granted(call: FiltersCall, codes: Uint8Array): void {
    for (const [index, filter] of call.filters.entries()) {
      if ((codes[index] as number) >= FAILURE) continue
      this.calls.delete(filter.filter)
      this.calls.set(filter.filter, { filter, call })
    }
  }

  /** @param codes UNSUBACK's, one for each filter; none where it has none (MQTT 3.x) or never came */
  ended(call: FiltersCall, codes: Uint8Array | null): void {
    for (const [index, { filter }] of call.filters.entries()) {
      if (((codes ?? [])[index] ?? 0) < FAILURE) this.calls.delete(filter)
    }
  }

  clear(): void {
    this.calls.clear()
  }

  /** Calls that make all of them again. */
  all(): FiltersCall[] {
    const filters = new Map<FiltersCall, Filter[]>()
    for (const { filter, call } of this.calls.values()) {
      const known = filters.get(call)
      if (known !== undefined) known.push(filter)
      else filters.set(call, [filter])
    }
    return Array.from(filters, ([call, own]) => ({ ...call, filters: own }))
  }
}
