import tls, {
  createSecureContext,
  type SecureContext,
  type ConnectionOptions as TLSConnectionOptions,
} from 'node:tls'
import type { TlsRetry } from '../failures/finality.js'
import { thrownFailure } from '../failures/system-failure.js'
import { noTlsNameFailure, tlsOptionsFailure } from '../failures/tls-failure.js'
import { tlsHost, VERSIONS } from './native-tls.js'
import { anyHost } from './tls-options.js'

/**
 * Checks what both sides would find out too late: an empty name is none to Node, which takes the one of this machine,
 * and OpenSSL takes one that begins with a dot for a whole domain.
 * @param hostname the broker's
 * @param where what errors call the broker
 * @throws {MqttError} the certificate is to be checked, and there is no name to check; or the versions are none
 */
export function checkTls(
  hostname: string,
  options: TLSConnectionOptions,
  where: string,
  retry: TlsRetry,
): void {
  const isChecked = options.rejectUnauthorized !== false && options.checkServerIdentity !== anyHost
  const { host } = tlsHost(hostname, options)
  if (isChecked && (host === '' || host.startsWith('.'))) throw noTlsNameFailure(hostname, where).error()
  checkVersions(options, where, retry)
}

function checkVersions(options: TLSConnectionOptions, where: string, retry: TlsRetry): void {
  if (options.secureContext !== undefined || options.secureProtocol !== undefined) return
  const [least, greatest] = [
    options.minVersion ?? tls.DEFAULT_MIN_VERSION,
    options.maxVersion ?? tls.DEFAULT_MAX_VERSION,
  ]
  // What is no version at all is for node:tls to say.
  if (!(VERSIONS[least] > VERSIONS[greatest])) return
  const message = `the least version, ${least}, is above the greatest, ${greatest}`
  const error = Object.assign(new Error(message), { code: 'ERR_TLS_PROTOCOL_VERSION_CONFLICT' })
  throw tlsOptionsFailure(error, 'the TLS versions', where, retry.options).error()
}

/**
 * What `node:tls` makes of the options.
 * @throws {MqttError} it can make nothing of them
 * @throws {TypeError} one of them has a wrong type
 */
export function secureContext(options: TLSConnectionOptions, where: string, retry: TlsRetry): SecureContext {
  try {
    return options.secureContext ?? createSecureContext(options)
  } catch (error) {
    const argument = thrownFailure(error, where, retry.options)
    if (argument.kind === 'argument') throw argument.rejection()
    const part = faultyOption(options)
    const isContent = part === '' || CONTENTS.has(part)
    throw tlsOptionsFailure(error, part, where, isContent ? retry.contents : retry.options).error()
  }
}

/** Options whose contents may come from files. */
const CONTENTS: ReadonlySet<string> = new Set(['ca', 'cert', 'key', 'crl'])

/** Node says what is wrong, but not with which option: the one that is wrong by itself. Empty for none. */
function faultyOption({ passphrase, ...options }: TLSConnectionOptions): string {
  for (const [name, value] of Object.entries(options)) {
    try {
      createSecureContext({ [name]: value, ...(passphrase === undefined ? {} : { passphrase }) })
    } catch {
      return name
    }
  }
  return ''
}
