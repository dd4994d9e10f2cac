import { once } from 'node:events'
import { createServer as createWebServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Identity } from './certificates.js'

interface Target {
  host: string
  port: number
}

/** How a gateway cuts what it sends into frames: the sizes of the frames in turn. */
export type Cut = readonly number[]

/** A WebSocket server before a broker that speaks TCP: it cuts the broker's bytes into frames as a test says. */
export class WebSocketGateway {
  readonly host = '127.0.0.1'
  /** The requests of the handshakes that were made. */
  readonly handshakes: Array<{ path: string | undefined; headers: Record<string, unknown>; raw: string[] }> =
    []
  /** Whence the connections came. */
  readonly peers: Array<string | undefined> = []
  /** The sizes of the frames that came, by connection. */
  readonly frames: number[][] = []
  /** The connections of all clients that came. */
  readonly sockets: Socket[] = []

  private constructor(
    private readonly handshaking: NetServer,
    private readonly server: WebSocketServer,
    private readonly target: Target,
    private readonly cut: Cut | null,
  ) {
    server.on('connection', (socket, { url, headers, rawHeaders, socket: stream }) => {
      this.sockets.push(stream)
      this.peers.push(stream.remoteAddress)
      this.handshakes.push({ path: url, headers, raw: rawHeaders })
      this.#serve(socket)
    })
  }

  /** @param identity for TLS */
  static async to(
    target: Target,
    cut: Cut | null = null,
    identity: Identity | null = null,
  ): Promise<WebSocketGateway> {
    const handshakes =
      identity === null
        ? createWebServer()
        : createTlsServer({ cert: identity.certificate, key: identity.key })
    const server = new WebSocketServer({ server: handshakes, handleProtocols: () => 'mqtt' })
    handshakes.listen(0, '127.0.0.1')
    await once(handshakes, 'listening')
    handshakes.unref()
    return new WebSocketGateway(handshakes, server, target, cut)
  }

  get port(): number {
    return (this.handshaking.address() as { port: number }).port
  }

  /** The connections that are open. */
  get clients(): WebSocket[] {
    return [...this.server.clients]
  }

  /** Resets every connection, at once and without a word. */
  resetAll(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    for (const client of this.server.clients) client.terminate()
    const closed = once(this.handshaking, 'close')
    this.server.close()
    this.handshaking.close()
    await closed
  }

  #serve(client: WebSocket): void {
    const frames: number[] = []
    this.frames.push(frames)
    const broker = connect({ ...this.target, noDelay: true })
    client.on('message', (data: Buffer) => {
      frames.push(data.length)
      broker.write(data)
    })
    broker.on('data', (data) => {
      let at = 0
      for (let turn = 0; at < data.length; turn++) {
        const size = this.cut === null ? data.length : (this.cut[turn % this.cut.length] as number)
        client.send(data.subarray(at, at + size))
        at += size
      }
    })
    broker.on('close', () => client.close())
    broker.on('error', () => client.terminate())
    client.on('close', () => broker.end())
  }
}

/** A server that takes connections and, unless a test says otherwise, never says a word. */
export class SilentServer {
  readonly host = '127.0.0.1'
  readonly sockets: Socket[] = []
  readonly #server: NetServer

  private constructor(server: NetServer) {
    this.#server = server
    server.on('connection', (socket) => {
      this.sockets.push(socket)
      socket.on('error', () => {})
      socket.resume()
    })
  }

  /** @param script what it does with each connection */
  static async listen(script: (socket: Socket) => void = () => {}): Promise<SilentServer> {
    const server = createServer()
    const silent = new SilentServer(server)
    server.on('connection', script)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return silent
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** Resolves when somebody connects, or at once if somebody is connected. */
  async connection(): Promise<void> {
    if (this.sockets.every((socket) => socket.closed)) await once(this.#server, 'connection')
  }

  /** Resolves when every connection that came has been closed by its client. */
  async abandoned(): Promise<void> {
    await Promise.all(this.sockets.map((socket) => (socket.closed ? undefined : once(socket, 'close'))))
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }
}
