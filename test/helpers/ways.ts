import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createWebServer } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import type { ClientOptions } from 'aiomqtt'
import { Authority } from './certificates.js'
import { WebSocketGateway } from './gateway.js'
import { joinStreams } from './relay.js'
import { SocksPeer } from './socks.js'

interface Target {
  host: string
  port: number
}

/** Where a client connects to, and how. */
interface Place extends Target {
  options: ClientOptions
}

/** Makes a way to a server that speaks plain MQTT over TCP, which stays until the process ends. */
type Way = (target: Target) => Place | Promise<Place>

/**
 * Every way over which `connected()` and `clientTo()` connect, so that a test which uses them runs over each:
 * `AIOMQTT_TEST_WAY=websocket npx ava build/test/integration/*.test.js`; `npm test` takes each in turn. What stands between is as plain as it can be;
 * transports/core.test.ts has the real servers.
 */
export const ways = {
  tcp: (target) => ({ ...target, options: {} }),
  unix: async (target) => {
    folder ??= mkdtempSync(join(tmpdir(), 'way-'))
    const path = join(folder, `${target.port}`)
    return { ...(await listening(createServer(passOn(target)), path)), options: { transport: 'unix' } }
  },
  tls: async (target) => ({ ...(await terminator(target)), options: { tlsParams: { caCerts } } }),
  'node-tls': async (target) => ({
    ...(await terminator(target)),
    options: { tlsContext: createSecureContext({ ca: caCerts }) },
  }),
  websocket: async (target) => {
    const { host, port } = await WebSocketGateway.to(target)
    return { host, port, options: { transport: 'websockets' } }
  },
  'secure-websocket': async (target) => {
    const { host, port } = await WebSocketGateway.to(target, null, identity)
    return { host, port, options: { transport: 'websockets', tlsParams: { caCerts } } }
  },
  'http-proxy': async (target) => {
    const proxy = createWebServer().on('connect', (_request, near: Socket) => {
      near.write('HTTP/1.1 200 OK\r\n\r\n')
      passOn(target)(near)
    })
    const { host: proxyAddr, port: proxyPort } = await listening(proxy)
    return { ...target, options: { proxy: { proxyType: 'http', proxyAddr, proxyPort } } }
  },
  socks: async (target) => {
    const { host: proxyAddr, port: proxyPort } = await SocksPeer.to(target)
    return { ...target, options: { proxy: { proxyType: 'socks5', proxyAddr, proxyPort } } }
  },
  stream: (target) => ({ ...target, options: { transport: () => connect({ ...target, noDelay: true }) } }),
} satisfies Record<string, Way>

const chosen: Way = ways[(process.env.AIOMQTT_TEST_WAY ?? 'tcp') as keyof typeof ways]

/** Whether the client's own connection is the server's, and ends as that does. */
export const isDirect = chosen === ways.tcp

const places = new Map<string, Promise<Place>>()

/** The way that was chosen to this server; the same one each time. */
export function placeOf({ host, port }: Target): Promise<Place> {
  const name = `${host}:${port}`
  const place = places.get(name) ?? Promise.resolve(chosen({ host, port }))
  places.set(name, place)
  return place
}

let folder: string | undefined
process.on('exit', () => folder !== undefined && rmSync(folder, { recursive: true, force: true }))

const identity = Authority.root('127.0.0.1', ['127.0.0.1'])

/** What to trust on the ways with TLS. */
export const caCerts = identity.certificate

async function terminator(target: Target): Promise<Target> {
  const { certificate, key } = identity
  return await listening(createTlsServer({ cert: certificate, key, noDelay: true }, passOn(target)))
}

async function listening(server: Server, path?: string): Promise<Target> {
  server.listen(path === undefined ? { host: '127.0.0.1', port: 0 } : { path })
  await once(server, 'listening')
  server.unref()
  return path === undefined
    ? { host: '127.0.0.1', ...(server.address() as { port: number }) }
    : { host: path, port: 1883 }
}

/** Connects everybody who comes with a server. */
function passOn(target: Target): (near: Socket) => void {
  return (near) => joinStreams(near, connect({ ...target, noDelay: true }))
}
