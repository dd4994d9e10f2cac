import { MqttError } from '../mqtt/errors.js'

/** What TLS did not like. */
export interface TlsFault {
  /** Node's code for it: `CERT_HAS_EXPIRED`, `ERR_SSL_WRONG_VERSION_NUMBER`. */
  readonly code: string
  /** What it was about, if it was not the connection: `the private key`. */
  readonly part: string
  /** OpenSSL's words. */
  readonly reason: string
  /** Whether the broker's certificate was refused. */
  readonly isVerification: boolean
}

const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID'

/** As OpenSSL finds it. */
export const NOT_PEM: TlsFault = {
  code: 'ERR_OSSL_PEM_NO_START_LINE',
  part: '',
  reason: 'no start line',
  isVerification: false,
}

/** The results of OpenSSL's verification, with Node's codes (`X509_V_ERR_…` of <openssl/x509_vfy.h>). */
const VERIFICATION: ReadonlyMap<number, readonly [code: string, reason: string]> = new Map([
  [2, ['UNABLE_TO_GET_ISSUER_CERT', 'unable to get issuer certificate']],
  [3, ['UNABLE_TO_GET_CRL', 'unable to get certificate CRL']],
  [4, ['UNABLE_TO_DECRYPT_CERT_SIGNATURE', "unable to decrypt certificate's signature"]],
  [5, ['UNABLE_TO_DECRYPT_CRL_SIGNATURE', "unable to decrypt CRL's signature"]],
  [6, ['UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', 'unable to decode issuer public key']],
  [7, ['CERT_SIGNATURE_FAILURE', 'certificate signature failure']],
  [8, ['CRL_SIGNATURE_FAILURE', 'CRL signature failure']],
  [9, ['CERT_NOT_YET_VALID', 'certificate is not yet valid']],
  [10, ['CERT_HAS_EXPIRED', 'certificate has expired']],
  [11, ['CRL_NOT_YET_VALID', 'CRL is not yet valid']],
  [12, ['CRL_HAS_EXPIRED', 'CRL has expired']],
  [18, ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate']],
  [19, ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain']],
  [20, ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unable to get local issuer certificate']],
  [21, ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify the first certificate']],
  [22, ['CERT_CHAIN_TOO_LONG', 'certificate chain too long']],
  [23, ['CERT_REVOKED', 'certificate revoked']],
  [24, ['INVALID_CA', 'invalid CA certificate']],
  [25, ['PATH_LENGTH_EXCEEDED', 'path length constraint exceeded']],
  [26, ['INVALID_PURPOSE', 'unsuitable certificate purpose']],
  [27, ['CERT_UNTRUSTED', 'certificate not trusted']],
  [28, ['CERT_REJECTED', 'certificate rejected']],
  [62, [WRONG_NAME, 'hostname mismatch']],
  [64, [WRONG_NAME, 'IP address mismatch']],
])

const REASONS: ReadonlyMap<string, string> = new Map(VERIFICATION.values())

/** Whether this is Node's code for a certificate that was not accepted here. */
export function isVerificationCode(code: string): boolean {
  return REASONS.has(code)
}

/** The libraries within OpenSSL that Node names in its codes; other errors have none (<openssl/err.h>). */
const LIBRARIES: ReadonlyMap<number, string> = new Map([
  [3, 'OSSL_BN_'],
  [4, 'OSSL_RSA_'],
  [5, 'OSSL_DH_'],
  [6, 'OSSL_EVP_'],
  [9, 'OSSL_PEM_'],
  [10, 'OSSL_DSA_'],
  [11, 'OSSL_X509_'],
  [13, 'OSSL_ASN1_'],
  [15, 'OSSL_CRYPTO_'],
  [16, 'OSSL_EC_'],
  [20, 'SSL_'],
  [34, 'OSSL_X509V3_'],
  [35, 'OSSL_PKCS12_'],
])

/** What the native side calls the options of which a context is made. */
const PARTS: Readonly<Record<string, string>> = {
  ca: 'the trusted certificates',
  crl: 'the revocation list',
  certificate: 'the certificate',
  key: 'the private key',
  ciphers: 'the ciphers',
  cipherSuites: 'the ciphers',
  groups: 'the groups',
  signatureAlgorithms: 'the signature algorithms',
  version: 'the TLS versions',
  alpn: 'the ALPN protocols',
}

const NEW_ROOT = 'give the certificate of the authority that issued it as caCerts (tlsContext: ca)'
const NOT_TLS =
  'Does the broker speak TLS there? Its port for it is usually 8883. Without TLS, leave the options for it out.'
const NOT_ACCEPTED = "The broker does not accept this client's certificate."
const NO_PASSWORD = 'Its password, keyfilePassword (tlsContext: passphrase), is wrong or missing.'
const NO_PEM = 'It must be text in PEM format, which begins with -----BEGIN.'
const NOTHING_IN_COMMON =
  'Broker and client have no cipher in common, or the broker wants a certificate of the client: see ciphers, certfile and keyfile.'
const NO_VERSION = 'Broker and client have no version of TLS in common: see tlsVersion.'

/** What to do about it, by Node's code. The first pattern that fits counts. */
const ADVICE: ReadonlyArray<readonly [pattern: RegExp, advice: string]> = [
  [/^DEPTH_ZERO_SELF_SIGNED_CERT$/, 'To trust this certificate, give it as caCerts (tlsContext: ca).'],
  [/^(SELF_SIGNED_CERT_IN_CHAIN|INVALID_CA|CERT_SIGNATURE_FAILURE)$/, `To trust it, ${NEW_ROOT}.`],
  [
    /^UNABLE_TO_(GET_ISSUER_CERT|GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/,
    `To trust it, ${NEW_ROOT}; or the broker must send the certificates between that one and its own.`,
  ],
  [
    /^CERT_HAS_EXPIRED$/,
    "The broker's certificate, or one of those above it, must be renewed, unless this machine's clock is wrong.",
  ],
  [/^CERT_NOT_YET_VALID$/, "Is this machine's clock right?"],
  [/^CERT_REVOKED$/, 'Its issuer has revoked it: the broker needs another one.'],
  [/^UNABLE_TO_GET_CRL$/, 'With crl, every issuer in the chain must have a revocation list there.'],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    'Connect by a name that is in the certificate, or give tlsInsecure: true not to check it.',
  ],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|BAD_RECORD_TYPE|UNEXPECTED_EOF_\w+)$/,
    NOT_TLS,
  ],
  [/(ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE)$/, NO_VERSION],
  [/ALERT_HANDSHAKE_FAILURE$/, NOTHING_IN_COMMON],
  [
    /ALERT_CERTIFICATE_REQUIRED$/,
    'The broker wants a certificate of this client: give certfile and keyfile.',
  ],
  [/ALERT_UNKNOWN_PSK_IDENTITY$/, 'The broker does not know the identity that pskCallback gave.'],
  [/ALERT_(UNKNOWN_CA|(BAD_|UNSUPPORTED_)?CERTIFICATE(_\w+)?|DECRYPT_ERROR|ACCESS_DENIED)$/, NOT_ACCEPTED],
  [/ALERT_NO_APPLICATION_PROTOCOL$/, 'The broker takes none of ALPNProtocols.'],
  [/(BAD_DECRYPT|BAD_PASSWORD_READ|INTERRUPTED_OR_CANCELLED|MISSING_PASSPHRASE)$/, NO_PASSWORD],
  [
    /KEY_(VALUES|TYPE)_MISMATCH$/,
    "It must be that of the first certificate in certfile: the client's own one comes first, those above it after it.",
  ],
  // A wrong password looks like the right one to OpenSSL one time in 256.
  [
    /^ERR_OSSL_UNSUPPORTED$/,
    'Nothing in it can be read: is it complete, the file that was meant, and its password the right one?',
  ],
  [/(NO_START_LINE|BAD_BASE64_DECODE|BAD_END_LINE)$/, NO_PEM],
  [/(NO_CIPHER_MATCH|INVALID_CIPHER\w*)$/, 'OpenSSL knows none of these names.'],
]

/**
 * What the native side reports.
 * @param verification the result of the verification, 0 if it was not what failed
 * @param text OpenSSL's error, after the name of the option that it is about if there is one
 */
export function nativeTlsFault(verification: number, text: string): TlsFault {
  if (verification !== 0) {
    const [code, reason] = VERIFICATION.get(verification) ?? [
      'CERT_REJECTED',
      `verification error ${verification}`,
    ]
    return { code, reason, part: '', isVerification: true }
  }
  const [, option = ''] = /^(\w+): /.exec(text) ?? []
  return { ...opensslFault(text), part: PARTS[option] ?? '' }
}

/** What `node:tls` reports; null for an error that is not about TLS. */
export function nodeTlsFault(error: unknown): TlsFault | null {
  const { code = '', message } = error as NodeJS.ErrnoException
  // Node's own check of the name says which names there are.
  const reason = code === WRONG_NAME ? message : REASONS.get(code)
  if (reason !== undefined) return { code, reason, part: '', isVerification: true }
  // An alert that comes while something is written is an EPROTO; OpenSSL's words are in its text.
  const fault = opensslFault(message)
  if (/^ERR_(SSL|OSSL)_/.test(code)) return { ...fault, code }
  if (fault.code !== '') return fault
  return code.startsWith('ERR_TLS_') ? { ...fault, code } : null
}

/** From `error:0A00010B:SSL routines:function:wrong version number`. */
function opensslFault(text: string): TlsFault {
  const match = /error:([\dA-F]{8}):[^:]*:[^:]*:([^:\n]*)/i.exec(text)
  if (match === null) return { code: '', reason: text, part: '', isVerification: false }
  const [, digits = '', reason = ''] = match
  const library = LIBRARIES.get((Number.parseInt(digits, 16) >>> 23) & 0xff) ?? 'OSSL_'
  return { code: `ERR_${library}${constant(reason)}`, reason, part: '', isVerification: false }
}

/** As Node does it. */
function constant(reason: string): string {
  return reason.toUpperCase().replaceAll(' ', '_')
}

/**
 * The error for it, as Python words it, followed by what to do. Its cause has Node's code.
 * @param where `host:port`
 */
export function tlsError(fault: TlsFault, where: string): MqttError {
  return new MqttError(`${summary(fault)} (${where})${advice(fault.code)}`, {
    code: 'ERR_MQTT_TLS',
    cause: tlsCause(fault, where),
  })
}

/**
 * The error for a stream that was lost in the middle of the handshake: what a server does that takes our first
 * packet for nonsense.
 * @param reason Python's text for what happened
 */
export function handshakeError(reason: string, where: string, cause: unknown): MqttError {
  return new MqttError(`${reason} (${where}). ${NOT_TLS}`, { code: 'ERR_MQTT_TLS', cause })
}

/** It as a cause: an error with Node's code. */
export function tlsCause(fault: TlsFault, where: string): Error {
  const subject = fault.part === '' ? '' : `${fault.part}: `
  const cause = Object.assign(new Error(`${subject}${fault.reason} (${where})`), { code: fault.code })
  // No line of JavaScript has to do with it.
  cause.stack = `Error: ${cause.message}`
  return cause
}

function summary({ part, reason, isVerification }: TlsFault): string {
  if (isVerification) return `[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ${reason}`
  const subject = part === '' ? '' : `${part}: `
  return reason === '' ? `${subject}TLS failed` : `[SSL: ${constant(reason)}] ${subject}${reason}`
}

function advice(code: string): string {
  const [, text] = ADVICE.find(([pattern]) => pattern.test(code)) ?? []
  return text === undefined ? '' : `. ${text}`
}
