// What sends pre-encoded PUBLISH packets as fast as the other side takes them.

/** Bytes that are handed to a socket at once. */
const SLICE = 256 * 1024

/** What the sockets of both sides may keep, so that one slice is ready when another one has left. */
export const HIGH_WATER_MARK = 4 * SLICE

/** Messages of a shared flood that may be partway, over all connections. */
const SHARED_WINDOW = 256 * 1024

/** Messages that one connection gets in its turn of a shared flood. */
const SHARED_LOT = 160

/** QoS 0: writes until the socket says stop, and goes on when it has drained. */
export class FloodPump {
  #socket
  #ring
  #bytesLeft
  #position = 0
  #bytesSent = 0

  /**
   * @param {import('node:net').Socket} socket
   * @param {{ bytes: Buffer, size: number, packets: number }} ring
   * @param {{ count: number }} options count: packets to send, or Infinity
   */
  constructor(socket, ring, { count }) {
    this.#socket = socket
    this.#ring = ring
    this.#bytesLeft = count * ring.size
    socket.on('drain', () => this.run())
  }

  /** Packets handed to the socket. */
  get sent() {
    return Math.floor(this.#bytesSent / this.#ring.size)
  }

  run() {
    while (this.#bytesLeft > 0 && this.#socket.writable) {
      if (!this.#write(SLICE)) return
    }
  }

  #write(most) {
    const { bytes } = this.#ring
    const length = Math.min(most, bytes.length - this.#position, this.#bytesLeft)
    const slice = bytes.subarray(this.#position, this.#position + length)
    this.#position = (this.#position + length) % bytes.length
    this.#bytesLeft -= length
    this.#bytesSent += length
    return this.#socket.write(slice)
  }
}

/**
 * QoS 0 for many connections: each gets a lot in its turn, and only so much is partway in all. Without that bound
 * the flood would fill the kernel's memory for sockets, and its troubles would be what is measured.
 */
export class SharedFlood {
  #pumps = []
  #ring
  #left
  #next = 0
  #sent = 0
  #consumed = 0

  /** @param {number} count packets for each connection, or Infinity */
  constructor(ring, count) {
    this.#ring = ring
    this.#left = count
  }

  /** @returns {{ sent: number, run(): void }} one connection's share */
  add(socket) {
    const pump = { socket, sent: 0, run() {} }
    this.#pumps.push(pump)
    return pump
  }

  /** @param {number} consumed messages that the consumers have had so far */
  run(consumed) {
    this.#consumed = consumed
    const { bytes, size, packets } = this.#ring
    while (this.#sent - this.#consumed + SHARED_LOT <= SHARED_WINDOW && this.#left > 0) {
      const pump = this.#pumps[this.#next]
      const first = pump.sent % packets
      const count = Math.min(SHARED_LOT, packets - first, this.#left)
      if (pump.socket.writable) pump.socket.write(bytes.subarray(first * size, (first + count) * size))
      pump.sent += count
      this.#sent += count
      this.#next += 1
      if (this.#next < this.#pumps.length) continue
      this.#next = 0
      this.#left -= count
    }
  }
}

/** QoS 1 and 2: keeps a window of packets under way. */
export class WindowPump {
  /**
   * @param {import('node:net').Socket} socket
   * @param {{ bytes: Buffer, size: number, packets: number }} ring of more packets than `window`
   * @param {{ count: number, window: number }} options count: packets to send, or Infinity
   */
  constructor(socket, ring, { count, window }) {
    this.socket = socket
    this.ring = ring
    this.count = count
    this.window = window
    /** Acknowledgements are answered in lots, as a busy broker does, for fewer and larger writes. */
    this.lot = Math.max(1, window >> 2)
    this.sent = 0
  }

  /**
   * Sends what the window has room for.
   *
   * @param {number} acknowledged packets that the other side has acknowledged so far
   */
  run(acknowledged) {
    const { ring, socket } = this
    let room = Math.min(this.window - (this.sent - acknowledged), this.count - this.sent)
    if (room < Math.min(this.lot, this.count - this.sent)) return
    while (room > 0 && socket.writable) {
      const first = this.sent % ring.packets
      const packets = Math.min(room, ring.packets - first)
      socket.write(ring.bytes.subarray(first * ring.size, (first + packets) * ring.size))
      this.sent += packets
      room -= packets
    }
  }
}
