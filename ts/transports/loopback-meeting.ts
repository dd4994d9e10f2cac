import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Binding } from '../engine/binding.js'
import { systemError } from '../support/errno.js'

/** Where no socket can be made of a descriptor, so that a pair of sockets is of no use. */
export const NEEDS_MEETING = process.platform === 'win32' || process.versions.bun !== undefined

/**
 * The place of a pair of sockets: a listener on the loopback interface, which takes the one connection that the native
 * side makes. Whoever else connects there is another program, and is turned away.
 */
export class LoopbackMeeting {
  /** What the native side's end has for a port. */
  private expected: number | null = null

  private constructor(private readonly server: Server) {}

  /** @throws {Error} there is no loopback interface, or no descriptor left */
  static async open(): Promise<LoopbackMeeting> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen({ host: '127.0.0.1', port: 0 })
    server.unref()
    await once(server, 'listening')
    // Without a descriptor for the connection it is not met, and connecting times out.
    server.on('error', () => {})
    return new LoopbackMeeting(server)
  }

  /**
   * Has the native side connect.
   * @param meet gets this side's end, in a later turn of the event loop
   * @returns the native side's end, a `descriptor` for `Binding.open()`
   */
  join(binding: Binding, meet: (socket: Socket) => void): number {
    this.server.on('connection', (socket) => {
      if (socket.remotePort !== this.expected || socket.remoteAddress !== '127.0.0.1') {
        socket.destroy()
        return
      }
      this.close()
      meet(socket)
    })
    const { address, port: at } = this.server.address() as AddressInfo
    const ends = binding.join(at)
    if (typeof ends === 'number') throw systemError(ends, 'connect', `${address}:${at}`)
    const [descriptor, port] = ends
    this.expected = port
    return descriptor
  }

  close(): void {
    this.server.close()
  }
}
