import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Binding, ConnectionTls } from '../engine/binding.js'
import type { TlsRetry } from '../failures/finality.js'
import { isReset } from '../failures/system-failure.js'
import { setTimeout } from '../support/clock.js'
import { systemError } from '../support/errno.js'
import { errorOf } from '../support/thrown.js'
import type { Link, LinkFields } from './link.js'
import { LoopbackMeeting, NEEDS_MEETING } from './loopback-meeting.js'
import { destroyLayers } from './node-socket.js'
import type { Way } from './way.js'
import { WebSocketStream } from './web-socket-stream.js'

/** How long the broker may take to close its half after ours, in milliseconds; as long as the native side waits. */
const LINGER = 2000

/**
 * A way over a stream of Node's. The native side has one end of a pair of sockets, a socket of Node's is the other,
 * and this passes on what comes to either, with its backpressure. Native TLS, if there is any, goes through here.
 */
export class DuplexBridge implements Link {
  readonly where: string
  readonly isSecure: boolean
  readonly tlsRetry: TlsRetry
  failure: Error | null = null
  /** TLS on the native side. */
  private readonly tls: ConnectionTls | null
  readonly drained: Promise<void>
  private setDrained!: () => void
  /** Chunks written to the stream that have not left it. */
  private writing = 0
  private nearEnded = false
  private meeting: LoopbackMeeting | null = null
  /** What the native side is at the other end of. */
  private near: Socket | null = null

  /**
   * @param layers the stream and those below it, the lowest first
   * @param way what they are the layers of
   * @throws {Error} the native side's end cannot be made
   */
  static async over(layers: readonly Duplex[], way: Way): Promise<DuplexBridge> {
    const bridge = new DuplexBridge(layers, way)
    try {
      if (NEEDS_MEETING) bridge.meeting = await LoopbackMeeting.open()
      return bridge
    } catch (error) {
      bridge.destroy()
      throw error
    }
  }

  private constructor(
    private readonly layers: readonly Duplex[],
    { where, native, isSecure, retry }: Way,
  ) {
    this.where = where
    this.tls = native
    this.isSecure = isSecure
    this.tlsRetry = retry
    this.drained = new Promise((resolve) => {
      this.setDrained = resolve
    })
    for (const layer of layers) {
      // What happens to a lower one is the reason of what the upper ones report, unless it is a reset, for which they
      // may know the reason.
      layer.on('error', (error) => {
        if (this.failure === null || isReset(this.failure)) this.failure = error
      })
    }
  }

  get held(): number {
    const inside = this.layers.map((layer) =>
      layer instanceof WebSocketStream ? layer.assembling : layer.readableLength,
    )
    return inside.reduce((sum, bytes) => sum + bytes, this.near?.writableLength ?? 0)
  }

  fields(binding: Binding): LinkFields {
    const fields: LinkFields = { addresses: [], descriptor: this.pair(binding) }
    if (this.tls !== null) fields.tls = this.tls
    return fields
  }

  destroy(): void {
    this.meeting?.close()
    destroyLayers(this.layers)
  }

  /** The native side's end of a pair; the other one is connected with the stream. */
  private pair(binding: Binding): number {
    if (this.meeting !== null) return this.meeting.join(binding, (near) => this.connect(near))
    const ends = binding.pair()
    if (typeof ends === 'number') throw systemError(ends, 'socketpair', this.where)
    const [theirs, ours] = ends
    this.connect(new Socket({ fd: ours, allowHalfOpen: true }))
    return theirs
  }

  /** @param near the native side is at its other end */
  private connect(near: Socket): void {
    const stream = this.layers.at(-1) as Duplex
    this.near = near
    // A connection alone does not keep the event loop alive; what is pending on it does (runtime.ts).
    for (const socket of [near, ...this.layers]) {
      if ('unref' in socket && typeof socket.unref === 'function') socket.unref()
    }
    stream.on('data', (chunk: Uint8Array) => {
      if (!near.write(chunk)) stream.pause()
    })
    near.on('drain', () => stream.resume())
    // The native side sees the end after all that came before it.
    stream.once('end', () => near.end())
    stream.once('close', () => {
      near.end()
      this.setDrained()
    })

    const written = () => {
      this.writing--
      this.noticeDrained()
    }
    near.on('data', (chunk: Uint8Array) => {
      if (!stream.writable) return
      this.writing++
      this.guard(stream, () => {
        if (!stream.write(chunk, written)) near.pause()
      })
    })
    stream.on('drain', () => near.resume())
    near.once('end', () => {
      this.nearEnded = true
      this.guard(stream, () => stream.end())
      this.noticeDrained()
    })
    // The native side is gone, and does not take what is left for it.
    near.once('error', () => this.destroy())
    near.once('close', () => this.destroy())
    if (stream.destroyed || stream.readableEnded) near.end()
    if (stream.destroyed) this.setDrained()
  }

  /** A stream of the user's that throws is as one that fails: the connection ends, with this as its reason. */
  private guard(stream: Duplex, action: () => void): void {
    try {
      action()
    } catch (error) {
      this.failure ??= errorOf(error)
      stream.destroy()
    }
  }

  private noticeDrained(): void {
    if (!this.nearEnded || this.writing > 0) return
    this.setDrained()
    setTimeout(() => this.destroy(), LINGER).unref()
  }
}
