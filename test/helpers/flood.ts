import { once } from 'node:events'
import { generate } from 'mqtt-packet'
import type { Session } from './peer.js'

/** A flood of QoS 0 messages from a scripted peer: numbered payloads of one size on one topic, MQTT 3.1.1. */
export class Flood {
  readonly #session: Session
  readonly #size: number
  /** Messages given to the socket. */
  sent = 0

  constructor(session: Session, size: number) {
    this.#session = session
    this.#size = size
  }

  /** Sends `count` messages, as fast as the client takes them; ends early when the connection does. */
  async send(count: number): Promise<void> {
    const { socket } = this.#session
    const closed = new Promise((resolve) => socket.once('close', resolve))
    for (const end = this.sent + count; this.sent < end; ) {
      const packets: Buffer[] = []
      for (let i = 0; i < 100 && this.sent < end; i++) packets.push(this.#packet(this.sent++))
      if (!socket.write(Buffer.concat(packets))) await Promise.race([once(socket, 'drain'), closed])
      if (socket.destroyed) return
    }
  }

  /**
   * Resolves when the client has taken no byte for `milliseconds`, though there are bytes for it: its window is closed.
   * Nothing announces that, so it is a matter of time.
   */
  async stalled(milliseconds: number): Promise<void> {
    const { socket } = this.#session
    let since = performance.now()
    for (let taken = -1; performance.now() - since < milliseconds; ) {
      const now = socket.bytesWritten - socket.writableLength
      if (now !== taken || socket.writableLength === 0) since = performance.now()
      taken = now
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  #packet(number: number): Buffer {
    const payload = Buffer.alloc(this.#size)
    payload.writeUInt32BE(number)
    return generate({ cmd: 'publish', topic: 'flood', payload, qos: 0, dup: false, retain: false })
  }
}

/** The number of a message of a flood. */
export function numberOf(message: { payload: Buffer }): number {
  return message.payload.readUInt32BE()
}
