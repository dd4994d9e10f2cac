import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Authority, type Identity } from './certificates.js'
import { freePort, Mosquitto } from './mosquitto.js'

/** The key that the listener for PSK knows, and whose it is. */
export const sharedKey = { identity: 'anna', hex: '0123456789abcdef0123456789abcdef' }

/** A Mosquitto that listens in every way that it knows. The plain port is `broker.port`. */
export interface Listeners {
  readonly broker: Mosquitto
  readonly root: Authority
  /** A client's certificate that the listener `mutual` takes. */
  readonly client: Identity
  /** A temporary folder, for a test's own files. */
  readonly folder: string
  readonly tls: number
  /** TLS, but only with a certificate of the client's. */
  readonly mutual: number
  readonly psk: number
  readonly webSocket: number
  readonly secureWebSocket: number
  /** The path of the unix socket. */
  readonly unix: string
  stop(): Promise<void>
}

/** Starts it. The certificate, for localhost and 127.0.0.1, comes from an intermediate authority. */
export async function listenEverywhere(): Promise<Listeners> {
  const folder = await mkdtemp(join(tmpdir(), 'listeners-'))
  const root = Authority.root()
  const intermediate = root.intermediate()
  const server = intermediate.issue()
  const unix = join(folder, 'socket')
  const [tls, mutual, psk, webSocket, secureWebSocket] = await Promise.all(
    Array.from({ length: 5 }, freePort),
  )
  const certificates = ['cafile ca', 'certfile certificate', 'keyfile key'].map((line) =>
    line.replace(' ', ` ${folder}/`),
  )
  await writeFile(join(folder, 'ca'), root.certificate)
  await writeFile(join(folder, 'certificate'), server.certificate + intermediate.certificate)
  await writeFile(join(folder, 'key'), server.key)
  await writeFile(join(folder, 'psk'), `${sharedKey.identity}:${sharedKey.hex}\n`)
  const broker = await Mosquitto.start({
    packets: true,
    settings: [
      `listener ${tls} 127.0.0.1`,
      ...certificates,
      `listener ${mutual} 127.0.0.1`,
      ...certificates,
      'require_certificate true',
      `listener ${psk} 127.0.0.1`,
      'psk_hint hint',
      `psk_file ${join(folder, 'psk')}`,
      `listener ${webSocket} 127.0.0.1`,
      'protocol websockets',
      `listener ${secureWebSocket} 127.0.0.1`,
      'protocol websockets',
      ...certificates,
      `listener 0 ${unix}`,
    ],
  })
  const stop = async () => {
    await broker.stop()
    await rm(folder, { recursive: true, force: true })
  }
  const client = root.issue({ hosts: [], name: 'a client' })
  return { broker, root, client, folder, tls, mutual, psk, webSocket, secureWebSocket, unix, stop }
}
