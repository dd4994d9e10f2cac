import type { Advice } from './advice.js'
import { Failure, withoutStack } from './failure.js'
import { FINAL, type Retry, type TlsRetry } from './finality.js'
import { codeOf } from './system-failure.js'

/** What TLS did not like. */
interface TlsFault {
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

/** What to do about it, by Node's code. The first pattern that fits counts. */
const ADVICE: ReadonlyArray<readonly [pattern: RegExp, advice: Advice]> = [
  [/^DEPTH_ZERO_SELF_SIGNED_CERT$/, 'trust-self-signed'],
  [/^(SELF_SIGNED_CERT_IN_CHAIN|INVALID_CA|CERT_SIGNATURE_FAILURE)$/, 'trust-issuer'],
  [/^UNABLE_TO_(GET_ISSUER_CERT|GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/, 'trust-chain'],
  [/^CERT_HAS_EXPIRED$/, 'renew-certificate'],
  [/^CERT_NOT_YET_VALID$/, 'check-clock'],
  [/^CERT_REVOKED$/, 'certificate-revoked'],
  [/^UNABLE_TO_GET_CRL$/, 'add-revocation-list'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'use-name-in-certificate'],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|BAD_RECORD_TYPE|UNEXPECTED_EOF_\w+)$/,
    'broker-without-tls',
  ],
  [/(ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE)$/, 'no-common-version'],
  [/ALERT_HANDSHAKE_FAILURE$/, 'no-common-cipher'],
  [/ALERT_CERTIFICATE_REQUIRED$/, 'give-certificate'],
  [/ALERT_UNKNOWN_PSK_IDENTITY$/, 'unknown-psk-identity'],
  [
    /ALERT_(UNKNOWN_CA|(BAD_|UNSUPPORTED_)?CERTIFICATE(_\w+)?|DECRYPT_ERROR|ACCESS_DENIED)$/,
    'certificate-not-accepted',
  ],
  [/ALERT_NO_APPLICATION_PROTOCOL$/, 'no-common-alpn'],
  [
    /(BAD_DECRYPT|BAD_PASSWORD_READ|INTERRUPTED_OR_CANCELLED|MISSING_PASSPHRASE|MAC_VERIFY_FAILURE)$/,
    'key-password',
  ],
  [/KEY_(VALUES|TYPE)_MISMATCH$/, 'key-of-certificate'],
  // A wrong password looks like the right one to OpenSSL one time in 256.
  [/^ERR_OSSL_UNSUPPORTED$/, 'unreadable-key'],
  [/(NO_START_LINE|BAD_BASE64_DECODE|BAD_END_LINE)$/, 'give-pem'],
  [/(NO_CIPHER_MATCH|INVALID_CIPHER\w*)$/, 'unknown-cipher'],
]

/**
 * What the native side reports.
 * @param verification the result of the verification, 0 if it was not what failed
 * @param text OpenSSL's error, after the name of the option that it is about if there is one
 * @param where `host:port`
 * @param retry whether the options can be others the next time
 */
export function nativeTlsFailure(
  verification: number,
  text: string,
  where: string,
  retry: TlsRetry,
): Failure {
  if (verification !== 0) {
    const [code, reason] = VERIFICATION.get(verification) ?? [
      'CERT_REJECTED',
      `verification error ${verification}`,
    ]
    return tlsFailure({ code, reason, part: '', isVerification: true }, where)
  }
  const [, option = ''] = /^(\w+): /.exec(text) ?? []
  const fault = { ...opensslFault(text), part: PARTS[option] ?? '' }
  if (option === '') return tlsFailure(fault, where, FINAL.tlsCodes.has(fault.code) ? retry.options : 'later')
  return tlsFailure(fault, where, FINAL.tlsOptions.has(option) ? retry.options : retry.contents)
}

/** What `node:tls` reports of a handshake, or of a connection; null for an error that is not about TLS. */
export function nodeTlsFailure(error: unknown, where: string): Failure | null {
  const fault = nodeTlsFault(error)
  if (fault === null) return null
  return tlsFailure(fault, where, FINAL.tlsCodes.has(fault.code) ? 'never' : 'later')
}

/**
 * What is wrong with the options, before there is a connection.
 * @param part the option that it is about, if that is known
 * @param retry whether the options can be others the next time
 */
export function tlsOptionsFailure(error: unknown, part: string, where: string, retry: Retry): Failure {
  const { code = 'ERR_CRYPTO_OPERATION_FAILED', message } = error as NodeJS.ErrnoException
  const known = nodeTlsFault(error)
  const reason = known?.reason ?? message
  return tlsFailure({ code: known?.code || code, part, reason, isVerification: false }, where, retry)
}

/**
 * The host has no name that could stand in a certificate.
 * @param where `host:port`
 */
export function noTlsNameFailure(host: string, where: string): Failure {
  const reason = `"${host}" is no name that a certificate can be for`
  const fault = { code: WRONG_NAME, part: '', reason, isVerification: true }
  return tlsFailure(fault, where, 'elsewhere')
}

/**
 * A file that should be PEM is not: as OpenSSL finds it.
 * @param where the file
 */
export function notPemFailure(where: string): Failure {
  const code = 'ERR_OSSL_PEM_NO_START_LINE'
  return tlsFailure({ code, part: '', reason: 'no start line', isVerification: false }, where)
}

/**
 * A stream was lost in the middle of the handshake: what a server does that takes our first packet for nonsense.
 * @param reason Python's text for what happened
 */
export function handshakeFailure(reason: string, where: string, cause: unknown): Failure {
  return new Failure({
    kind: 'tls',
    text: `${reason} (${where})`,
    code: 'ERR_MQTT_TLS',
    advice: 'broker-without-tls',
    cause,
  })
}

function nodeTlsFault(error: unknown): TlsFault | null {
  const code = codeOf(error)
  const message = String((error as { message?: unknown }).message)
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

/** As Python words it; the cause has Node's code. */
function tlsFailure(fault: TlsFault, where: string, retry: Retry = 'later'): Failure {
  const { code, part, reason } = fault
  const subject = part === '' ? '' : `${part}: `
  const cause = withoutStack(Object.assign(new Error(`${subject}${reason} (${where})`), { code }))
  const [, advice] = ADVICE.find(([pattern]) => pattern.test(code)) ?? []
  const text = `${summary(fault)} (${where})`
  return new Failure({ kind: 'tls', text, code: 'ERR_MQTT_TLS', retry, advice, cause })
}

function summary({ part, reason, isVerification }: TlsFault): string {
  if (isVerification) return `[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ${reason}`
  const subject = part === '' ? '' : `${part}: `
  return reason === '' ? `${subject}TLS failed` : `[SSL: ${constant(reason)}] ${subject}${reason}`
}
