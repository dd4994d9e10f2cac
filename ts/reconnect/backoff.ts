/** The bounds of the delays, in seconds. */
interface BackoffBounds {
  readonly minDelay: number
  readonly maxDelay: number
}

/** The first retry is immediate, up to this share of `minDelay` … */
const IMMEDIATE_SHARE = 0.25
/** … and this many seconds: time enough for a thousand clients that lost their broker together not to be one wave. */
const IMMEDIATE_SPREAD = 0.25

/** Doubling further than this would only leave the numbers' range. */
const MOST_DOUBLINGS = 32

/**
 * The delays between rounds of attempts: exponential, with full jitter (each is a random one between nothing and its
 * bound), because clients that fail together must not try again together. The bound of the first is a quarter of
 * `minDelay`, at most a quarter of a second; that of the second is `minDelay`, and it doubles up to `maxDelay`.
 */
export class Backoff {
  private round = 0

  /** @param random from 0 to below 1, as `Math.random()` */
  constructor(
    private readonly bounds: BackoffBounds,
    private readonly random: () => number = Math.random,
  ) {}

  /** Seconds to wait before the next round. */
  next(): number {
    const bound = this.bound
    this.round++
    return this.random() * bound
  }

  /** The next delay is the first one again. */
  reset(): void {
    this.round = 0
  }

  private get bound(): number {
    const { minDelay, maxDelay } = this.bounds
    if (this.round === 0) return Math.min(minDelay * IMMEDIATE_SHARE, IMMEDIATE_SPREAD)
    return Math.min(maxDelay, minDelay * 2 ** Math.min(this.round - 1, MOST_DOUBLINGS))
  }
}
