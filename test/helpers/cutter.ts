import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** The length of the packet that begins at the start of these bytes; undefined if it is not complete. */
function packetLength(bytes: Buffer): number | undefined {
  let length = 0
  for (let index = 1; index <= 4; index++) {
    const byte = bytes[index]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * 128 ** (index - 1)
    if (byte < 0x80) return 1 + index + length <= bytes.length ? 1 + index + length : undefined
  }
  throw new Error('a remaining length of more than four bytes')
}

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
    let bytes = Buffer.alloc(0)
    this.#sockets.add(from)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      to.end()
    })
    from.on('end', () => to.end())
    from.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      for (;;) {
        const length = packetLength(bytes)
        if (length === undefined || from.destroyed) return
        to.write(bytes.subarray(0, length))
        bytes = bytes.subarray(length)
        if (++this.passed === this.#after) this.#cut()
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
