import { isIP } from 'node:net'
import { thrownFailure } from '../../failures/system-failure.js'
import { lookUp } from '../../transports/name-lookup.js'
import { connectSocket, type Maker } from '../../transports/node-socket.js'
import { adviceOn } from '../advice.js'
import { Fault, type Finding } from './checklist.js'

/** Looks a name up. */
export async function findAddresses(hostname: string, port: number): Promise<Finding<string[]>> {
  try {
    const addresses = (await lookUp(hostname, port)).map(([address]) => address)
    return { text: `${hostname} is ${addresses.join(', ')}`, value: addresses }
  } catch (error) {
    const failure = thrownFailure(error, hostname)
    throw new Fault(`${hostname} has no address: ${failure.causeCode}`, adviceOn(failure))
  }
}

/** How an address takes a connection; null for well. */
export async function tryAddress(
  maker: Maker,
  peer: { host: string; port: number } | { path: string },
): Promise<Fault | null> {
  const where = 'path' in peer ? peer.path : placeOf(peer.host, peer.port)
  try {
    const socket = await connectSocket(maker, peer, where)
    socket.destroy()
    return null
  } catch (error) {
    const failure = thrownFailure(error, where)
    return new Fault(failure.causeCode || failure.text, adviceOn(failure))
  }
}

/** An address and a port as they are written. */
export function placeOf(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
}
