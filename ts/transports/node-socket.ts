import { connect, isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import { addAbortSignal, type Duplex } from 'node:stream'
import type { Binding } from '../binding.js'
import type { ClientSettings } from '../client-settings.js'
import { errnoText, systemError } from '../errno.js'
import { MqttError } from '../errors.js'
import { type SocketFields, socketFields } from './socket-options.js'

/** What the ways to the broker are made with. */
export interface Maker {
  readonly binding: Binding
  readonly settings: ClientSettings
  /** Destroys what was made, or is being made, whenever it fires. */
  readonly signal: AbortSignal
}

/**
 * A connected socket of Node's, for what needs a stream in JavaScript: proxies, WebSocket, TLS by `node:tls`. It is
 * bound and set up as the client's options say.
 * @param where what errors call the peer
 * @throws as `net.connect()`; {@link MqttError} for a socket option that cannot be set
 */
export async function connectSocket(
  { binding, settings, signal }: Maker,
  peer: { host: string; port: number } | { path: string },
  where: string,
): Promise<Socket> {
  const fields = await socketFields(settings)
  signal.throwIfAborted()
  const socket = connect('path' in peer ? peer : tcpOptions(peer, fields))
  own(socket, signal)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  try {
    setOptions(binding, socket, fields, where)
  } catch (error) {
    socket.destroy()
    throw error
  }
  return socket
}

/** A stream that the signal destroys, and whose errors never go unheard, whoever else listens to them. */
export function own(stream: Duplex, signal: AbortSignal): void {
  stream.on('error', () => {})
  addAbortSignal(signal, stream)
}

function tcpOptions(
  peer: { host: string; port: number },
  { bindAddress, bindPort }: SocketFields,
): TcpNetConnectOpts {
  const options: TcpNetConnectOpts = { ...peer, noDelay: true, autoSelectFamily: true }
  if (bindAddress !== undefined) {
    options.localAddress = bindAddress
    // From an address of one family none of the other can be reached.
    options.family = isIP(bindAddress)
  }
  if (bindPort !== undefined) options.localPort = bindPort
  return options
}

function setOptions(
  binding: Binding,
  socket: Socket,
  { socketOptions = [] }: SocketFields,
  where: string,
): void {
  const descriptor = (socket as { _handle?: { fd?: number } })._handle?.fd ?? -1
  for (const [level, name, value] of socketOptions) {
    const errno = binding.setSocketOption(descriptor, level, name, value)
    if (errno === 0) continue
    const cause = systemError(errno, 'setsockopt', where)
    throw new MqttError(`${errnoText(errno)} (${where})`, { code: 'ERR_MQTT_TRANSPORT', cause })
  }
}
