import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { connect, type ConnectionOptions as TLSConnectionOptions, type TLSSocket } from 'node:tls'
import { failureText, isReset } from './failures.js'
import { tlsHost } from './native-tls.js'
import { hearOut, own } from './node-socket.js'
import { handshakeError, nodeTlsFault, tlsError } from './tls-errors.js'

/**
 * TLS by `node:tls` over a stream: for WebSocket, for options that only it has, and for runtimes whose OpenSSL cannot
 * be used natively.
 * @param hostname the broker's
 * @param where what errors call the broker
 * @throws {MqttError} TLS failed
 */
export async function nodeTls(
  stream: Duplex,
  hostname: string,
  options: TLSConnectionOptions,
  where: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  let secured: TLSSocket | undefined
  try {
    secured = connect({ ...options, ...tlsHost(hostname, options), socket: stream })
    hearOut(secured)
    own(secured, signal)
    await once(secured, 'secureConnect')
    return secured
  } catch (error) {
    secured?.destroy()
    const fault = nodeTlsFault(error)
    if (fault !== null) throw tlsError(fault, where)
    throw isReset(error) ? handshakeError(failureText(error), where, error) : error
  }
}
