import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { nextTick } from '../support/clock.js'
import { printable } from '../support/printable.js'

/** Small messages that come together are gathered in a buffer of this size, to be passed on as one. */
const STAGE_SIZE = 64 * 1024
/** Messages of more bytes are passed on as they are. */
const SMALL = 8 * 1024

const TOO_LARGE =
  'The broker sent a WebSocket message that is larger than maximumPacketSize or maxQueuedIncomingBytes allows'

/** RFC 6455, 7.4.1: normal, going away, no code; and no Close frame at all. */
const USUAL_CLOSES: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006])

/**
 * The bytes of a WebSocket's binary messages, wherever these begin and end; what is written leaves as one message a
 * chunk. The package has such a stream, too, but one that passes on every message by itself: brokers that send a frame
 * a packet make that several times as costly as the packets.
 */
export class WebSocketStream extends Duplex {
  private stage = Buffer.alloc(0)
  /** Where in the stage the bytes begin that have not been passed on, and where they end. */
  private start = 0
  private stop = 0

  /** Bytes of frames that have come since the last message was complete. */
  private gathered = 0

  /**
   * @param socket not open yet
   * @param below what it reads from
   */
  constructor(
    private readonly socket: WebSocket,
    below: Duplex,
  ) {
    super()
    // Before the package sees them: of what comes with the end of a message, no more than one read, none is counted.
    socket.once('open', () => {
      below.prependListener('data', (chunk: Buffer) => {
        this.gathered += chunk.length
      })
    })
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.gathered = 0
      if (isBinary) this.receive(data)
      else this.fail('The broker sent a WebSocket text frame [MQTT-6.0.0-1]')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.fail(TOO_LARGE)
      else this.destroy(error)
    })
    socket.once('close', (code: number, reason: Buffer) => {
      if (!USUAL_CLOSES.has(code)) this.fail(`The broker closed the WebSocket: ${code} ${reason}`)
      this.passOn()
      this.push(null)
    })
  }

  /** Bytes that have come and have not been passed on: those of a message that is not complete, too. */
  get assembling(): number {
    return this.gathered + (this.stop - this.start) + this.readableLength
  }

  override _read(): void {
    if (this.socket.isPaused) this.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // A failure ends the WebSocket, and its end says more: the broker may have said why before.
    this.socket.send(chunk, () => done())
  }

  override _final(done: () => void): void {
    this.socket.close()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.terminate()
    done(error)
  }

  /** What came before is passed on: it may say more. */
  private fail(reason: string): void {
    this.passOn()
    this.destroy(new Error(printable(reason)))
  }

  private receive(data: Buffer): void {
    if (data.length > SMALL) {
      this.passOn()
      this.give(data)
      return
    }
    if (this.stage.length - this.stop < data.length) {
      this.passOn()
      this.stage = Buffer.allocUnsafeSlow(STAGE_SIZE)
      this.start = this.stop = 0
    }
    // All messages of one read come in the same turn.
    if (this.start === this.stop) nextTick(passOn, this)
    this.stop += data.copy(this.stage, this.stop)
  }

  /** @internal */
  passOn(): void {
    if (this.start === this.stop) return
    const staged = this.stage.subarray(this.start, this.stop)
    this.start = this.stop
    this.give(staged)
  }

  private give(bytes: Buffer): void {
    if (!this.push(bytes)) this.socket.pause()
  }
}

function passOn(stream: WebSocketStream): void {
  stream.passOn()
}
