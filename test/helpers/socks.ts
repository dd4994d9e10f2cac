import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { joinStreams } from './relay.js'

/** A SOCKS proxy as a test writes it: it connects everybody with one target, and keeps what it was asked for. */
export class SocksPeer {
  readonly host = '127.0.0.1'
  /** What was asked for: `SOCKS4 name localhost:1883 user`. */
  readonly requests: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(
    server: Server,
    private readonly target: { host: string; port: number },
  ) {
    this.#server = server
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      this.#serve(socket).catch(() => socket.destroy())
    })
  }

  static async to(target: { host: string; port: number }): Promise<SocksPeer> {
    const server = createServer()
    const peer = new SocksPeer(server, target)
    server.listen(0, '127.0.0.1').unref()
    await once(server, 'listening')
    return peer
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }

  async #serve(socket: Socket): Promise<void> {
    const [first] = (await once(socket, 'data')) as [Buffer]
    if (first[0] === 4) {
      this.requests.push(socks4Request(first))
      socket.write(Buffer.from('005a000000000000', 'hex'))
    } else {
      socket.write(Buffer.of(5, 0))
      const [request] = (await once(socket, 'data')) as [Buffer]
      this.requests.push(socks5Request(request))
      socket.write(Buffer.from('05000001000000000000', 'hex'))
    }
    const far = connect({ ...this.target, noDelay: true })
    this.#sockets.add(far)
    joinStreams(socket, far)
  }
}

/** "SOCKS: A protocol for TCP proxy across firewalls", and its extension 4A. */
function socks4Request(bytes: Buffer): string {
  const port = bytes.readUInt16BE(2)
  const [user = '', name = ''] = bytes.subarray(8).toString().split('\0')
  const isName = bytes.readUInt32BE(4) < 0x100
  const host = isName ? `name ${name}` : `address ${[...bytes.subarray(4, 8)].join('.')}`
  return `SOCKS4 ${host}:${port} ${user}`.trim()
}

/** RFC 1928, section 4. */
function socks5Request(bytes: Buffer): string {
  const port = bytes.readUInt16BE(bytes.length - 2)
  const isName = bytes[3] === 3
  const host = isName
    ? `name ${bytes.subarray(5, 5 + (bytes[4] ?? 0))}`
    : `address ${[...bytes.subarray(4, bytes.length - 2)].join('.')}`
  return `SOCKS5 ${host}:${port}`
}
