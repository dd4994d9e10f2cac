import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Frame, Framing, type PacketType } from '../helpers/framing.js'

/** Where a packet goes: `up` to the broker, `down` to the client. */
export type Direction = 'up' | 'down'

/** What a proxy does to the connections that it passes on; nothing unless it is said. */
export interface Faults {
  /** Milliseconds that each packet is held up. */
  delay?: number
  /** Milliseconds by which the delay varies at most; the order stays. */
  jitter?: number
  /** Bytes a second, each way. */
  bandwidth?: number
  /** Bytes of a segment at most. */
  segment?: number
  /** Passes nothing on any more and closes nothing: a half-open connection. Takes connections all the same. */
  silent?: boolean
  /** Refuses connections: closes them as soon as they come, or answers CONNECT with Not authorized. */
  refusing?: boolean | 'not-authorized'
  /** Closes a connection at a PUBLISH of the client's that has this text in it. */
  poison?: string
}

/** When to cut a connection: after (or before) the `count`th packet of this type in this direction. */
export interface Cut {
  direction: Direction
  /** `any` counts packets of all types. */
  type: PacketType | 'any'
  count: number
  /** How: with a reset unless it is said. */
  how?: 'reset' | 'end'
  /** Whether that packet is passed on first; true unless it is said. */
  passed?: boolean
}

/**
 * A way to a broker on which everything happens that happens to connections in the field. It understands the framing of
 * MQTT and nothing else of it.
 */
export class FaultProxy {
  readonly host = '127.0.0.1'
  readonly port: number
  /** What happens to all connections, from now on; may be changed at any time. */
  faults: Faults = {}
  /** The next cut, once; it is looked for in all connections and counted in each. */
  cut: Cut | null = null
  /** Connections so far. */
  connections = 0
  /** How many were cut, by `cut` or by `cutAll()`. */
  cuts = 0
  /** Packets passed on so far. */
  readonly passed: Record<Direction, number> = { up: 0, down: 0 }
  readonly #server: Server
  readonly #links = new Set<Link>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  /** Starts to pass on connections to `target`, which may move. */
  static async to(target: { host: string; port: number }): Promise<FaultProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new FaultProxy(server, (server.address() as { port: number }).port)
    server.on('connection', (near) => {
      near.on('error', () => {})
      proxy.connections++
      if (proxy.faults.refusing === true) {
        near.resetAndDestroy()
        return
      }
      if (proxy.faults.refusing === 'not-authorized') {
        near.once('data', (connect: Buffer) => near.end(notAuthorized(connect)))
        return
      }
      const link = new Link(proxy, near, target)
      proxy.#links.add(link)
      link.over.then(() => proxy.#links.delete(link))
    })
    return proxy
  }

  /** Connections that are open. */
  get open(): number {
    return this.#links.size
  }

  /** Cuts every connection; new ones are passed on as before. */
  cutAll(how: 'reset' | 'end' = 'reset'): void {
    for (const link of this.#links) {
      this.cuts++
      link.cut(how)
    }
  }

  /** Resets every connection and takes no more. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const link of this.#links) link.cut('reset')
    await closed
  }
}

/** One connection: two sockets, and a pump for each direction. */
class Link {
  /** Resolves when both sockets are gone. */
  readonly over: Promise<unknown>
  readonly #near: Socket
  readonly #far: Socket
  readonly #proxy: FaultProxy
  #isCut = false

  constructor(proxy: FaultProxy, near: Socket, target: { host: string; port: number }) {
    this.#proxy = proxy
    this.#near = near
    this.#far = connect({ ...target, noDelay: true, allowHalfOpen: true })
    for (const [one, other] of [
      [near, this.#far],
      [this.#far, near],
    ] as const) {
      one.on('error', () => {})
      one.on('close', (hadError: boolean) => {
        // A socket that is being reset must not be destroyed on top of it: Node would never let go of it.
        if (this.#isCut || other.destroyed) return
        if (hadError) reset(other)
        else other.destroy()
      })
    }
    this.over = Promise.all([closing(near), closing(this.#far)])
    Promise.all([this.#pump('up', near, this.#far), this.#pump('down', this.#far, near)]).then(() => {
      if (!this.#isCut) this.cut('end')
    })
  }

  cut(how: 'reset' | 'end'): void {
    if (this.#isCut) return
    this.#isCut = true
    for (const socket of [this.#near, this.#far]) {
      if (how === 'reset') reset(socket)
      else socket.destroySoon()
    }
  }

  /** Passes on what one end sends, packet by packet, until it ends. */
  async #pump(direction: Direction, from: Socket, to: Socket): Promise<void> {
    const framing = new Framing()
    const seen = new Map<string, number>()
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        for (const frame of framing.take(chunk as Buffer)) {
          if (this.#isCut) return
          await this.#pass(direction, frame, to, seen)
        }
      }
      while (this.#proxy.faults.silent === true && !from.destroyed) await sleep(20)
      to.end()
    } catch {
      // The sockets' own listeners deal with how it ended.
    }
  }

  async #pass(direction: Direction, frame: Frame, to: Socket, seen: Map<string, number>): Promise<void> {
    const proxy = this.#proxy
    const { poison } = proxy.faults
    if (
      poison !== undefined &&
      direction === 'up' &&
      frame.type === 'publish' &&
      frame.bytes.includes(poison)
    ) {
      this.cut('reset')
      return
    }
    for (const type of [frame.type, 'any']) seen.set(type, (seen.get(type) ?? 0) + 1)
    await this.#holdUp(frame)
    const { cut } = proxy
    const isDue =
      cut !== null && cut.direction === direction && seen.get(cut.type) === cut.count && !this.#isCut
    if (isDue) proxy.cut = null
    if (!isDue || cut.passed !== false) {
      await this.#write(frame.bytes, to)
      proxy.passed[direction]++
    }
    if (!isDue) return
    proxy.cuts++
    this.cut(cut.how ?? 'reset')
  }

  async #holdUp({ bytes }: Frame): Promise<void> {
    const { faults } = this.#proxy
    const { delay = 0, jitter = 0, bandwidth } = faults
    let milliseconds = delay + jitter * (2 * Math.random() - 1)
    if (bandwidth !== undefined) milliseconds += (bytes.length / bandwidth) * 1000
    if (milliseconds >= 1) await sleep(milliseconds)
    while (this.#proxy.faults.silent === true) {
      if (this.#isCut || this.#near.destroyed) return
      await sleep(20)
    }
  }

  async #write(bytes: Buffer, to: Socket): Promise<void> {
    const { segment = bytes.length } = this.#proxy.faults
    for (let at = 0; at < bytes.length; at += segment) {
      const part = bytes.subarray(at, at + segment)
      // Called when the kernel has it, or when the socket is gone.
      if (!to.destroyed) await new Promise((resolve) => to.write(part, resolve))
    }
  }
}

/** CONNACK: the level of the protocol comes after its name, and 5 has other codes, and properties. */
function notAuthorized(connect: Buffer): Buffer {
  const isV5 = connect[connect.indexOf('MQTT') + 4] === 5
  return Buffer.from(isV5 ? '2003008700' : '20020005', 'hex')
}

/** Ends a socket with RST, and at once: Node never lets go of one that is reset while it is being shut down. */
function reset(socket: Socket): void {
  if (socket.writableEnded) {
    socket.destroy()
    return
  }
  socket._final = (callback) => callback()
  socket.resetAndDestroy()
}

function closing(socket: Socket): Promise<unknown> {
  if (socket.closed) return Promise.resolve()
  return new Promise((resolve) => socket.once('close', resolve))
}
