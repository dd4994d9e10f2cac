import { request } from 'node:http'
import { isIP, type Socket } from 'node:net'
import { Failure } from '../failures/failure.js'
import { failureText } from '../failures/system-failure.js'
import type { ProxySettings } from '../options/proxy-settings.js'
import { printable } from '../support/printable.js'
import { lookUp } from './name-lookup.js'
import { connectSocket, type Maker } from './node-socket.js'
import { loadOptional } from './optional-package.js'

type Kind = 'HTTP' | 'SOCKS4' | 'SOCKS5'

const KINDS: Readonly<Record<ProxySettings['proxyType'], Kind>> = {
  1: 'SOCKS4',
  2: 'SOCKS5',
  3: 'HTTP',
  socks4: 'SOCKS4',
  socks4a: 'SOCKS4',
  socks5: 'SOCKS5',
  http: 'HTTP',
}

const USUAL_PORTS: Readonly<Record<Kind, number>> = { HTTP: 8080, SOCKS4: 1080, SOCKS5: 1080 }

/** `socks` has a time limit of its own; the client's is enough. */
const NO_LIMIT = 2 ** 31 - 1

interface Target {
  readonly host: string
  readonly port: number
}

/**
 * A socket that a proxy has connected with the broker.
 * @throws {MqttError} for example `Error connecting to SOCKS5 proxy 127.0.0.1:1080: [Errno 111] Connection refused`
 */
export async function connectThrough(maker: Maker, proxy: ProxySettings): Promise<Socket> {
  const kind = KINDS[proxy.proxyType]
  const { proxyAddr, proxyPort } = proxy
  const peer = { host: proxyAddr, port: proxyPort ?? USUAL_PORTS[kind] }
  const where = `${peer.host}:${peer.port}`
  const socks = kind === 'HTTP' ? null : await loadSocks()
  const target = await targetOf(maker, proxy, kind)
  let socket: Socket | undefined
  try {
    socket = await connectSocket(maker, peer, where)
    if (socks === null) await connectByHttp(socket, proxy, target)
    else await connectBySocks(socks, socket, proxy, peer, target)
    return socket
  } catch (error) {
    socket?.destroy()
    throw new Failure({
      kind: 'proxy',
      text: `Error connecting to ${kind} proxy ${where}: ${failureText(error)}`,
      code: 'ERR_MQTT_TRANSPORT',
      cause: withoutSecrets(error),
    }).error()
  }
}

/** The broker as the proxy is told: by name, if `proxyRdns` says so and the protocol can; else by its address. */
async function targetOf({ settings }: Maker, proxy: ProxySettings, kind: Kind): Promise<Target> {
  const { hostname, port } = settings
  const byName = proxy.proxyRdns && proxy.proxyType !== 'socks4'
  if (byName || isIP(hostname) !== 0) return { host: hostname, port }
  const addresses = await lookUp(hostname, port)
  // SOCKS4 has room for four bytes.
  const suitable = addresses.find(([, , family]) => kind !== 'SOCKS4' || family === 4)
  if (suitable === undefined) {
    const text = `SOCKS4 needs an IPv4 address, and ${hostname} has none`
    throw new Failure({ kind: 'proxy', text }).error()
  }
  return { host: suitable[0], port }
}

// --- HTTP CONNECT (RFC 9110, 9.3.6) --------------------------------------------------------------------------------

function connectByHttp(socket: Socket, proxy: ProxySettings, target: Target): Promise<void> {
  const authority = `${isIP(target.host) === 6 ? `[${target.host}]` : target.host}:${target.port}`
  const headers: Record<string, string> = { Host: authority }
  const { proxyUsername, proxyPassword } = proxy
  if (proxyUsername !== null) {
    const credentials = Buffer.from(`${proxyUsername}:${proxyPassword ?? ''}`).toString('base64')
    headers['Proxy-Authorization'] = `Basic ${credentials}`
  }
  return new Promise((resolve, reject) => {
    request({ method: 'CONNECT', path: authority, headers, createConnection: () => socket })
      .once('connect', ({ statusCode = 0, statusMessage }, _socket, head: Buffer) => {
        if (statusCode < 200 || statusCode > 299) {
          reject(
            Object.assign(new Error(printable(`${statusCode}: ${statusMessage}`)), {
              code: 'ERR_PROXY_STATUS',
            }),
          )
          return
        }
        if (head.length > 0) socket.unshift(head)
        resolve()
      })
      .once('error', reject)
      .end()
  })
}

// --- SOCKS ---------------------------------------------------------------------------------------------------------

type Socks = typeof import('socks')

function loadSocks(): Promise<Socks> {
  return loadOptional('socks', 'SOCKS proxies', () => import('socks'))
}

async function connectBySocks(
  { SocksClient }: Socks,
  socket: Socket,
  { proxyType, proxyUsername, proxyPassword }: ProxySettings,
  peer: Target,
  destination: Target,
): Promise<void> {
  await SocksClient.createConnection({
    command: 'connect',
    proxy: {
      ...peer,
      type: KINDS[proxyType] === 'SOCKS4' ? 4 : 5,
      ...(proxyUsername === null ? {} : { userId: proxyUsername, password: proxyPassword ?? '' }),
    },
    destination: { ...destination },
    existing_socket: socket,
    timeout: NO_LIMIT,
  })
}

/** The errors of `socks` hold all that it was given, the password included. */
function withoutSecrets(error: unknown): unknown {
  if (!(error instanceof Error && 'options' in error)) return error
  const { message, stack } = error
  return Object.assign(new Error(message), { stack, code: 'ERR_PROXY_SOCKS' })
}
