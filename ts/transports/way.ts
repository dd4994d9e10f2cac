import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TLSConnectionOptions } from 'node:tls'
import type { ConnectionTls } from '../engine/binding.js'
import type { TlsRetry } from '../failures/finality.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { ProxySettings } from '../options/proxy-settings.js'
import { typeError } from '../support/validate.js'
import { nativeTls } from './native-tls.js'
import { connectSocket, destroyLayers, type Maker, own } from './node-socket.js'
import { nodeTls } from './node-tls.js'
import { connectThrough } from './proxies.js'
import { environmentProxy } from './proxy-environment.js'
import { checkTls } from './tls-checks.js'
import { tlsOptions, tlsRetry } from './tls-options.js'
import { webSocket } from './web-socket.js'

/** The parts of a way, the lowest first; each one is over the one before it. */
export type Layer = 'socket' | 'tls' | 'websocket'

/** Which way leads to the broker, once all options have been read, and the streams that it is made of. */
export class Way {
  private constructor(
    private readonly maker: Maker,
    /** What errors call the broker. */
    readonly where: string,
    /** Null without TLS. */
    readonly tls: TLSConnectionOptions | null,
    /** The same for the native side, where it can do TLS; then there is no layer of it. */
    readonly native: ConnectionTls | null,
    readonly proxy: ProxySettings | null,
    /** Whether another way can have other options for TLS. */
    readonly retry: TlsRetry,
  ) {}

  /**
   * @param mayBeNative false for TLS as a layer in any case, so that it can be looked at
   * @throws {MqttError} a file of the options for TLS cannot be read, or the proxy of the environment is none
   */
  static async for(maker: Maker, mayBeNative = true): Promise<Way> {
    const { binding, settings } = maker
    const { transport, hostname, port } = settings
    const isNamed = transport === 'tcp' || transport === 'websockets'
    const where = placeOf(settings)
    const retry = tlsRetry(settings)
    const tls = await tlsOptions(settings)
    if (tls !== null) checkTls(nameFor(settings), tls, where, retry)
    const isNative = mayBeNative && tls !== null && transport !== 'websockets' && binding.hasTls
    const native = isNative ? await nativeTls(nameFor(settings), tls) : null
    const proxy = settings.proxy ?? (isNamed ? environmentProxy(hostname, port) : null)
    return new Way(maker, where, tls, native, proxy, retry)
  }

  /** The name in the broker's certificate. */
  get tlsHost(): string {
    return nameFor(this.maker.settings)
  }

  get isSecure(): boolean {
    return this.tls !== null
  }

  /** Whether there is nothing on it that needs a stream in JavaScript. */
  get isDirect(): boolean {
    const { transport } = this.maker.settings
    const isPlain = this.tls === null || this.native !== null
    return (transport === 'tcp' || transport === 'unix') && this.proxy === null && isPlain
  }

  /**
   * Makes the streams, the lowest first. When it rejects nothing is left open.
   * @param top the last of them
   * @param signal destroys them, whenever it fires
   * @param tls in place of the client's options for TLS
   * @throws {MqttError} one of them cannot be made
   */
  async open(top: Layer = 'websocket', signal = this.maker.signal, tls = this.tls): Promise<Duplex[]> {
    const maker = { ...this.maker, signal }
    const { settings } = maker
    const { where, tlsHost, retry } = this
    let stream = await this.lowest(maker)
    const layers = [stream]
    try {
      if (tls !== null && this.native === null && top !== 'socket') {
        stream = await nodeTls(maker, stream, tlsHost, tls, where, retry)
        layers.push(stream)
      }
      if (settings.transport === 'websockets' && top === 'websocket') {
        stream = await webSocket(stream, settings, tls !== null, where, signal)
        layers.push(stream)
      }
      return layers
    } catch (error) {
      destroyLayers(layers)
      throw error
    }
  }

  private lowest(maker: Maker): Promise<Duplex> {
    const { transport, hostname, port } = maker.settings
    if (this.proxy !== null) return connectThrough(maker, this.proxy)
    if (typeof transport === 'function') return streamOf(transport, maker.signal)
    const peer = transport === 'unix' ? { path: hostname } : { host: hostname, port }
    return connectSocket(maker, peer, this.where)
  }
}

/** What errors call a broker: `host:port`, or the path of a unix socket. */
export function placeOf({
  transport,
  hostname,
  port,
}: Pick<ClientSettings, 'transport' | 'hostname' | 'port'>): string {
  if (transport === 'unix') return hostname
  return `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`
}

/** As Node does for a path. */
function nameFor({ transport, hostname }: ClientSettings): string {
  return transport === 'unix' ? 'localhost' : hostname
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
