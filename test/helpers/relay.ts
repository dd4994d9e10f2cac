import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A way to a server that can be cut: what happens to connections in the field, without a word to the broker. */
export class Relay {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #server: Server
  readonly #near = new Set<Socket>()
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  /** Starts to pass on connections to `target`. */
  static async to(target: { host: string; port: number }): Promise<Relay> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const relay = new Relay(server, (server.address() as { port: number }).port)
    server.on('connection', (near) => {
      relay.#near.add(near)
      near.on('close', () => relay.#near.delete(near))
      const far = connect({ ...target, noDelay: true })
      for (const socket of [near, far]) {
        relay.#sockets.add(socket)
        socket.on('close', () => relay.#sockets.delete(socket))
      }
      joinStreams(near, far, reset)
    })
    return relay
  }

  /** The clients' connections. */
  get sockets(): Socket[] {
    return [...this.#near]
  }

  /** Resets every connection; new ones are passed on as before. */
  cut(): void {
    for (const socket of this.#sockets) reset(socket)
  }

  /** Resets every connection and takes no more. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }
}

/** Ends a connection with a reset, where that can be done: libuv keeps a socket that was shut down for ever then. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/**
 * Passes on what comes to either of two sockets, and its end.
 * @param abandon what happens to the one when the other has failed
 */
export function joinStreams(
  near: Socket,
  far: Socket,
  abandon: (socket: Socket) => void = (socket) => socket.destroy(),
): void {
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on('error', () => abandon(other))
    one.on('close', () => other.destroy())
    one.pipe(other)
  }
}
