import type { Advice } from '../failures/advice.js'
import { LIBRARY_ADVICE } from '../failures/advice.js'
import type { Failure } from '../failures/failure.js'

const NEW_ROOT = 'give the certificate of the authority that issued it as --cafile'

/** What may be done about a failure, by the flags of the command line; a function gets what the failure is about. */
const ADVICE: Readonly<Record<Advice, string | ((subject: string) => string)>> = {
  'trust-self-signed': 'To trust this certificate, give it as --cafile.',
  'trust-issuer': `To trust it, ${NEW_ROOT}.`,
  'trust-chain': `To trust it, ${NEW_ROOT}; or the broker must send the certificates between that one and its own.`,
  'renew-certificate':
    "The broker's certificate, or one of those above it, must be renewed, unless this machine's clock is wrong.",
  'check-clock': "Is this machine's clock right?",
  'certificate-revoked': 'Its issuer has revoked it: the broker needs another one.',
  'add-revocation-list': 'Every issuer in the chain must have a revocation list.',
  'use-name-in-certificate':
    'Connect by a name that is in the certificate, or give --insecure not to check it.',
  'broker-without-tls':
    'Does the broker speak TLS there? Its port for it is usually 8883; without TLS, use mqtt: or ws:.',
  'broker-with-tls': 'Is that its port for TLS? Then use mqtts: or wss:, or --cafile or --tls-use-os-certs.',
  'no-common-version': 'Broker and client have no version of TLS in common: see --tls-version.',
  'no-common-cipher':
    'Broker and client have no cipher in common, or the broker wants a certificate of the client: see --ciphers, --cert and --key.',
  'give-certificate': 'The broker wants a certificate of this client: give --cert and --key.',
  'unknown-psk-identity': 'The broker does not know this identity: see --psk-identity.',
  'certificate-not-accepted': "The broker does not accept this client's certificate: see --cert.",
  'no-common-alpn': 'The broker does not take this application protocol: see --tls-alpn.',
  'key-password': 'The key has a password, and the command line takes none: give a key without.',
  'key-of-certificate':
    "It must be that of the first certificate in the file of --cert: the client's own one comes first, those above it after it.",
  'unreadable-key': 'Nothing in it can be read: is it complete, and the file that was meant?',
  'give-pem': 'It must be text in PEM format, which begins with -----BEGIN.',
  'unknown-cipher': 'OpenSSL knows none of these names: see --ciphers.',

  'no-permission': 'This user may not connect there.',
  'nothing-listens':
    'The host is there, but nothing listens on this port. Is the broker running, and is it its port?',
  'closed-at-once': 'The connection was accepted, and closed at once.',
  'no-route': 'No route leads to this host. Is it switched on, and in this network?',
  'no-network': 'This machine has no network to this address.',
  'no-such-socket': 'There is no such socket. Is the broker running?',
  'no-answer': 'Nobody answered: a wrong address, or a firewall that drops packets.',
  'name-server-silent': 'The name server did not answer: is this machine connected?',
  'name-unknown': 'No name server knows this name: is it written correctly?',

  'websocket-path': (path) => `There is nothing at ${path}: see --ws-path, or the path of the URL.`,
  'websocket-credentials': 'The server wants credentials before MQTT: is there a gateway?',
  'websocket-refused': (path) => `A web server answered, but ${path} is no WebSocket: see --ws-path.`,
  'websocket-subprotocol': 'The WebSocket is not one of MQTT.',
  'no-web-server': 'No web server answered. If the broker speaks plain MQTT there, use mqtt: or mqtts:.',

  'connect-not-understood': 'The broker did not understand CONNECT: is it a broker of MQTT?',
  'other-version': 'The broker does not speak this version of MQTT: choose another one with -V.',
  'other-identifier': 'The broker does not take this client identifier: choose another one with -i.',
  'check-credentials': 'The broker knows no such user, or the password is another one: see -u and -P.',
  'not-authorized':
    'The broker wants a user name and a password (-u, -P), or its rules do not let this client in (-i).',
  'broker-not-ready': 'The broker is there, but not ready: its log says why.',
  'broker-busy': 'The broker has too much to do: try again later.',
  banned: 'The broker has banned this client: its administrator knows why.',
  'authentication-method': 'The broker wants another method of authentication.',
  'connect-too-large': 'CONNECT is larger than the broker takes: is the will that large?',
  'broker-quota': 'The broker has a limit, perhaps of connections, that is reached.',
  'will-payload': "The will's payload is not what its properties say.",
  'will-retain': 'The broker retains no messages: leave out --will-retain.',
  'will-qos': 'The broker does not take the QoS of the will: choose a lower one.',
  'another-server': 'The broker wants this client to use another server.',
  'server-moved': 'The broker has moved to another server.',
  'connection-rate': 'This client connects too often for the broker: wait a while.',
}

/** What to do about a failure; nothing where nothing is known. */
export function adviceOn({ advice, subject }: Failure): string[] {
  if (advice === null) return []
  const text = ADVICE[advice]
  return [typeof text === 'string' ? text : text(subject)]
}

/** The library's message about a failure, with flags in the place of the library's options. */
export function messageOf(failure: Failure): string {
  const { advice, message, text } = failure
  if (advice === null || LIBRARY_ADVICE[advice] === undefined || failure.rc !== null) return message
  return [text, ...adviceOn(failure)].join('. ')
}
