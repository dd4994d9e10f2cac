/**
 * Bytes of repeated publishes that may be unacknowledged at once. They come before all new ones of QoS 1 and 2, but
 * what has no QoS, and subscriptions, must not wait behind all of them in the connection's buffers.
 */
const MOST_REPEATED = 256 * 1024

/**
 * How many publishes of QoS 1 and 2 a connection may have at once: as many as our own window (`maxInflightMessages`) and
 * the broker's Receive Maximum have places.
 */
export class Window {
  private own = 0
  private receiveMaximum = 0
  /** Those that the connection has. */
  private inflight = 0
  /** Those of them that take no place in our own window any more. */
  private abandoned = 0
  /** Those that have their place, and that the connection has not been given yet. */
  private prepared = 0
  /** Bytes of repeated publishes that the connection has. */
  private repeating = 0

  /**
   * There is a connection.
   * @param inflight what it has from the last one
   */
  open(own: number, receiveMaximum: number, inflight: number): void {
    this.own = Math.min(own, receiveMaximum)
    this.receiveMaximum = receiveMaximum
    this.inflight = inflight
    this.abandoned = this.prepared = this.repeating = 0
  }

  /** Places that our own window has. */
  get size(): number {
    return this.own
  }

  get isEmpty(): boolean {
    return this.inflight + this.prepared === 0
  }

  get hasRoom(): boolean {
    const places = this.inflight + this.prepared
    return places < this.receiveMaximum && places - this.abandoned < this.own
  }

  /** One gets its place. */
  prepare(): void {
    this.prepared++
  }

  /** One that has its place is not sent after all. */
  withdraw(): void {
    this.prepared--
  }

  /** The connection is given one that has its place. */
  send(): void {
    this.prepared--
    this.inflight++
  }

  /** The connection is given one, whether there is room or not. */
  add(): void {
    this.inflight++
  }

  /** Nobody waits for it any longer: its place in our own window is free, that in the broker's is not (MQTT 5, 4.9). */
  abandon(): void {
    this.abandoned++
  }

  /** It is over. */
  end(wasAbandoned: boolean): void {
    this.inflight--
    if (wasAbandoned) this.abandoned--
  }

  get mayRepeat(): boolean {
    return this.repeating < MOST_REPEATED
  }

  /** The connection is given a repetition of so many bytes. */
  repeat(size: number): void {
    this.repeating += size
  }

  /** It counts no longer. */
  endRepetition(size: number): void {
    this.repeating -= size
  }
}
