import { readFile } from 'node:fs/promises'
import tls, {
  type PeerCertificate,
  type SecureContext,
  type ConnectionOptions as TLSConnectionOptions,
} from 'node:tls'
import type { Failure } from '../failures/failure.js'
import type { TlsRetry } from '../failures/finality.js'
import { networkFailure, systemFailure } from '../failures/system-failure.js'
import { notPemFailure } from '../failures/tls-failure.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { TLSParameters } from '../options/tls-parameters.js'
import { systemError } from '../support/errno.js'
import { isPlainPath } from '../support/printable.js'

/** In place of the check that the certificate is for the host: with `tlsInsecure` any host will do. */
export function anyHost(_host: string, _certificate: PeerCertificate): undefined {}

/**
 * How the client speaks TLS, whichever options said it: as options of `tls.connect()`, with the contents of files
 * instead of their paths. Null for a client without TLS. Read anew for each connection, so that renewed
 * certificates are taken up.
 * @throws {MqttError} a file cannot be read
 */
export async function tlsOptions(settings: ClientSettings): Promise<TLSConnectionOptions | null> {
  const { tlsParams, tlsContext, tlsInsecure } = settings
  if (tlsParams === null && tlsContext === null) return null
  const options = tlsParams === null ? fromContext(tlsContext ?? {}) : await fromParameters(tlsParams)
  // As in Python: to check the host is to require a certificate that is trusted.
  if (tlsInsecure === false) options.rejectUnauthorized = true
  if (tlsInsecure === true) options.checkServerIdentity = anyHost
  return options
}

/** Whether a later attempt may have other options, and other contents of the files that they name. */
export function tlsRetry({ tlsParams, isTlsContextFixed }: ClientSettings): TlsRetry {
  if (!isTlsContextFixed) return { options: 'later', contents: 'later' }
  const { caCerts, certfile, keyfile } = tlsParams ?? {}
  const hasFiles = [caCerts, certfile, keyfile].some((value) => typeof value === 'string' && !isPem(value))
  return { options: 'never', contents: hasFiles ? 'later' : 'never' }
}

function fromContext(context: SecureContext | TLSConnectionOptions): TLSConnectionOptions {
  if ('context' in context) return { secureContext: context }
  const given = Object.entries(context).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(given)
}

async function fromParameters(parameters: TLSParameters): Promise<TLSConnectionOptions> {
  const { caCerts, certfile, keyfile, certReqs, tlsVersion, ciphers, keyfilePassword } = parameters
  const options: TLSConnectionOptions = { rejectUnauthorized: certReqs !== 0 && certReqs !== 'none' }
  const [ca, cert, key] = await Promise.all([
    readPem('caCerts', caCerts),
    readPem('certfile', certfile),
    readPem('keyfile', keyfile),
  ])
  if (ca !== undefined) options.ca = ca
  if (cert !== undefined) {
    options.cert = cert
    // As in Python: without a file of its own the key is in that of the certificate.
    options.key = key ?? cert
  }
  if (keyfilePassword !== null) options.passphrase = Buffer.from(keyfilePassword).toString()
  if (ciphers !== null) options.ciphers = withBothVersions(ciphers)
  if (tlsVersion !== null) {
    const [least, greatest] = typeof tlsVersion === 'string' ? [tlsVersion, tlsVersion] : tlsVersion
    options.minVersion = least
    options.maxVersion = greatest
  }
  return options
}

function isPem(text: string): boolean {
  return text.includes('-----BEGIN ')
}

/** PEM is taken as it is; anything else is the path of a PEM file. */
async function readPem(name: string, value: string | null): Promise<string | undefined> {
  if (value === null) return undefined
  if (isPem(value)) return value
  let text: string
  try {
    text = await readFile(value, 'utf8')
  } catch (error) {
    throw unreadable(name, value, error).error()
  }
  if (!isPem(text)) throw notPemFailure(value).error()
  return text
}

/** The error of the file system has the path in it, which may be a key that somebody has given in its place. */
function unreadable(name: string, value: string, error: unknown): Failure {
  const { errno } = error as NodeJS.ErrnoException
  if (isPlainPath(value) || errno === undefined) return networkFailure(error, value)
  const where = `${name}: ${value.length} characters that look like no path`
  return systemFailure(systemError(-errno, 'open', where), where, 'give-pem')
}

/**
 * Node takes a list without ciphers for TLS 1.2 as a wish to speak TLS 1.3 alone. In Python's parameters that wish is
 * `tlsVersion`; `ciphers` leaves those of a version that it does not name as they are.
 */
function withBothVersions(ciphers: string): string {
  const isOld = (name: string) => !name.startsWith('TLS_')
  const names = ciphers.split(':')
  return names.some(isOld) ? ciphers : [...names, ...tls.DEFAULT_CIPHERS.split(':').filter(isOld)].join(':')
}
