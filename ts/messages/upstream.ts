import type { MqttError } from '../mqtt/errors.js'

/** Where the messages of all of a client's queues come from: one connection after the other. */
export class MessageSource {
  /** Whether the last connection is over. */
  hasEnded = false
  /** Why, if it was not a clean end. */
  cause: MqttError | null = null

  /** Queues that are full and make the broker wait (`overflow: 'backpressure'`). */
  private full = 0
  private pause: (paused: boolean) => void = ignore

  /**
   * A connection is there.
   * @param pause stops it reading what the broker sends, or lets it go on
   */
  open(pause: (paused: boolean) => void): void {
    this.hasEnded = false
    this.cause = null
    this.pause = pause
    if (this.full > 0) pause(true)
  }

  /** The connection is gone. */
  close(cause: MqttError | null): void {
    this.hasEnded = true
    this.cause = cause
    this.pause = ignore
  }

  /** @param isFull whether one more queue is full, or one less: any of them has the connection stop reading */
  change(isFull: boolean): void {
    const before = this.full
    this.full += isFull ? 1 : -1
    if (before === 0 || this.full === 0) this.pause(isFull)
  }
}

function ignore(): void {}
