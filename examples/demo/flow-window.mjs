/** Messages on their way at most: as many packets as Mosquitto, unless configured otherwise, queues for a subscriber. */
export const windowSize = 1000

/**
 * Bounds how many messages are on their way from the devices to the ingest service.
 *
 * QoS 0 has no acknowledgement, and a broker drops its messages when a subscriber does not keep up. So the ingest
 * service reports what has arrived, and the fleet waits for it. It also keeps the latency a property of the way, not
 * of the length of a queue somewhere.
 */
export class FlowWindow {
  #reserved = 0
  #arrived = 0
  #closed = false
  #waiting = []

  /** Waits until `count` more messages have room. False: the window was closed, publish no more. */
  async reserve(count) {
    while (!this.#closed && this.#reserved + count - this.#arrived > windowSize) {
      await new Promise((resolve) => this.#waiting.push(resolve))
    }
    if (this.#closed) return false
    this.#reserved += count
    return true
  }

  /** @param {number} total messages that are no longer on their way, since the start */
  arrived(total) {
    this.#arrived = total
    this.#wake()
  }

  close() {
    this.#closed = true
    this.#wake()
  }

  #wake() {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
