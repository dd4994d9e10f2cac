import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { connect, type ConnectionOptions as TLSConnectionOptions, type TLSSocket } from 'node:tls'
import type { TlsRetry } from '../failures/finality.js'
import { failureText, isReset } from '../failures/system-failure.js'
import { handshakeFailure, nodeTlsFailure } from '../failures/tls-failure.js'
import { errorOf } from '../support/thrown.js'
import { tlsHost } from './native-tls.js'
import { acknowledgeAtOnce, hearOut, type Maker, own } from './node-socket.js'
import { secureContext } from './tls-checks.js'

/**
 * TLS by `node:tls` over a stream: for WebSocket, for options that only it has, and for runtimes whose OpenSSL cannot
 * be used natively.
 * @param hostname the broker's
 * @param where what errors call the broker
 * @param retry whether the options can be others the next time
 * @throws {MqttError} TLS failed
 */
export async function nodeTls(
  { binding, signal }: Maker,
  stream: Duplex,
  hostname: string,
  options: TLSConnectionOptions,
  where: string,
  retry: TlsRetry,
): Promise<TLSSocket> {
  const context = secureContext(options, where, retry)
  let secured: TLSSocket | undefined
  try {
    secured = connect({
      ...options,
      ...tlsHost(hostname, options),
      ...guarded(options),
      secureContext: context,
      socket: stream,
    })
    hearOut(secured)
    own(secured, signal)
    // TLS 1.3's tickets come when there is nothing to be sent that would acknowledge them, and CONNACK after them.
    secured.on('session', () => acknowledgeAtOnce(binding, stream))
    await once(secured, 'secureConnect')
    return secured
  } catch (error) {
    secured?.destroy()
    const failure = nodeTlsFailure(error, where)
    if (failure !== null) throw failure.error()
    throw isReset(error) ? handshakeFailure(failureText(error), where, error).error() : error
  }
}

/** A check of the user's that throws refuses the certificate; to Node it would be an uncaught exception. */
function guarded({ checkServerIdentity: check }: TLSConnectionOptions): TLSConnectionOptions {
  if (check === undefined) return {}
  return {
    checkServerIdentity: (host, certificate) => {
      try {
        return check(host, certificate)
      } catch (error) {
        return errorOf(error)
      }
    },
  }
}
