import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TLSConnectionOptions } from 'node:tls'
import type { ConnectionTls } from '../engine/binding.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { ProxySettings } from '../options/proxy-settings.js'
import { typeError } from '../support/validate.js'
import { DirectLink } from './direct-link.js'
import { DuplexBridge } from './duplex-bridge.js'
import type { Link } from './link.js'
import { nativeTls } from './native-tls.js'
import { connectSocket, type Maker, own } from './node-socket.js'
import { nodeTls } from './node-tls.js'
import { connectThrough } from './proxies.js'
import { environmentProxy } from './proxy-environment.js'
import { tlsOptions } from './tls-options.js'
import { transportError } from './transport-error.js'
import { webSocket } from './web-socket.js'

/** What is to be made, once all options have been read. */
interface Plan {
  readonly where: string
  readonly tlsHost: string
  readonly tls: TLSConnectionOptions | null
  /** The same for the native side, where it can do TLS. */
  readonly native: ConnectionTls | null
  readonly proxy: ProxySettings | null
}

/**
 * Makes a way to the broker, as far as it is made in JavaScript. What the native side can do alone it does: TCP, unix
 * sockets, and TLS unless it takes what only `node:tls` has. Anything else is a stream here.
 *
 * When the signal fires everything is destroyed, also what was made long before; when this rejects nothing is left
 * open.
 * @throws {MqttError} there is no way
 */
export async function openLink(maker: Maker): Promise<Link> {
  const { settings } = maker
  const where = placeOf(settings)
  try {
    const plan = await planFor(maker, where)
    if (isDirect(settings, plan)) return await DirectLink.to(settings, where, plan.native)
    const layers = await openLayers(maker, plan)
    return new DuplexBridge(layers, where, plan.native, plan.tls !== null)
  } catch (error) {
    throw transportError(error, where)
  }
}

function placeOf({ transport, hostname, port }: ClientSettings): string {
  if (transport === 'unix') return hostname
  return `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`
}

async function planFor({ binding, settings }: Maker, where: string): Promise<Plan> {
  const { transport, hostname, port } = settings
  const isNamed = transport === 'tcp' || transport === 'websockets'
  // As Node does for a path.
  const tlsHost = transport === 'unix' ? 'localhost' : hostname
  const tls = await tlsOptions(settings)
  const isNative = tls !== null && transport !== 'websockets' && binding.hasTls
  return {
    where,
    tlsHost,
    tls,
    native: isNative ? await nativeTls(tlsHost, tls) : null,
    proxy: settings.proxy ?? (isNamed ? environmentProxy(hostname, port) : null),
  }
}

function isDirect({ transport }: ClientSettings, { tls, native, proxy }: Plan): boolean {
  return (transport === 'tcp' || transport === 'unix') && proxy === null && (tls === null || native !== null)
}

/** The streams that make the way, the lowest first. */
async function openLayers(maker: Maker, plan: Plan): Promise<Duplex[]> {
  const { settings, signal } = maker
  const { where, tlsHost, tls, native } = plan
  let stream = await lowest(maker, plan)
  const layers = [stream]
  try {
    if (tls !== null && native === null) {
      stream = await nodeTls(maker, stream, tlsHost, tls, where)
      layers.push(stream)
    }
    if (settings.transport === 'websockets') {
      stream = await webSocket(stream, settings, tls !== null, where, signal)
      layers.push(stream)
    }
    return layers
  } catch (error) {
    for (const layer of layers) layer.destroy()
    throw error
  }
}

function lowest(maker: Maker, { where, proxy }: Plan): Promise<Duplex> {
  const { transport, hostname, port } = maker.settings
  if (proxy !== null) return connectThrough(maker, proxy)
  if (typeof transport === 'function') return streamOf(transport, maker.signal)
  return connectSocket(maker, transport === 'unix' ? { path: hostname } : { host: hostname, port }, where)
}

async function streamOf(transport: () => Duplex | Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  const stream = await transport()
  if (
    typeof stream?.write !== 'function' ||
    typeof stream.pause !== 'function' ||
    stream.readableObjectMode
  ) {
    throw typeError('transport must return a Duplex of bytes')
  }
  own(stream, signal)
  return stream
}
