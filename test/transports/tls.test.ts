import { createPrivateKey } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { ClientOptions, MqttError, TLSParametersLiteral } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { Authority, type Identity } from '../helpers/certificates.js'
import { atOnce, clientOf, connected, freshTopic, nextMessage } from '../helpers/client.js'
import { rejection } from '../helpers/deadline.js'
import { freePort, Mosquitto } from '../helpers/mosquitto.js'
import { inProcess } from '../helpers/program.js'

const DAY = 24 * 60 * 60 * 1000

const root = Authority.root()
const intermediate = root.intermediate()
const stranger = Authority.root('Stranger')
const selfSigned = Authority.root('localhost', ['localhost'])
const server = intermediate.issue()
const revoked = root.issue()
const client = root.issue({ hosts: [], name: 'a client' })
const wrongPassword = 'simsalabim'
const lockedClient = locked()

/** The certificates that the broker shows, a listener each, with the chain that it sends. */
const listeners = {
  good: listener(server, [intermediate]),
  disordered: listener(server, [root, intermediate]),
  incomplete: listener(server),
  selfSigned: listener(selfSigned),
  withRoot: listener(server, [intermediate, root]),
  expired: listener(root.issue({ from: daysFromNow(-9), to: daysFromNow(-2) })),
  early: listener(root.issue({ from: daysFromNow(2), to: daysFromNow(9) })),
  misnamed: listener(root.issue({ hosts: ['example.org', '192.0.2.1'] })),
  wildcard: listener(root.issue({ hosts: ['*.example.org'] })),
  revoked: listener(revoked),
  onlyNew: listener(server, [intermediate], ['tls_version tlsv1.3']),
  onlyOld: listener(server, [intermediate], ['tls_version tlsv1.2', 'ciphers ECDHE-ECDSA-AES128-GCM-SHA256']),
  mutual: listener(server, [intermediate], ['require_certificate true']),
}

type Name = keyof typeof listeners

interface Context {
  broker: Mosquitto
  folder: string
  ports: Record<Name, number>
}

const test = anyTest as TestFn<Context>

function listener(identity: Identity, chain: Identity[] = [], settings: string[] = []) {
  const certificate = [identity, ...chain].map((link) => link.certificate).join('')
  return { certificate, key: identity.key, settings }
}

/** A client's certificate whose key is found to be locked: one time in 256 OpenSSL takes a wrong password for right. */
function locked(): Identity {
  for (;;) {
    const identity = root.issue({ hosts: [], name: 'a client', passphrase: 'sésame' })
    try {
      createPrivateKey({ key: identity.key, passphrase: wrongPassword })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_OSSL_BAD_DECRYPT') return identity
    }
  }
}

function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * DAY)
}

test.before(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tls-'))
  const settings: string[] = []
  const ports = {} as Record<Name, number>
  await writeFile(join(folder, 'ca'), root.certificate)
  for (const [name, { certificate, key, settings: further }] of Object.entries(listeners)) {
    const port = await freePort()
    ports[name as Name] = port
    await writeFile(join(folder, `${name}.certificate`), certificate)
    await writeFile(join(folder, `${name}.key`), key)
    settings.push(
      `listener ${port} 127.0.0.1`,
      `cafile ${folder}/ca`,
      `certfile ${folder}/${name}.certificate`,
      `keyfile ${folder}/${name}.key`,
      ...further,
    )
  }
  t.context = { broker: await Mosquitto.start({ settings }), folder, ports }
})
test.after.always(async ({ context: { broker, folder } }) => {
  await broker.stop()
  await rm(folder, { recursive: true, force: true })
})

const trusting: TLSParametersLiteral = { caCerts: root.certificate }

function place(t: ExecutionContext<Context>, name: Name, host = 'localhost') {
  return { host, port: t.context.ports[name] }
}

