import { createHistogram } from 'node:perf_hooks'

/** Latencies beyond an hour are counted as one. */
const LONGEST = 3_600_000_000

/** The percentiles that are reported. */
export const PERCENTILES = [50, 90, 99, 99.9] as const

/** One bar of the picture. */
interface Bar {
  /** Milliseconds: latencies from here up to `to`. */
  readonly from: number
  readonly to: number
  readonly count: number
}

/** Latencies, counted: an HDR histogram for the percentiles, and one bar for each doubling for the picture. */
export class Latencies {
  readonly #histogram = createHistogram({ lowest: 1, highest: LONGEST, figures: 3 })
  readonly #bars = new Uint32Array(33)

  /** @param milliseconds a latency; one below a microsecond counts as one */
  record(milliseconds: number): void {
    const microseconds = Math.min(Math.max(Math.round(milliseconds * 1000), 1), LONGEST)
    this.#histogram.record(microseconds)
    const bar = 31 - Math.clz32(microseconds)
    this.#bars[bar] = (this.#bars[bar] ?? 0) + 1
  }

  /** Milliseconds. */
  percentile(percent: number): number {
    return this.#histogram.percentile(percent) / 1000
  }

  /** Milliseconds. */
  get max(): number {
    return this.#histogram.count === 0 ? 0 : this.#histogram.max / 1000
  }

  /** The bars from the first to the last that is not empty. */
  get bars(): Bar[] {
    const bars = Array.from(this.#bars, (count, index) => ({
      from: 2 ** index / 1000,
      to: 2 ** (index + 1) / 1000,
      count,
    }))
    const isFull = ({ count }: Bar) => count > 0
    return bars.slice(bars.findIndex(isFull), bars.findLastIndex(isFull) + 1)
  }
}
