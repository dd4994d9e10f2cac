import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ConnectionOptions, rootCertificates, type SecureVersion } from 'node:tls'
import type { ClientOptions } from '../options/client-options.js'
import { CommandError } from './command-error.js'

/** What the options for TLS say, as commander gives it. */
export interface TlsFlags {
  cafile?: string
  capath?: string
  tlsUseOsCerts?: boolean
  cert?: string
  key?: string
  insecure?: boolean
  tlsVersion?: 'tlsv1.1' | 'tlsv1.2' | 'tlsv1.3'
  tlsAlpn?: string
  ciphers?: string
  psk?: string
  pskIdentity?: string
}

const VERSIONS: Readonly<Record<NonNullable<TlsFlags['tlsVersion']>, SecureVersion>> = {
  'tlsv1.1': 'TLSv1.1',
  'tlsv1.2': 'TLSv1.2',
  'tlsv1.3': 'TLSv1.3',
}

/** Those of TLS 1.3, which a list of older ones leaves as they are. */
const NEWEST_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'

/** Where systems keep all that they trust in one file; SSL_CERT_FILE comes before them. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** Whether one of them turns TLS on. */
export function isTls({ cafile, capath, tlsUseOsCerts, psk }: TlsFlags): boolean {
  return cafile !== undefined || capath !== undefined || tlsUseOsCerts === true || psk !== undefined
}

/**
 * The client's options for TLS; none without it.
 * @param isSecure whether the URL or the port asks for TLS
 * @throws {CommandError} options that make no sense together, or a file that cannot be read
 */
export async function readTls(
  flags: TlsFlags,
  isSecure: boolean,
): Promise<Pick<ClientOptions, 'tlsContext' | 'tlsInsecure'>> {
  if (!isSecure && !isTls(flags)) {
    const name = ['cert', 'key', 'insecure', 'tlsVersion', 'tlsAlpn', 'ciphers', 'pskIdentity'].find(
      (key) => flags[key as keyof TlsFlags] !== undefined,
    )
    if (name === undefined) return {}
    const option = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    throw new CommandError(
      `--${option} needs TLS: --cafile, --capath, --tls-use-os-certs, -p 8883 or a URL with mqtts:`,
    )
  }
  const options: ConnectionOptions = {}
  if (flags.tlsVersion !== undefined) options.minVersion = VERSIONS[flags.tlsVersion]
  if (flags.tlsAlpn !== undefined) options.ALPNProtocols = [flags.tlsAlpn]
  if (flags.psk !== undefined) return { tlsContext: { ...options, ...sharedKey(flags) } }
  if (flags.pskIdentity !== undefined) throw new CommandError('--psk-identity needs --psk')
  const ca = await trusted(flags)
  if (ca.length > 0) options.ca = ca
  if (flags.cert !== undefined) options.cert = await read('--cert', flags.cert)
  if (flags.key !== undefined) options.key = await read('--key', flags.key)
  if ((flags.cert === undefined) !== (flags.key === undefined)) {
    throw new CommandError('--cert and --key need each other')
  }
  if (flags.ciphers !== undefined) options.ciphers = withNewest(flags.ciphers)
  return { tlsContext: options, tlsInsecure: flags.insecure }
}

/** TLS-PSK needs no certificates: who has the key is the broker. */
function sharedKey({ psk = '', pskIdentity, ciphers, cafile, capath }: TlsFlags): ConnectionOptions {
  if (pskIdentity === undefined) throw new CommandError('--psk needs --psk-identity')
  if (cafile !== undefined || capath !== undefined) {
    throw new CommandError('--psk cannot be used together with --cafile or --capath')
  }
  if (!/^([\da-f]{2})+$/i.test(psk)) throw new CommandError('--psk must be a key in hexadecimal digits')
  const key = Buffer.from(psk, 'hex')
  return {
    // Brokers offer keys up to TLS 1.2, where they have ciphers of their own.
    ciphers: ciphers ?? 'PSK',
    maxVersion: 'TLSv1.2',
    pskCallback: () => ({ psk: key, identity: pskIdentity }),
    checkServerIdentity: () => undefined,
  }
}

/** The certificates that are trusted, none for Node's own. */
async function trusted({ cafile, capath, tlsUseOsCerts }: TlsFlags): Promise<string[]> {
  const ca: string[] = []
  if (cafile !== undefined) ca.push(await read('--cafile', cafile))
  if (capath !== undefined) ca.push(...(await readFolder(capath)))
  if (tlsUseOsCerts) ca.push(...rootCertificates, ...(await systemCertificates()))
  return ca
}

async function systemCertificates(): Promise<string[]> {
  const file = [process.env.SSL_CERT_FILE ?? '', ...SYSTEM_FILES].find((name) => existsSync(name))
  return file === undefined ? [] : [await read('--tls-use-os-certs', file)]
}

async function read(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new CommandError(`${option} cannot be read: ${(error as Error).message}`)
  }
}

/** A certificate stands in a folder once as itself and once by the hash of its name: that does no harm. */
async function readFolder(folder: string): Promise<string[]> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    throw new CommandError(`--capath cannot be read: ${(error as Error).message}`)
  }
  const files = names.filter((name) => /\.(crt|pem|cer|\d+)$/.test(name))
  const texts = await Promise.all(files.map((name) => read('--capath', join(folder, name))))
  const certificates = texts.filter((text) => text.includes('-----BEGIN CERTIFICATE'))
  if (certificates.length === 0) throw new CommandError(`--capath has no certificates: ${folder}`)
  return [...new Set(certificates)]
}

function withNewest(ciphers: string): string {
  return ciphers.split(':').some((name) => name.startsWith('TLS_')) ? ciphers : `${NEWEST_CIPHERS}:${ciphers}`
}
