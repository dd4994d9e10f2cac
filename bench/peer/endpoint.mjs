// One end of a connection that answers PUBLISH and its acknowledgements in bulk: no object is made for a packet, and
// all answers to what one read brought leave in one write. The peer is one, and so is the raw client that measures how
// fast the peer itself is.

import * as packets from './packets.mjs'

const NOTHING = Buffer.alloc(0)

/** The size that the buffer of answers starts with. */
const ANSWERS = 64 * 1024

export class Endpoint {
  /** MQTT's protocol level; known after CONNECT. */
  protocol = 0
  /** PUBLISH packets that came. */
  received = 0
  /** PUBLISH packets whose first payload byte was not the next one of the cycle. */
  disordered = 0
  /** PUBLISH packets of this side's that the other one has acknowledged to the end. */
  acknowledged = 0
  /** What sends, if anything does. */
  pump = null

  #expected = 0
  /** The start of a packet whose rest has not come. */
  #carry = NOTHING
  /** Bytes of a payload that are still to come and of no interest. */
  #skip = 0
  #answers = Buffer.allocUnsafe(ANSWERS)
  #answersLength = 0

  /**
   * @param {import('node:net').Socket} socket
   * @param {{
   *   cycle: number,
   *   echo: boolean,
   *   onControl(endpoint: Endpoint, type: number, bytes: Buffer, body: number, end: number): void
   * }} options cycle: of the first payload byte; echo: sends every PUBLISH back; onControl: gets all packets that
   *   have nothing to do with PUBLISH
   */
  constructor(socket, { cycle, echo, onControl }) {
    this.socket = socket
    this.cycle = cycle
    this.echo = echo
    this.onControl = onControl
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#take(chunk))
    // A client that ends its process resets its connections: that is no failure here.
    socket.on('error', () => {})
  }

  #take(chunk) {
    const bytes = this.#carry.length > 0 ? Buffer.concat([this.#carry, chunk]) : chunk
    const end = bytes.length
    let at = Math.min(this.#skip, end)
    this.#skip -= at
    while (at < end) {
      const next = this.#packet(bytes, at, end)
      if (next < 0) break
      at = next
    }
    // A copy: the chunk is 64 KiB, and what is left is a few bytes.
    this.#carry = at < end ? Buffer.from(bytes.subarray(at, end)) : NOTHING
    this.#answer()
    this.pump?.run(this.acknowledged)
  }

  /** Deals with the packet at `at`; returns where the next one starts, or -1 when more bytes are needed. */
  #packet(bytes, at, end) {
    const head = bytes[at]
    let body = at + 1
    let length = 0
    for (let shift = 0; ; shift += 7) {
      if (body >= end) return -1
      const byte = bytes[body++]
      length |= (byte & 127) << shift
      if (byte < 128) break
    }
    const next = body + length
    const type = head >> 4
    if (type === packets.PUBLISH) return this.#publish(bytes, at, body, next, end)
    if (next > end) return -1
    if (type === packets.PUBACK || type === packets.PUBCOMP) {
      this.acknowledged++
    } else if (type === packets.PUBREC) {
      this.#acknowledge(packets.PUBREL_HEAD, bytes[body], bytes[body + 1])
    } else if (type === packets.PUBREL) {
      this.#acknowledge(packets.PUBCOMP_HEAD, bytes[body], bytes[body + 1])
    } else {
      this.onControl(this, type, bytes, body, next)
    }
    return next
  }

  #publish(bytes, at, body, next, end) {
    const qos = (bytes[at] >> 1) & 3
    if (body + 2 > end) return -1
    const identifier = body + 2 + ((bytes[body] << 8) | bytes[body + 1])
    let payload = identifier + (qos > 0 ? 2 : 0)
    if (this.protocol === 5) {
      if (payload >= end) return -1
      payload += 1 + bytes[payload]
    }
    if (payload > end || (payload === end && payload < next)) return -1
    if (this.echo && next > end) return -1

    if (bytes[payload] !== this.#expected) {
      this.disordered++
      this.#expected = bytes[payload]
    }
    this.#expected = this.#expected + 1 === this.cycle ? 0 : this.#expected + 1
    this.received++

    if (qos > 0) {
      const answer = qos === 1 ? packets.PUBACK_HEAD : packets.PUBREC_HEAD
      this.#acknowledge(answer, bytes[identifier], bytes[identifier + 1])
    }
    if (this.echo) this.#append(bytes, at, next)
    if (next <= end) return next
    this.#skip = next - end
    return end
  }

  #acknowledge(head, high, low) {
    this.#reserve(4)
    const answers = this.#answers
    const at = this.#answersLength
    answers[at] = head
    answers[at + 1] = 2
    answers[at + 2] = high
    answers[at + 3] = low
    this.#answersLength = at + 4
  }

  #append(bytes, start, end) {
    this.#reserve(end - start)
    bytes.copy(this.#answers, this.#answersLength, start, end)
    this.#answersLength += end - start
  }

  #reserve(size) {
    if (this.#answersLength + size <= this.#answers.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#answers.length * 2, this.#answersLength + size))
    this.#answers.copy(larger, 0, 0, this.#answersLength)
    this.#answers = larger
  }

  /** Sends the answers; the socket keeps the buffer, so a new one takes its place. */
  #answer() {
    const length = this.#answersLength
    if (length === 0) return
    this.#answersLength = 0
    if (!this.socket.writable) return
    if (length > ANSWERS / 8) {
      this.socket.write(this.#answers.subarray(0, length))
      this.#answers = Buffer.allocUnsafe(ANSWERS)
    } else {
      this.socket.write(Buffer.from(this.#answers.subarray(0, length)))
    }
  }
}