async function refusal(t: ExecutionContext<Context>, name: Name, options: ClientOptions): Promise<MqttError> {
  const connecting = clientOf(t, place(t, name), options).connect()
  return (await rejection(atOnce, 'connect()', connecting)) as MqttError
}

function codeOf(error: MqttError): unknown {
  return (error.cause as { code?: unknown }).code
}

async function works(t: ExecutionContext<Context>, name: Name, options: ClientOptions, host?: string) {
  const connection = await connected(t, place(t, name, host), options)
  const topic = freshTopic()
  await connection.subscribe(topic)
  await connection.publish(topic, 'over TLS', { qos: 1 })
  t.is((await nextMessage(connection)).text(), 'over TLS')
}

// --- What works ----------------------------------------------------------------------------------------------------

const good: Array<[what: string, name: Name, options: ClientOptions, host?: string]> = [
  ['a certificate that is for an address', 'good', { tlsParams: trusting }, '127.0.0.1'],
  ['a chain in the wrong order', 'disordered', { tlsParams: trusting }],
  [
    'a self-signed certificate that is trusted',
    'selfSigned',
    { tlsParams: { caCerts: selfSigned.certificate } },
  ],
  [
    'an intermediate authority that is given',
    'incomplete',
    { tlsParams: { caCerts: root.certificate + intermediate.certificate } },
  ],
  [
    'a wildcard in the certificate',
    'wildcard',
    { tlsContext: { ca: root.certificate, servername: 'broker.example.org' } },
  ],
  ['certReqs: "none", whoever the broker is', 'expired', { tlsParams: { certReqs: 'none' } }],
  ['certReqs: 0, whoever the broker is', 'misnamed', { tlsParams: { certReqs: 0 } }],
  [
    'certReqs: "optional", of a broker that is trusted',
    'good',
    { tlsParams: { ...trusting, certReqs: 'optional' } },
  ],
  [
    'rejectUnauthorized: false, whoever the broker is',
    'selfSigned',
    { tlsContext: { rejectUnauthorized: false } },
  ],
  ['tlsInsecure, of another host', 'misnamed', { tlsParams: trusting, tlsInsecure: true }],
  [
    'tlsInsecure with a SecureContext, of another host',
    'misnamed',
    { tlsContext: createSecureContext({ ca: root.certificate }), tlsInsecure: true },
  ],
  [
    'a check of one’s own',
    'misnamed',
    { tlsContext: { ca: root.certificate, checkServerIdentity: () => undefined } },
  ],
  [
    'servername, of another host',
    'misnamed',
    { tlsContext: { ca: root.certificate, servername: 'example.org' } },
  ],
  ['TLS 1.3 alone', 'good', { tlsParams: { ...trusting, tlsVersion: 'TLSv1.3' } }],
  ['a range of versions', 'onlyOld', { tlsParams: { ...trusting, tlsVersion: ['TLSv1.2', 'TLSv1.3'] } }],
  ['a broker with TLS 1.3 alone', 'onlyNew', { tlsParams: trusting }],
  [
    'a cipher of TLS 1.2',
    'onlyOld',
    { tlsParams: { ...trusting, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } },
  ],
  [
    'a cipher of TLS 1.2, of a broker with TLS 1.3 alone',
    'onlyNew',
    { tlsParams: { ...trusting, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } },
  ],
  ['a suite of TLS 1.3', 'onlyNew', { tlsParams: { ...trusting, ciphers: 'TLS_AES_128_GCM_SHA256' } }],
  [
    'a suite of TLS 1.3 among options of tls.connect()',
    'onlyNew',
    { tlsContext: { ca: root.certificate, ciphers: 'TLS_CHACHA20_POLY1305_SHA256' } },
  ],
  [
    'groups and signature algorithms',
    'good',
    { tlsContext: { ca: [root.certificate], ecdhCurve: 'P-384:X25519', sigalgs: 'ecdsa_secp256r1_sha256' } },
  ],
  [
    'a revocation list without this certificate',
    'good',
    { tlsContext: { ca: Buffer.from(root.certificate), crl: [root.revoke(revoked), intermediate.revoke()] } },
  ],
  [
    "a client's certificate and key",
    'mutual',
    { tlsParams: { ...trusting, certfile: client.certificate, keyfile: client.key } },
  ],
  [
    "a client's certificate and key in one text",
    'mutual',
    { tlsParams: { ...trusting, certfile: client.certificate + client.key } },
  ],
  [
    "a client's encrypted key",
    'mutual',
    {
      tlsParams: {
        ...trusting,
        certfile: lockedClient.certificate,
        keyfile: lockedClient.key,
        keyfilePassword: 'sésame',
      },
    },
  ],
  [
    "a client's encrypted key, its password as bytes",
    'mutual',
    {
      tlsParams: {
        ...trusting,
        certfile: lockedClient.certificate,
        keyfile: lockedClient.key,
        keyfilePassword: Buffer.from('sésame'),
      },
    },
  ],
  [
    "a client's encrypted key among options of tls.connect()",
    'mutual',
    {
      tlsContext: {
        ca: root.certificate,
        cert: lockedClient.certificate,
        key: lockedClient.key,
        passphrase: 'sésame',
      },
    },
  ],
  [
    'a key with a password of its own, which only node:tls can',
    'mutual',
    {
      tlsContext: {
        ca: root.certificate,
        cert: lockedClient.certificate,
        key: [{ pem: lockedClient.key, passphrase: 'sésame' }],
      },
    },
  ],
]

