// WebSocket's frames (RFC 6455): as little as the peer needs for its side of a connection.

import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'

/** RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const LAST = 0x80
const BINARY = 2
const CLOSE = 8
const MASKED = 0x80

const NOTHING = Buffer.alloc(0)

/** A server's frame around a packet. */
export function encodeFrame(payload, opcode = BINARY) {
  const { length } = payload
  const size =
    length < 126 ? [length] : length < 0x1_0000 ? [126, length >> 8, length & 255] : [127, ...uint64(length)]
  return Buffer.concat([Buffer.of(LAST | opcode, ...size), payload])
}

/** The answer to a handshake. */
export function encodeHandshake({ headers }) {
  const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${GUID}`).digest('base64')
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    'Sec-WebSocket-Protocol: mqtt',
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A socket after the handshake, as an endpoint needs one: what is written gets a frame, and what comes loses it. */
export class FramedSocket extends EventEmitter {
  #carry = NOTHING

  /** @param {import('node:net').Socket} under what frames that are ready can be written to */
  constructor(under) {
    super()
    this.under = under
    under.on('data', (chunk) => this.#take(chunk))
    under.on('error', (error) => this.emit('error', error))
    under.on('close', () => this.emit('close'))
  }

  get writable() {
    return this.under.writable
  }

  setNoDelay(noDelay) {
    this.under.setNoDelay(noDelay)
  }

  write(bytes) {
    return this.under.write(encodeFrame(bytes))
  }

  end() {
    if (this.writable) this.under.end(encodeFrame(NOTHING, CLOSE))
  }

  destroy() {
    this.under.destroy()
  }

  #take(chunk) {
    const bytes = this.#carry.length > 0 ? Buffer.concat([this.#carry, chunk]) : chunk
    let at = 0
    for (let next = this.#frame(bytes, at); next > 0; next = this.#frame(bytes, at)) at = next
    this.#carry = bytes.subarray(at)
  }

  /** Deals with the frame at `at`; returns where the next one starts, or -1 when more bytes are needed. */
  #frame(bytes, at) {
    if (at + 2 > bytes.length) return -1
    const short = bytes[at + 1] & ~MASKED
    const mask = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
    const payload = mask + 4
    if (payload > bytes.length) return -1
    const length =
      short === 126
        ? bytes.readUInt16BE(at + 2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(at + 2))
          : short
    const end = payload + length
    if (end > bytes.length) return -1
    const plain = Buffer.allocUnsafe(length)
    for (let i = 0; i < length; i++) plain[i] = bytes[payload + i] ^ bytes[mask + (i & 3)]
    if ((bytes[at] & 15) === CLOSE) this.end()
    else this.emit('data', plain)
    return end
  }
}

function uint64(value) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}
