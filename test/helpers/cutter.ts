import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Framing } from './framing.js'

/** A way to a broker that passes on packet by packet, and ends all connections right after a certain one. */
export class Cutter {
  readonly host = '127.0.0.1'
  readonly port: number
  /** Packets that were passed on, in both directions. */
  passed = 0
  /** Whether it has cut. */
  hasCut = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #after: number

  private constructor(server: Server, port: number, after: number) {
    this.#server = server
    this.port = port
    this.#after = after
  }

  /** @param after the number of the packet, from 1; 0 not to cut */
  static async to(target: { host: string; port: number }, after: number): Promise<Cutter> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const cutter = new Cutter(server, (server.address() as { port: number }).port, after)
    server.on('connection', (near) => {
      const far = connect({ ...target, noDelay: true, allowHalfOpen: true })
      cutter.#pass(near, far)
      cutter.#pass(far, near)
    })
    return cutter
  }

  /** Ends all connections and takes no more. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #pass(from: Socket, to: Socket): void {
    const framing = new Framing()
    this.#sockets.add(from)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      to.end()
    })
    from.on('end', () => to.end())
    from.on('data', (chunk) => {
      for (const { bytes } of framing.take(chunk)) {
        if (from.destroyed) return
        to.write(bytes)
        if (++this.passed !== this.#after) continue
        this.#cut()
        return
      }
    })
  }

  /** What was passed on arrives; what comes now does not. */
  #cut(): void {
    this.hasCut = true
    for (const socket of this.#sockets) {
      socket.removeAllListeners('data')
      socket.end()
      socket.resume()
    }
  }
}
