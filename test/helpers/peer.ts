import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { generate, type Packet, type PacketCmd, parser } from 'mqtt-packet'
import { within } from './deadline.js'

/** How long a test waits for a connection or a packet of the client. */
const patience = 5_000

/** A packet as the client sent it, with its own bytes. */
export type Received<Command extends PacketCmd = PacketCmd> = Extract<Packet, { cmd: Command }> & {
  /** The packet's bytes, fixed header included. */
  raw: Buffer
  /** The same in hexadecimal digits. */
  hex: string
}

/** What the peer answers in a CONNACK. */
export interface Welcome {
  sessionPresent?: boolean
  /** MQTT 5 properties of the CONNACK, as mqtt-packet names them. */
  properties?: Extract<Packet, { cmd: 'connack' }>['properties']
}

/**
 * A server that plays the broker as a test writes it: it does nothing by itself, so that each packet, each silence and
 * each lost connection is the test's own.
 */
export class Peer {
  readonly host: string
  readonly port: number
  readonly #server: Server
  readonly #waiting: Session[] = []
  readonly #sessions = new Set<Session>()
  #wake: () => void = () => {}

  private constructor(server: Server, host: string, port: number) {
    this.#server = server
    this.host = host
    this.port = port
    server.on('connection', (socket) => {
      const session = new Session(socket)
      this.#sessions.add(session)
      this.#waiting.push(session)
      this.#wake()
    })
  }

