import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'
import { Fault, type Finding } from './checklist.js'

/** One address of the broker. */
export interface Address {
  readonly address: string
  readonly family: number
}

/** What an error of the system means, and what to do. */
const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: 'This user may not connect there.',
  ECONNREFUSED:
    'The host is there, but nothing listens on this port. Is the broker running, and is it its port?',
  ECONNRESET: 'The connection was accepted, and closed at once.',
  EHOSTUNREACH: 'No way leads to this host. Is it switched on, and in this network?',
  ENETUNREACH: 'This machine has no network to this address.',
  ENOENT: 'There is no such socket. Is the broker running?',
  ETIMEDOUT: 'Nobody answered: a wrong address, or a firewall that says nothing.',
}

const LOOKUP_MEANINGS: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'The name server did not answer: is this machine connected?',
  ENOTFOUND: 'No name server knows this name: is it written correctly?',
}

/** Looks a name up. */
export async function findAddresses(hostname: string): Promise<Finding<Address[]>> {
  try {
    const addresses = await lookup(hostname, { all: true })
    return { text: `${hostname} is ${addresses.map(({ address }) => address).join(', ')}`, value: addresses }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    throw new Fault(`${hostname} has no address: ${code}`, meaning(LOOKUP_MEANINGS[code]))
  }
}

/** How an address takes a connection; null for well. */
export async function tryAddress(
  peer: { host: string; port: number } | { path: string },
  signal: AbortSignal,
): Promise<Fault | null> {
  const socket = connect('path' in peer ? peer : { ...peer, noDelay: true })
  const destroy = () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }))
  signal.addEventListener('abort', destroy, { once: true })
  try {
    return await new Promise<Fault | null>((resolve) => {
      socket.once('connect', () => resolve(null))
      socket.once('error', ({ code = '', message }: NodeJS.ErrnoException) =>
        resolve(new Fault(code || message, meaning(MEANINGS[code]))),
      )
    })
  } finally {
    signal.removeEventListener('abort', destroy)
    socket.destroy()
  }
}

/** An address and a port as they are written. */
export function placeOf(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
}

function meaning(text: string | undefined): string[] {
  return text === undefined ? [] : [text]
}
