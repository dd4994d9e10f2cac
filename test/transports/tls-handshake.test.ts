import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { Client, type ClientOptions, type MqttError, TLSParameters } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { Authority } from '../helpers/certificates.js'
import { atOnce, connected } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'

const root = Authority.root()
const server = root.issue()

/** A server of Node's, which shows what a client sends in its handshake; it accepts every CONNECT. */
class Witness {
  readonly host = 'localhost'
  readonly sockets: TLSSocket[] = []

  private constructor(private readonly server: Server) {
    server.on('secureConnection', (socket) => {
      this.sockets.push(socket)
      socket.on('error', () => {})
      socket.once('data', () => socket.write(Buffer.from('20020000', 'hex')))
    })
  }

  static async listen(t: ExecutionContext, options: TlsOptions = {}): Promise<Witness> {
    const listening = createServer({ cert: server.certificate, key: server.key, ...options })
    const witness = new Witness(listening)
    listening.listen(0, '127.0.0.1')
    await once(listening, 'listening')
    t.teardown(() => {
      for (const socket of witness.sockets) socket.destroy()
      listening.close()
    })
    return witness
  }

  get port(): number {
    return (this.server.address() as { port: number }).port
  }
}

/** The server's side of a connection with these options. */
async function seen(
  t: ExecutionContext,
  witness: Witness,
  tlsContext: ClientOptions['tlsContext'],
  host = 'localhost',
): Promise<TLSSocket> {
  await connected(t, { host, port: witness.port }, { tlsContext: { ca: root.certificate, ...tlsContext } })
  return witness.sockets.at(-1) as TLSSocket
}

/** What only `node:tls` has an option for: with it, everything goes that way. */
const byNode = { enableTrace: false }

for (const [way, further] of [
  ['natively', {}],
  ['by node:tls', byNode],
] as const) {
  test(`${way}: the name of the host is sent, an address is not`, async (t) => {
    const witness = await Witness.listen(t)
    t.is((await seen(t, witness, further)).servername, 'localhost')
    t.is((await seen(t, witness, further, '127.0.0.1')).servername, false)
    const renamed = { ...further, servername: 'elsewhere.example', rejectUnauthorized: false }
    t.is((await seen(t, witness, renamed)).servername, 'elsewhere.example')
  })

  test(`${way}: ALPN`, async (t) => {
    const witness = await Witness.listen(t, { ALPNProtocols: ['mqtt', 'x'] })
    t.is((await seen(t, witness, further)).alpnProtocol, false)
    for (const ALPNProtocols of [['x', 'mqtt'], Buffer.from('\x04mqtt')]) {
      t.is((await seen(t, witness, { ...further, ALPNProtocols })).alpnProtocol, 'mqtt')
    }
  })

  test(`${way}: versions and ciphers`, async (t) => {
    const witness = await Witness.listen(t)
    t.is((await seen(t, witness, further)).getProtocol(), 'TLSv1.3')
    t.is((await seen(t, witness, { ...further, maxVersion: 'TLSv1.2' })).getProtocol(), 'TLSv1.2')
    const old = { ...further, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
    t.is((await seen(t, witness, old)).getCipher().name, 'ECDHE-ECDSA-AES128-GCM-SHA256')
    const suite = { ...further, ciphers: 'TLS_AES_128_GCM_SHA256' }
    t.is((await seen(t, witness, suite)).getCipher().name, 'TLS_AES_128_GCM_SHA256')
    const oldAlone = { ...further, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }
    t.is((await seen(t, witness, oldAlone)).getProtocol(), 'TLSv1.3')
  })
}

test('a session is resumed', async (t) => {
  const witness = await Witness.listen(t)
  const first = connect({
    host: 'localhost',
    port: witness.port,
    ca: root.certificate,
    maxVersion: 'TLSv1.2',
  })
  const [session] = (await within(atOnce, 'a session', once(first, 'session'))) as [Buffer]
  first.destroy()
  t.true((await seen(t, witness, { session, maxVersion: 'TLSv1.2' })).isSessionReused())
})

const withOpenssl = spawnSync('openssl', ['version']).status === 0 ? test : test.skip

/** A PKCS#12 file for `a client`, whose password is `abc`. */
async function pkcs12(t: ExecutionContext): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'pfx-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { certificate, key } = root.issue({ name: 'a client', hosts: [] })
  await writeFile(join(folder, 'client'), certificate + key)
  const paths = ['-in', join(folder, 'client'), '-out', join(folder, 'pfx')]
  t.is(spawnSync('openssl', ['pkcs12', '-export', '-passout', 'pass:abc', ...paths]).status, 0)
  return await readFile(join(folder, 'pfx'))
}

withOpenssl('a PFX file whose password is wrong or missing is final on the first attempt', async (t) => {
  const witness = await Witness.listen(t, { requestCert: true, ca: root.certificate })
  const pfx = await pkcs12(t)
  for (const transport of ['tcp', 'websockets'] as const) {
    for (const passphrase of ['abd', '', undefined]) {
      const client = new Client('localhost', witness.port, {
        transport,
        tlsContext: { pfx, ...(passphrase !== undefined && { passphrase }) },
        reconnect: { initial: true, minDelay: 0.01 },
      })
      const error = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
      t.is(error.code, 'ERR_MQTT_TLS')
      t.regex(error.message, /pfx/)
    }
  }
})

withOpenssl('a PFX file has the certificate and the key', async (t) => {
  const witness = await Witness.listen(t, { requestCert: true, ca: root.certificate })
  const pfx = await pkcs12(t)
  const socket = await seen(t, witness, { pfx, passphrase: 'abc' })
  t.is(socket.getPeerCertificate().subject.CN, 'a client')
})

test('a renewed certificate is taken up by the next connection', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'renewed-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const witness = await Witness.listen(t, { requestCert: true, ca: root.certificate })
  const file = join(folder, 'client')
  const client = new Client('localhost', witness.port, {
    tlsParams: { caCerts: root.certificate, certfile: file },
  })
  for (const name of ['old', 'new']) {
    const { certificate, key } = root.issue({ name, hosts: [] })
    await writeFile(file, certificate + key)
    await within(atOnce, 'connecting', client.connect())
    t.is(witness.sockets.at(-1)?.getPeerCertificate().subject.CN, name)
    await client.disconnect()
  }
})

test('what makes no sense is refused when the client is made', (t) => {
  for (const key of ['host', 'port', 'path', 'socket']) {
    t.throws(() => new Client('localhost', { tlsContext: { [key]: 'x' } }), {
      instanceOf: RangeError,
      message: `tlsContext must not have ${key}: the client connects by itself`,
    })
  }
  t.throws(() => new TLSParameters({ keyfilePassword: Buffer.of(0xff) }), {
    instanceOf: RangeError,
    message: 'keyfilePassword must be UTF-8',
  })
})
