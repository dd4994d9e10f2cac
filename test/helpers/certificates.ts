import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate and its key, in PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
  /** The certificate's serial number, for a revocation list. */
  readonly serial: Buffer
}

/** What a test may choose about a certificate. */
export interface CertificateOptions {
  /** Host names and IPv4 addresses that it is for. */
  hosts?: string[]
  /** Its common name. */
  name?: string
  from?: Date
  to?: Date
  /** With what its key is encrypted. */
  passphrase?: string
}

const DAY = 24 * 60 * 60 * 1000

/** A certificate authority of a test's own, which signs with ECDSA. */
export class Authority implements Identity {
  readonly certificate: string
  readonly key: string
  readonly serial: Buffer
  readonly #name: string
  readonly #key: KeyObject

  private constructor(name: string, issuer: Authority | null, hosts: string[] = []) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#name = name
    this.#key = privateKey
    this.serial = randomBytes(8).fill(1, 0, 1)
    this.key = pemOfKey(privateKey)
    const extensions = [
      extension('2.5.29.19', true, sequence(BOOLEAN_TRUE)),
      // Signs certificates, revocation lists, and as a server itself.
      extension('2.5.29.15', true, der(0x03, Buffer.of(1, 0x86))),
      extension('2.5.29.14', false, der(0x04, keyIdentifier(publicKey))),
      ...(hosts.length > 0 ? [alternativeNames(hosts)] : []),
    ]
    const signer = issuer ?? this
    this.certificate = signer.#sign(name, publicKey, this.serial, yesterday(), inAYear(), extensions)
  }

  /** An authority that vouches for itself; with `hosts` its certificate is a server's, too. */
  static root(name = 'Test Root', hosts: string[] = []): Authority {
    return new Authority(name, null, hosts)
  }

  /** An authority that this one vouches for. */
  intermediate(name = 'Test Intermediate'): Authority {
    return new Authority(name, this)
  }

  /** A certificate for servers and clients. */
  issue(options: CertificateOptions = {}): Identity {
    const { hosts = ['localhost', '127.0.0.1'], name = hosts[0] ?? 'nobody', passphrase } = options
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const serial = randomBytes(8).fill(1, 0, 1)
    const { from = yesterday(), to = inAYear() } = options
    const extensions = hosts.length > 0 ? [alternativeNames(hosts)] : []
    const certificate = this.#sign(name, publicKey, serial, from, to, extensions)
    return { certificate, key: pemOfKey(privateKey, passphrase), serial }
  }

  /** A list of certificates that are no longer good. */
  revoke(...revoked: Identity[]): string {
    const entries = revoked.map(({ serial }) => sequence(integer(serial), time(yesterday())))
    const list = sequence(
      integer(Buffer.of(1)),
      ECDSA_WITH_SHA256,
      distinguishedName(this.#name),
      time(yesterday()),
      time(inAYear()),
      ...(entries.length > 0 ? [sequence(...entries)] : []),
    )
    return pem('X509 CRL', this.#signed(list))
  }

  #sign(
    name: string,
    key: KeyObject,
    serial: Buffer,
    from: Date,
    to: Date,
    extensions: readonly Buffer[],
  ): string {
    const body = sequence(
      der(0xa0, integer(Buffer.of(2))),
      integer(serial),
      ECDSA_WITH_SHA256,
      distinguishedName(this.#name),
      sequence(time(from), time(to)),
      distinguishedName(name),
      key.export({ type: 'spki', format: 'der' }),
      ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []),
    )
    return pem('CERTIFICATE', this.#signed(body))
  }

  #signed(body: Buffer): Buffer {
    const signature = sign('sha256', body, this.#key)
    return sequence(body, ECDSA_WITH_SHA256, der(0x03, Buffer.concat([Buffer.of(0), signature])))
  }
}

function yesterday(): Date {
  return new Date(Date.now() - DAY)
}

function inAYear(): Date {
  return new Date(Date.now() + 365 * DAY)
}

// --- X.509 (RFC 5280) ----------------------------------------------------------------------------------------------

const BOOLEAN_TRUE = der(0x01, Buffer.of(0xff))
const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'))

function extension(identifier: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(identifier), ...(isCritical ? [BOOLEAN_TRUE] : []), der(0x04, value))
}

function alternativeNames(hosts: readonly string[]): Buffer {
  return extension('2.5.29.17', false, sequence(...hosts.map(generalName)))
}

function generalName(host: string): Buffer {
  return isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host))
}

/** A name with nothing but a common name. */
function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(objectIdentifier('2.5.4.3'), der(0x0c, Buffer.from(name)))))
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return der(0x18, Buffer.from(digits))
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}

function pemOfKey(key: KeyObject, passphrase?: string): string {
  const plain = { type: 'pkcs8', format: 'pem' } as const
  return String(
    key.export(passphrase === undefined ? plain : { ...plain, cipher: 'aes-256-cbc', passphrase }),
  )
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

// --- DER -----------------------------------------------------------------------------------------------------------

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes)
}

function objectIdentifier(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [40 * first + second]
  for (const value of rest) {
    const digits = [value & 0x7f]
    for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return der(0x06, Buffer.from(bytes))
}
