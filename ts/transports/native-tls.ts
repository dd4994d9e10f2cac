import { isIP } from 'node:net'
import tls, { type SecureVersion, type ConnectionOptions as TLSConnectionOptions } from 'node:tls'
import type { ConnectionTls } from '../engine/binding.js'
import { defaultRoots } from './root-certificates.js'
import { anyHost } from './tls-options.js'

/** The versions of TLS as they are on the wire. */
export const VERSIONS: Readonly<Record<SecureVersion, number>> = {
  TLSv1: 0x0301,
  'TLSv1.1': 0x0302,
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
}

/** What the native side can do of what `tls.connect()` takes. */
const NATIVE: ReadonlySet<string> = new Set([
  'ca',
  'cert',
  'key',
  'passphrase',
  'crl',
  'ciphers',
  'ecdhCurve',
  'sigalgs',
  'minVersion',
  'maxVersion',
  'rejectUnauthorized',
  'servername',
  'ALPNProtocols',
])

/** The host whose name goes to the broker (SNI), and must be in its certificate. */
export function tlsHost(
  hostname: string,
  options: TLSConnectionOptions,
): { host: string; servername: string } {
  // The zone of an address is this machine's business.
  const host = options.servername || hostname.replace(/%.*$/, '')
  // RFC 6066, section 3: addresses are no server names.
  return { host, servername: options.servername ?? (isIP(host) === 0 ? host : '') }
}

/**
 * The options for TLS on the native side, where no busy event loop delays it; null for what only `node:tls` can do.
 * @param hostname the broker's
 */
export async function nativeTls(
  hostname: string,
  options: TLSConnectionOptions,
): Promise<ConnectionTls | null> {
  const { checkServerIdentity, ...rest } = options
  if (checkServerIdentity !== undefined && checkServerIdentity !== anyHost) return null
  if (Object.keys(rest).some((name) => !NATIVE.has(name))) return null
  const ca = pem(options.ca)
  const cert = onePem(options.cert)
  const key = onePem(options.key)
  const crl = pem(options.crl)
  if (ca === null || cert === null || key === null || crl === null) return null

  const { host, servername } = tlsHost(hostname, options)
  const result: ConnectionTls = {
    ca: ca ?? (await defaultRoots()),
    verify: options.rejectUnauthorized ?? process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0',
    ...versionsAndCiphers(options),
  }
  if (servername !== '') result.serverName = servername
  if (checkServerIdentity === undefined) result.verifiedHost = host
  if (cert !== undefined) result.certificate = cert
  if (key !== undefined) result.key = key
  if (crl !== undefined) result.crl = crl
  if (options.passphrase !== undefined) result.passphrase = options.passphrase
  const groups = options.ecdhCurve ?? tls.DEFAULT_ECDH_CURVE
  if (groups !== 'auto') result.groups = groups
  if (options.sigalgs !== undefined) result.signatureAlgorithms = options.sigalgs
  if (options.ALPNProtocols !== undefined) result.alpn = wireAlpn(options.ALPNProtocols)
  return result
}

/** Node's rule: a list without ciphers for TLS 1.2 means TLS 1.3 alone. */
function versionsAndCiphers(options: TLSConnectionOptions): Partial<ConnectionTls> {
  const names = (options.ciphers ?? tls.DEFAULT_CIPHERS).split(':').filter((name) => name !== '')
  const cipherSuites = names.filter((name) => name.startsWith('TLS_')).join(':')
  const ciphers = names.filter((name) => !name.startsWith('TLS_')).join(':')
  const least = VERSIONS[options.minVersion ?? tls.DEFAULT_MIN_VERSION]
  const minimumVersion = ciphers === '' ? VERSIONS['TLSv1.3'] : least
  const maximumVersion = VERSIONS[options.maxVersion ?? tls.DEFAULT_MAX_VERSION]
  return { ciphers, cipherSuites, minimumVersion, maximumVersion }
}

type Given = TLSConnectionOptions['ca'] | TLSConnectionOptions['key']

/** The PEM texts as one; undefined for none given, null for what is more than text. */
function pem(value: Given): string | undefined | null {
  if (value === undefined) return undefined
  const texts: string[] = []
  for (const part of Array.isArray(value) ? value : [value]) {
    if (typeof part === 'string') texts.push(part)
    else if (part instanceof Uint8Array) texts.push(Buffer.from(part).toString())
    else return null
  }
  return texts.join('\n')
}

/** The same for what there can be several identities of; the native side has one. */
function onePem(value: Given): string | undefined | null {
  return Array.isArray(value) && value.length > 1 ? null : pem(value)
}

/** RFC 7301, section 3.1: each name after a byte of its length. */
function wireAlpn(protocols: NonNullable<TLSConnectionOptions['ALPNProtocols']>): Uint8Array {
  if (!Array.isArray(protocols)) return Buffer.from(protocols as Uint8Array)
  return Buffer.concat(
    protocols.flatMap((protocol) => {
      const name = Buffer.from(protocol as string)
      return [Buffer.of(name.length), name]
    }),
  )
}
