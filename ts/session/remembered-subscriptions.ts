import type { FiltersCall } from '../calls/subscribe-arguments.js'
import type { Filter } from '../engine/command-batch.js'

const FAILURE = 0x80

interface Remembered {
  readonly filter: Filter
  readonly call: FiltersCall
  /** Connections that have ended while it was being renewed (suspicion.ts). */
  losses: number
}

/** A call that makes some of them again. */
export interface Renewal {
  readonly call: FiltersCall
  readonly losses: number
}

/**
 * What the broker has granted and not been asked to forget, for a broker that has lost the session. Filters stay with
 * those of their call: they share its properties, and a broker may bound the filters of one packet.
 */
export class RememberedSubscriptions {
  /** In the order in which they were made. */
  private readonly calls = new Map<string, Remembered>()

  /** @param codes SUBACK's, one for each filter */
  granted(call: FiltersCall, codes: Uint8Array): void {
    for (const [index, filter] of call.filters.entries()) {
      if ((codes[index] as number) >= FAILURE) continue
      this.calls.delete(filter.filter)
      this.calls.set(filter.filter, { filter, call, losses: 0 })
    }
  }

  /** @param codes UNSUBACK's, one for each filter; none where it has none (MQTT 3.x) or never came */
  ended(call: FiltersCall, codes: Uint8Array | null): void {
    for (const [index, { filter }] of call.filters.entries()) {
      if (((codes ?? [])[index] ?? 0) < FAILURE) this.calls.delete(filter)
    }
  }

  /** A connection has ended while these were being renewed. */
  blame({ filters }: FiltersCall, losses: number): void {
    for (const { filter } of filters) {
      const remembered = this.calls.get(filter)
      if (remembered !== undefined) remembered.losses = losses
    }
  }

  clear(): void {
    this.calls.clear()
  }

  /** Calls that make all of them again. @param isAlone each filter has a call of its own */
  renewals(isAlone: boolean): Renewal[] {
    const together = new Map<FiltersCall, Remembered[]>()
    for (const remembered of this.calls.values()) {
      const known = isAlone ? undefined : together.get(remembered.call)
      if (known !== undefined) known.push(remembered)
      else together.set(isAlone ? { ...remembered.call } : remembered.call, [remembered])
    }
    return Array.from(together, ([call, own]) => ({
      call: { ...call, filters: own.map(({ filter }) => filter) },
      losses: Math.max(...own.map(({ losses }) => losses)),
    }))
  }
}