for (const [what, name, options, host] of good) {
  test(`it works with ${what}`, (t) => works(t, name, options, host))
}

test('the paths of files do as well as their contents', async (t) => {
  const { folder } = t.context
  await writeFile(join(folder, 'client'), client.certificate)
  await writeFile(join(folder, 'client.key'), client.key)
  const tlsParams = {
    caCerts: join(folder, 'ca'),
    certfile: join(folder, 'client'),
    keyfile: join(folder, 'client.key'),
  }
  await works(t, 'mutual', { tlsParams })
})

test('NODE_EXTRA_CA_CERTS is trusted by default', async (t) => {
  const { folder, ports } = t.context
  const { outcome } = inProcess(
    async ({ Client }, { port, ca }) => {
      console.log(process.env.NODE_EXTRA_CA_CERTS === ca)
      const client = await Client.connect('localhost', port, { tlsParams: {} })
      console.log('connected')
      await client.disconnect()
    },
    { port: ports.good, ca: join(folder, 'ca') },
    { environment: { NODE_EXTRA_CA_CERTS: join(folder, 'ca') } },
  )
  t.is((await outcome).output, 'true\nconnected\n')
})

test('node:tls waits for no delayed acknowledgement', async (t) => {
  const client = clientOf(t, place(t, 'good'), { tlsContext: createSecureContext({ ca: root.certificate }) })
  const times: number[] = []
  for (let round = 0; round < 10; round++) {
    const started = performance.now()
    await client.connect()
    times.push(performance.now() - started)
    await client.disconnect()
  }
  // Linux delays them by 40 ms at least.
  t.true(Math.min(...times) < 40, times.map(Math.round).join(' '))
})

// --- What is refused -----------------------------------------------------------------------------------------------

/** It has another name in OpenSSL 3.2 and later. */
const handshakeFailure = `ERR_SSL_${/^3\.[01]\./.test(process.versions.openssl) ? 'SSLV3' : 'SSL/TLS'}_ALERT_HANDSHAKE_FAILURE`

