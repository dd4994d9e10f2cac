/**
 * What may be done about a failure. Failures carry the key; each interface has its own words for it, in the names of
 * its own options: {@link LIBRARY_ADVICE} those of the library, `ts/cli/advice.ts` the flags of the command line.
 */
export type Advice =
  // TLS
  | 'trust-self-signed'
  | 'trust-issuer'
  | 'trust-chain'
  | 'renew-certificate'
  | 'check-clock'
  | 'certificate-revoked'
  | 'add-revocation-list'
  | 'use-name-in-certificate'
  | 'broker-without-tls'
  | 'broker-with-tls'
  | 'no-common-version'
  | 'no-common-cipher'
  | 'give-certificate'
  | 'unknown-psk-identity'
  | 'certificate-not-accepted'
  | 'no-common-alpn'
  | 'key-password'
  | 'key-of-certificate'
  | 'unreadable-key'
  | 'give-pem'
  | 'unknown-cipher'
  // The network
  | 'no-permission'
  | 'nothing-listens'
  | 'closed-at-once'
  | 'no-route'
  | 'no-network'
  | 'no-such-socket'
  | 'no-answer'
  | 'name-server-silent'
  | 'name-unknown'
  // WebSocket
  | 'websocket-path'
  | 'websocket-credentials'
  | 'websocket-refused'
  | 'websocket-subprotocol'
  | 'no-web-server'
  // CONNACK
  | 'connect-not-understood'
  | 'other-version'
  | 'other-identifier'
  | 'check-credentials'
  | 'not-authorized'
  | 'broker-not-ready'
  | 'broker-busy'
  | 'banned'
  | 'authentication-method'
  | 'connect-too-large'
  | 'broker-quota'
  | 'will-payload'
  | 'will-retain'
  | 'will-qos'
  | 'another-server'
  | 'server-moved'
  | 'connection-rate'

const NEW_ROOT = 'give the certificate of the authority that issued it as caCerts (tlsContext: ca)'

/** What the library's own messages add; the other advice is the documentation's and the command line's. */
export const LIBRARY_ADVICE: Readonly<Partial<Record<Advice, string>>> = {
  'trust-self-signed': 'To trust this certificate, give it as caCerts (tlsContext: ca).',
  'trust-issuer': `To trust it, ${NEW_ROOT}.`,
  'trust-chain': `To trust it, ${NEW_ROOT}; or the broker must send the certificates between that one and its own.`,
  'renew-certificate':
    "The broker's certificate, or one of those above it, must be renewed, unless this machine's clock is wrong.",
  'check-clock': "Is this machine's clock right?",
  'certificate-revoked': 'Its issuer has revoked it: the broker needs another one.',
  'add-revocation-list': 'With crl, every issuer in the chain must have a revocation list there.',
  'use-name-in-certificate':
    'Connect by a name that is in the certificate, or give tlsInsecure: true not to check it.',
  'broker-without-tls':
    'Does the broker speak TLS there? Its port for it is usually 8883. Without TLS, leave the options for it out.',
  'broker-with-tls': 'Is that its port for TLS? Then give tlsParams.',
  'no-common-version': 'Broker and client have no version of TLS in common: see tlsVersion.',
  'no-common-cipher':
    'Broker and client have no cipher in common, or the broker wants a certificate of the client: see ciphers, certfile and keyfile.',
  'give-certificate': 'The broker wants a certificate of this client: give certfile and keyfile.',
  'unknown-psk-identity': 'The broker does not know the identity that pskCallback gave.',
  'certificate-not-accepted': "The broker does not accept this client's certificate.",
  'no-common-alpn': 'The broker takes none of ALPNProtocols.',
  'key-password': 'Its password, keyfilePassword (tlsContext: passphrase), is wrong or missing.',
  'key-of-certificate':
    "It must be that of the first certificate in certfile: the client's own one comes first, those above it after it.",
  'unreadable-key':
    'Nothing in it can be read: is it complete, the file that was meant, and its password the right one?',
  'give-pem': 'It must be text in PEM format, which begins with -----BEGIN.',
  'unknown-cipher': 'OpenSSL knows none of these names.',
}