  /** Starts to listen on a free loopback port. */
  static async listen(host = '127.0.0.1'): Promise<Peer> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(0, host)
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the peer has no port')
    return new Peer(server, host, address.port)
  }

  /** All connections that came so far. */
  get sessions(): Iterable<Session> {
    return this.#sessions
  }

  /** How many connections came so far. */
  get connections(): number {
    return this.#sessions.size
  }

  /** The next connection, in the order in which they came. */
  async accept(): Promise<Session> {
    const arrival = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    if (this.#waiting.length === 0) await within(patience, 'a connection of the client', arrival)
    const session = this.#waiting.shift()
    if (session === undefined) throw new Error('two accept() calls at a time')
    return session
  }

  /** The next connection with its CONNECT read and a CONNACK sent that accepts it. */
  async welcome(welcome: Welcome = {}): Promise<Session> {
    const session = await this.accept()
    await session.next('connect')
    session.welcome(welcome)
    return session
  }

  /** From now on does this with each connection, and ignores how the client ends it. */
  serve(script: (session: Session) => Promise<void>): void {
    const next = () => {
      for (const session of this.#waiting.splice(0)) script(session).catch(() => {})
    }
    this.#wake = next
    next()
  }

  /** Resets every connection and stops listening. */
  async close(): Promise<void> {
    for (const session of this.#sessions) session.reset()
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }
}

/** One connection of a client with the peer. */
export class Session {
  /** The connection itself, for what a test does below MQTT. */
  readonly socket: Socket
  /** Settles when the client's side ended: `'end'` after an orderly end, an error code after a reset. */
  readonly ended: Promise<string>
  #buffer = Buffer.alloc(4096)
  #length = 0
  #framed = 0
  #version: 3 | 4 | 5 = 4
  readonly #queue: Received[] = []
  #wake: () => void = () => {}
  #finished = ''
  #fault: Error | undefined

  constructor(socket: Socket) {
    this.socket = socket
    this.ended = new Promise((resolve) => {
      const finish = (how: string) => {
        this.#finished ||= how
        resolve(how)
        this.#wake()
      }
      socket.on('end', () => finish('end'))
      socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
      socket.on('close', () => finish('close'))
    })
    socket.on('data', (chunk) => this.#receive(chunk))
  }

  /** The protocol level of the client's CONNECT. */
  get version(): 3 | 4 | 5 {
    return this.#version
  }

  /** Every byte that the client sent. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** The next packet of the client, in order; an error if the client ends before. */
  async any(expected = 'packet'): Promise<Received> {
    const deadline = Date.now() + patience
    for (;;) {
      const packet = this.#queue.shift()
      if (packet !== undefined) return packet
      if (this.#fault) throw this.#fault
      if (this.#finished) throw new Error(`no ${expected}: the client's side is over (${this.#finished})`)
      const arrival = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      await within(deadline - Date.now(), `the client's ${expected}`, arrival)
    }
  }

  /** The next packet of the client, which must be a `command`. */
  async next<Command extends PacketCmd>(command: Command): Promise<Received<Command>> {
    const packet = await this.any(command)
    if (packet.cmd !== command)
      throw new Error(`expected ${command}, but the client sent ${packet.hex.slice(0, 200)}`)
    return packet as Received<Command>
  }

  /** The client's next `count` packets. */
  async take<Command extends PacketCmd>(command: Command, count: number): Promise<Received<Command>[]> {
    const packets: Received<Command>[] = []
    while (packets.length < count) packets.push(await this.next(command))
    return packets
  }

  /** Sends a packet, or bytes as they are, or bytes given in hexadecimal digits. */
  send(...packets: Array<Packet | Uint8Array | string>): void {
    this.socket.write(Buffer.concat(packets.map((packet) => this.encode(packet))))
  }

  /** The bytes that `send()` would write. */
  encode(packet: Packet | Uint8Array | string): Buffer {
    if (typeof packet === 'string') return Buffer.from(packet.replaceAll(' ', ''), 'hex')
    if (packet instanceof Uint8Array) return Buffer.from(packet)
    return generate(packet, { protocolVersion: this.#version })
  }

  /** Accepts the connection with a CONNACK. */
  welcome({ sessionPresent = false, properties }: Welcome = {}): void {
    const code = this.#version === 5 ? { reasonCode: 0 } : { returnCode: 0 }
    this.send({ cmd: 'connack', sessionPresent, ...code, ...(properties && { properties }) })
  }

  /** Ends the connection in an orderly way. */
  close(): void {
    this.socket.end()
  }

  /** Ends the connection with a reset; after `close()` it just lets go. */
  reset(): void {
    // libuv resets no socket that was shut down, and Node would keep its handle for ever.
    if (this.socket.writableEnded) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  #receive(chunk: Buffer): void {
    if (this.#length + chunk.length > this.#buffer.length) {
      const larger = Buffer.alloc(2 * (this.#length + chunk.length))
      larger.set(this.bytes)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.#length)
    this.#length += chunk.length
    try {
      for (let raw = this.#frame(); raw !== undefined; raw = this.#frame()) this.#queue.push(this.#parse(raw))
    } catch (error) {
      this.#fault ??= error instanceof Error ? error : new Error(String(error))
    }
    this.#wake()
  }

  /** The next complete packet among the bytes received. */
  #frame(): Buffer | undefined {
    const bytes = this.bytes
    let length = 0
    for (let index = 1; index <= 4; index++) {
      const byte = bytes[this.#framed + index]
      if (byte === undefined) return undefined
      length += (byte & 0x7f) * 128 ** (index - 1)
      if (byte < 0x80) {
        const end = this.#framed + 1 + index + length
        if (end > bytes.length) return undefined
        const raw = bytes.subarray(this.#framed, end)
        this.#framed = end
        return raw
      }
    }
    throw new Error('the client sent a remaining length of more than four bytes')
  }

  #parse(raw: Buffer): Received {
    let parsed: Packet | undefined
    let fault: unknown
    const reader = parser({ protocolVersion: this.#version })
    reader.on('packet', (packet) => {
      parsed = packet
    })
    reader.on('error', (error: unknown) => {
      fault = error
    })
    reader.parse(raw)
    if (parsed === undefined) {
      throw new Error(`the client sent a malformed packet: ${raw.toString('hex')}`, { cause: fault })
    }
    if (parsed.cmd === 'connect') this.#version = parsed.protocolVersion ?? 4
    return Object.assign(parsed, { raw, hex: raw.toString('hex') }) as Received
  }
}
