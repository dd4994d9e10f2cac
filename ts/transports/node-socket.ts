import { connect, isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Binding } from '../engine/binding.js'
import { isReset, systemFailure } from '../failures/system-failure.js'
import type { ClientSettings } from '../options/client-settings.js'
import { clearTimeout, setTimeout } from '../support/clock.js'
import { systemError } from '../support/errno.js'
import { SocketConstants } from './socket-constants.js'
import { type SocketFields, socketFields } from './socket-options.js'

const { IPPROTO_TCP, TCP_QUICKACK } = SocketConstants
const ON = new Uint8Array(Int32Array.of(1).buffer)

/** How long is waited for what a peer said before it reset the connection, in milliseconds. */
const LAST_WORDS = 1000

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
 * @throws as `net.connect()`; MqttError for a socket option that cannot be set
 */
export async function connectSocket(
  { binding, settings, signal }: Maker,
  peer: { host: string; port: number } | { path: string },
  where: string,
): Promise<Socket> {
  const fields = await socketFields(settings)
  signal.throwIfAborted()
  const socket = connect('path' in peer ? peer : tcpOptions(peer, fields))
  hearOut(socket)
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

/**
 * Destroys streams that are made of each other, the highest first: Node 20 ends the process when TLS loses the socket
 * below it in the middle of a turn.
 * @param layers the lowest first
 * @param reason why, for those who wait for them
 */
export function destroyLayers(layers: readonly Duplex[], reason?: Error): void {
  for (const layer of layers.toReversed()) layer.destroy(reason)
}

/** What a signal destroys: streams that are made of each other, the lowest first. */
const owned = new WeakMap<AbortSignal, Duplex[]>()

/**
 * A stream that the signal destroys, and whose errors never go unheard, whoever else listens to them. Those that it is
 * made of come before it.
 */
export function own(stream: Duplex, signal: AbortSignal): void {
  stream.on('error', () => {})
  const layers = owned.get(signal) ?? []
  layers.push(stream)
  const end = () => destroyLayers(layers, aborted(signal))
  if (signal.aborted) end()
  if (layers.length > 1) return
  owned.set(signal, layers)
  signal.addEventListener('abort', end, { once: true })
}

/** As Node's own streams have it. */
function aborted({ reason }: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: reason })
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' })
}

/**
 * Has a socket read what its peer said before it reset the connection: TLS' alert, CONNACK, a Close frame say why it
 * did. A write may fail first, and Node would destroy the socket with all that is still to be read. So that failure is
 * held back until the end has been read.
 */
export function hearOut(socket: Socket): void {
  const { _write: write, _writev: writev } = socket
  socket._write = (chunk, encoding, done) => write.call(socket, chunk, encoding, afterTheEnd(socket, done))
  if (writev !== undefined) {
    socket._writev = (chunks, done) => writev.call(socket, chunks, afterTheEnd(socket, done))
  }
}

/**
 * Has TCP acknowledge what has come without the usual delay, for a broker that sends a small packet after another one
 * only when that has been acknowledged (Nagle's algorithm).
 */
export function acknowledgeAtOnce(binding: Binding, socket: Duplex): void {
  binding.setSocketOption(descriptorOf(socket), IPPROTO_TCP, TCP_QUICKACK, ON)
}

/** -1 for what is no socket, or is closed. */
function descriptorOf(socket: Duplex): number {
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
}

type Done = (error?: Error | null) => void

function afterTheEnd(socket: Socket, done: Done): Done {
  return (error) => {
    if (!isReset(error)) return done(error)
    const report = () => {
      clearTimeout(timer)
      socket.off('end', report).off('close', report)
      done(error)
    }
    socket.once('end', report).once('close', report)
    const timer = setTimeout(report, LAST_WORDS).unref()
  }
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
  const descriptor = descriptorOf(socket)
  for (const [level, name, value] of socketOptions) {
    const errno = binding.setSocketOption(descriptor, level, name, value)
    if (errno === 0) continue
    throw systemFailure(systemError(errno, 'setsockopt', where), where).error()
  }
}