const refused: Array<[what: string, name: Name, options: ClientOptions, code: string, message: RegExp]> = [
  [
    'an issuer that is not trusted',
    'good',
    { tlsParams: {} },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    /unable to get local issuer certificate \(localhost:\d+\)\. .* caCerts/,
  ],
  [
    'another issuer',
    'good',
    { tlsParams: { caCerts: stranger.certificate } },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    /caCerts/,
  ],
  [
    'another issuer, by a SecureContext',
    'good',
    { tlsContext: createSecureContext({ ca: stranger.certificate }) },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    /caCerts/,
  ],
  [
    'certReqs: "optional" and another issuer',
    'good',
    { tlsParams: { certReqs: 'optional' } },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    /caCerts/,
  ],
  [
    'tlsInsecure and another issuer',
    'good',
    { tlsParams: {}, tlsInsecure: true },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    /caCerts/,
  ],
  [
    'tlsInsecure: false in spite of certReqs: "none"',
    'good',
    { tlsParams: { certReqs: 'none' }, tlsInsecure: false },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    /caCerts/,
  ],
  [
    'a chain without the intermediate certificate',
    'incomplete',
    { tlsParams: trusting },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    /or the broker must send/,
  ],
  [
    'a self-signed certificate',
    'selfSigned',
    { tlsParams: {} },
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    /^\[SSL: CERTIFICATE_VERIFY_FAILED\] certificate verify failed: self-signed certificate \(localhost:\d+\)\. To trust this certificate, give it as caCerts/,
  ],
  [
    'a root in the chain that is not trusted',
    'withRoot',
    { tlsParams: {} },
    'SELF_SIGNED_CERT_IN_CHAIN',
    /caCerts/,
  ],
  [
    'a certificate that has expired',
    'expired',
    { tlsParams: trusting },
    'CERT_HAS_EXPIRED',
    /certificate has expired .* must be renewed/,
  ],
  [
    'a certificate that has expired, by a SecureContext',
    'expired',
    { tlsContext: createSecureContext({ ca: root.certificate }) },
    'CERT_HAS_EXPIRED',
    /must be renewed/,
  ],
  ['a certificate of tomorrow', 'early', { tlsParams: trusting }, 'CERT_NOT_YET_VALID', /clock/],
  [
    'a certificate for another host',
    'misnamed',
    { tlsParams: trusting },
    'ERR_TLS_CERT_ALTNAME_INVALID',
    /hostname mismatch .* tlsInsecure/,
  ],
  [
    'a certificate for another host, by a SecureContext',
    'misnamed',
    { tlsContext: createSecureContext({ ca: root.certificate }) },
    'ERR_TLS_CERT_ALTNAME_INVALID',
    /DNS:example\.org.* tlsInsecure/,
  ],
  [
    'a certificate that was revoked',
    'revoked',
    { tlsContext: { ca: root.certificate, crl: root.revoke(revoked) } },
    'CERT_REVOKED',
    /certificate revoked .* Its issuer has revoked it/,
  ],
  [
    'an issuer without a revocation list',
    'good',
    { tlsContext: { ca: root.certificate, crl: root.revoke() } },
    'UNABLE_TO_GET_CRL',
    /every issuer/,
  ],
  [
    'a version that the broker does not have',
    'onlyNew',
    { tlsParams: { ...trusting, tlsVersion: 'TLSv1.2' } },
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    /tlsVersion/,
  ],
  [
    'a cipher that the broker does not have',
    'onlyOld',
    { tlsParams: { ...trusting, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', tlsVersion: 'TLSv1.2' } },
    handshakeFailure,
    /no cipher in common/,
  ],
  [
    'a cipher that there is not',
    'good',
    { tlsParams: { ...trusting, ciphers: 'ROT13' } },
    'ERR_SSL_NO_CIPHER_MATCH',
    /the ciphers: no cipher match/,
  ],
  [
    'no certificate for a broker that wants one',
    'mutual',
    { tlsParams: trusting },
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    /give certfile and keyfile/,
  ],
  [
    'no certificate for a broker that wants one, by a SecureContext',
    'mutual',
    { tlsContext: createSecureContext({ ca: root.certificate }) },
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    /^\[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED\] tlsv13 alert certificate required \(localhost:\d+\)\. .*give certfile and keyfile/,
  ],
  [
    'no certificate for a broker that wants one, on TLS 1.2',
    'mutual',
    { tlsParams: { ...trusting, tlsVersion: 'TLSv1.2' } },
    handshakeFailure,
    /certificate of the client/,
  ],
  [
    'a certificate that the broker does not accept',
    'mutual',
    { tlsParams: { ...trusting, certfile: stranger.issue().certificate, keyfile: stranger.issue().key } },
    'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
    /the private key: key values mismatch/,
  ],
  [
    'a certificate below the one above it',
    'mutual',
    {
      tlsParams: {
        ...trusting,
        certfile: intermediate.certificate + client.certificate,
        keyfile: client.key,
      },
    },
    'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
    /comes first/,
  ],
  [
    'no password for an encrypted key',
    'mutual',
    { tlsParams: { ...trusting, certfile: lockedClient.certificate, keyfile: lockedClient.key } },
    'ERR_OSSL_BAD_DECRYPT',
    /keyfilePassword.* is wrong or missing/,
  ],
  [
    'a wrong password for an encrypted key',
    'mutual',
    {
      tlsParams: {
        ...trusting,
        certfile: lockedClient.certificate,
        keyfile: lockedClient.key,
        keyfilePassword: wrongPassword,
      },
    },
    'ERR_OSSL_BAD_DECRYPT',
    /keyfilePassword.* is wrong or missing/,
  ],
  [
    'a certificate without a key',
    'mutual',
    { tlsParams: { ...trusting, certfile: client.certificate } },
    'ERR_OSSL_UNSUPPORTED',
    /the private key/,
  ],
]

for (const [what, name, options, code, message] of refused) {
  test(`refused: ${what}`, async (t) => {
    const error = await refusal(t, name, options)
    t.regex(error.message, message)
    t.is(error.code, 'ERR_MQTT_TLS')
    t.is(codeOf(error), code)
  })
}

test('refused: a certificate of an authority that the broker does not know', async (t) => {
  const { certificate, key } = stranger.issue()
  const error = await refusal(t, 'mutual', {
    tlsParams: { ...trusting, certfile: certificate, keyfile: key },
  })
  t.regex(error.message, /alert unknown ca .*does not accept this client's certificate/)
  t.is(codeOf(error), 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA')
})

for (const option of ['caCerts', 'certfile', 'keyfile'] as const) {
  test(`refused: ${option} is a path where nothing is`, async (t) => {
    const error = await refusal(t, 'good', { tlsParams: { ...trusting, [option]: '/nowhere/at.pem' } })
    t.is(error.message, '[Errno 2] No such file or directory (/nowhere/at.pem)')
    t.is(codeOf(error), 'ENOENT')
  })

  test(`refused: ${option} is the path of something else than PEM`, async (t) => {
    const path = join(t.context.folder, `${option}.txt`)
    await writeFile(path, 'root:x:0:0')
    const error = await refusal(t, 'good', { tlsParams: { ...trusting, [option]: path } })
    t.regex(error.message, /no start line \(.*\.txt\)\. It must be text in PEM format/)
    t.is(codeOf(error), 'ERR_OSSL_PEM_NO_START_LINE')
  })
}

test('refused: TLS at a port without it, and the client can try again', async (t) => {
  const client = clientOf(t, t.context.broker, { tlsParams: trusting })
  for (let round = 0; round < 2; round++) {
    const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
    t.is(error.code, 'ERR_MQTT_TLS')
    t.regex(error.message, /Does the broker speak TLS there\?/)
  }
})

test('refused: plain text at a port for TLS', async (t) => {
  const error = await refusal(t, 'good', {})
  // An end or a reset, as it comes.
  t.regex(`${error} ${error.cause}`, /port for TLS/)
})
