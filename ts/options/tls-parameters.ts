import { isUtf8 } from 'node:buffer'
import type { SecureVersion } from 'node:tls'
import { type InspectOptions, inspect, types } from 'node:util'
import { checkOptionalText } from '../mqtt/fields.js'
import { copiedBytes } from '../support/bytes.js'
import { inspectFields } from '../support/inspection.js'
import { isPlainPath } from '../support/printable.js'
import { checkKeys, describeType, rangeError, typeError } from '../support/validate.js'

/** Whether the broker must show a certificate: 0 `'none'`, 1 `'optional'`, 2 `'required'`. */
export type CertReqs = 0 | 1 | 2 | 'none' | 'optional' | 'required'

/** One version of TLS, or the least and the greatest. */
export type TLSVersion = SecureVersion | readonly [min: SecureVersion, max: SecureVersion]

/** TLS parameters as an object literal. */
export interface TLSParametersLiteral {
  /**
   * The certificates that are trusted, as the path of a PEM file or as PEM text, like all of these; Node's own and
   * those of `NODE_EXTRA_CA_CERTS` when absent.
   * @defaultValue Node's certificates
   */
  caCerts?: string | null | undefined
  /**
   * The client's certificate, followed by those above it.
   * @defaultValue none
   */
  certfile?: string | null | undefined
  /**
   * The client's private key.
   * @defaultValue the one in `certfile`
   */
  keyfile?: string | null | undefined
  /**
   * Whether the broker must show a certificate that is trusted and for this host. Every broker shows one, so that
   * `'optional'` is the same as `'required'`, as in Python.
   * @defaultValue `'required'`
   */
  certReqs?: CertReqs | null | undefined
  /**
   * The version of TLS, or the least and the greatest.
   * @defaultValue Node's: TLS 1.2 or later
   */
  tlsVersion?: TLSVersion | null | undefined
  /**
   * The ciphers that are allowed, in OpenSSL's notation. Names that begin with `TLS_` are those
   * of TLS 1.3, the others those of older versions; a version of which none is named keeps Node's.
   * @defaultValue Node's
   */
  ciphers?: string | null | undefined
  /**
   * What the private key is encrypted with.
   * @defaultValue none
   */
  keyfilePassword?: string | Uint8Array | null | undefined
}

const KEYS = new Set([
  'caCerts',
  'certfile',
  'keyfile',
  'certReqs',
  'tlsVersion',
  'ciphers',
  'keyfilePassword',
])
const CERT_REQS: ReadonlySet<unknown> = new Set([0, 1, 2, 'none', 'optional', 'required'])
const VERSIONS: ReadonlySet<unknown> = new Set(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'])

/** How to speak TLS, as aiomqtt's `TLSParameters`. Frozen; what was not given is null. */
export class TLSParameters {
  /** Whether the broker's certificate is checked. */
  readonly certReqs: CertReqs | null
  /** The version of TLS, or the least and the greatest. */
  readonly tlsVersion: TLSVersion | null
  /** The ciphers that are allowed. */
  readonly ciphers: string | null
  // Private, so that no log ever shows a key.
  readonly #caCerts: string | null
  readonly #certfile: string | null
  readonly #keyfile: string | null
  readonly #keyfilePassword: string | Uint8Array | null

  /** @throws TypeError for an unknown key or a wrong type, RangeError for an unknown value */
  constructor(parameters: TLSParametersLiteral = {}) {
    checkKeys('TLSParameters()', parameters, KEYS)
    this.#caCerts = checkOptionalText('caCerts', parameters.caCerts)
    this.#certfile = checkOptionalText('certfile', parameters.certfile)
    this.#keyfile = checkOptionalText('keyfile', parameters.keyfile)
    this.certReqs = checkCertReqs(parameters.certReqs ?? null)
    this.tlsVersion = checkVersion(parameters.tlsVersion ?? null)
    this.ciphers = checkOptionalText('ciphers', parameters.ciphers)
    this.#keyfilePassword = checkPassword(parameters.keyfilePassword ?? null)
    Object.freeze(this)
  }

  /** The certificates that are trusted, as a path or as PEM. */
  get caCerts(): string | null {
    return this.#caCerts
  }

  /** The client's certificate, as a path or as PEM. */
  get certfile(): string | null {
    return this.#certfile
  }

  /** The client's private key, as a path or as PEM. */
  get keyfile(): string | null {
    return this.#keyfile
  }

  /** What the private key is encrypted with. No log shows it. */
  get keyfilePassword(): string | Uint8Array | null {
    return this.#keyfilePassword
  }

  /** The parameters, without what is secret or may be: `keyfilePassword`, and keys in the place of paths. */
  toJSON(): Record<string, unknown> {
    const { caCerts, certfile, keyfile, certReqs, tlsVersion, ciphers } = this
    const paths = { caCerts: shown(caCerts), certfile: shown(certfile), keyfile: shown(keyfile) }
    return { ...paths, certReqs, tlsVersion, ciphers }
  }

  /** The same. @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    return inspectFields('TLSParameters', this.toJSON(), depth, options)
  }
}

/** A path; certificates and keys, and what may be one, are hidden. */
function shown(value: string | null): string | null {
  return value === null || isPlainPath(value) ? value : '[hidden]'
}

function checkCertReqs(value: CertReqs | null): CertReqs | null {
  if (value === null || CERT_REQS.has(value)) return value
  if (typeof value !== 'number' && typeof value !== 'string') {
    throw typeError(`certReqs must be a number or a string, not ${describeType(value)}`)
  }
  throw rangeError(`certReqs must be 0, 1, 2, 'none', 'optional' or 'required', not ${value}`)
}

function checkVersion(value: TLSVersion | null): TLSVersion | null {
  if (value === null) return null
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw typeError(`tlsVersion must be a string or a pair of strings, not ${describeType(value)}`)
  }
  const versions = typeof value === 'string' ? [value] : value
  if (typeof value !== 'string' && versions.length !== 2) {
    throw rangeError('tlsVersion must be one version of TLS or the least and the greatest')
  }
  for (const version of versions) {
    if (!VERSIONS.has(version)) {
      throw rangeError(`tlsVersion must be of ${[...VERSIONS].join(', ')}, not ${version}`)
    }
  }
  if (versions.length === 2 && String(versions[0]) > String(versions[1])) {
    throw rangeError(
      `tlsVersion must not have ${versions[0]} as the least and ${versions[1]} as the greatest`,
    )
  }
  return typeof value === 'string' ? value : Object.freeze([value[0], value[1]] as const)
}

function checkPassword(value: unknown): string | Uint8Array | null {
  if (value === null || typeof value === 'string') return value
  if (types.isUint8Array(value)) {
    const password = copiedBytes('keyfilePassword', value)
    if (!isUtf8(password)) throw rangeError('keyfilePassword must be UTF-8')
    return password
  }
  throw typeError(`keyfilePassword must be a string or a Uint8Array, not ${describeType(value)}`)
}
