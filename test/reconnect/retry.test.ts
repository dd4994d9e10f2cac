// What is tried again, what is final, and what the option `retry` makes of both.

import { connect } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { type Client, type ClientOptions, type ConnectionAttempt, MqttError, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { Authority, type Identity } from '../helpers/certificates.js'
import { atOnce, clientOf, listening, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import type { Peer } from '../helpers/peer.js'
import { quickly, reached, welcomed } from '../helpers/reconnect.js'
import { joinStreams } from '../helpers/relay.js'

const { V311, V5 } = ProtocolVersion

/** The peer answers the next CONNECT with this code. */
async function refuse(peer: Peer, protocol: ProtocolVersion, code: number): Promise<void> {
  const session = await within(patience, 'coming back', peer.accept())
  await session.next('connect')
  session.send(
    protocol === V5
      ? { cmd: 'connack', reasonCode: code, sessionPresent: false }
      : { cmd: 'connack', returnCode: code, sessionPresent: false },
  )
}

/** What the client is told until it is connected or has given up. */
async function told(client: Client): Promise<string[]> {
  const errors: string[] = []
  for await (const { state, error } of client.states) {
    if (error !== undefined) errors.push(error.message)
    if (state === 'connected' || state === 'disconnected') return errors
  }
  return errors
}

const passing: Array<[name: string, protocol: ProtocolVersion, code: number, message: string]> = [
  ['bad credentials', V311, 4, '[code:134] Bad user name or password'],
  ['no authorization', V311, 5, '[code:135] Not authorized'],
  ['bad credentials', V5, 0x86, '[code:134] Bad user name or password'],
  ['no authorization', V5, 0x87, '[code:135] Not authorized'],
  ['a ban', V5, 0x8a, '[code:138] Banned'],
  ['a quota', V5, 0x97, '[code:151] Quota exceeded'],
]

for (const [name, protocol, code, message] of passing) {
  test(`${name} of a moment passes, with a warning and in states (${protocol === V5 ? 5 : 311})`, async (t) => {
    const logger = new Recorder()
    const { client, peer, session } = await paired(t, { protocol, logger, reconnect: quickly })
    const errors = told(client)
    session.reset()
    await refuse(peer, protocol, code)
    await refuse(peer, protocol, code)
    await welcomed(peer)
    t.deepEqual((await within(patience, 'states', errors)).slice(1), [message, message])
    t.is(logger.lines.warn.filter((line) => line.includes(message)).length, 2)
  })
}

const final: Array<[name: string, protocol: ProtocolVersion, code: number, message: string]> = [
  ['a version', V311, 1, '[code:132] Unsupported protocol version'],
  ['an identifier', V311, 2, '[code:133] Client identifier not valid'],
  ['a version', V5, 0x84, '[code:132] Unsupported protocol version'],
  ['an identifier', V5, 0x85, '[code:133] Client identifier not valid'],
]

for (const [name, protocol, code, message] of final) {
  test(`${name} that is refused ends it, unless retry says otherwise (${protocol === V5 ? 5 : 311})`, async (t) => {
    const peer = await listening(t)
    const once = clientOf(t, peer, { protocol, reconnect: { ...quickly, initial: true } })
    const connecting = rejection(patience, 'connecting', once.connect())
    await refuse(peer, protocol, code)
    t.is(((await connecting) as MqttError).message, message)
    const asked: string[] = []
    const retry = (error: MqttError, { number }: ConnectionAttempt) => {
      asked.push(`${number} ${error.message}`)
      return true
    }
    const again = clientOf(t, peer, { protocol, reconnect: { ...quickly, initial: true, retry } })
    const connected = again.connect()
    await refuse(peer, protocol, code)
    await refuse(peer, protocol, code)
    await welcomed(peer)
    await within(atOnce, 'connecting', connected)
    t.deepEqual(asked, [`2 ${message}`, `3 ${message}`])
  })
}

test('retry ends what would be tried again, and pending calls reject with the reason', async (t) => {
  const seen: ConnectionAttempt[] = []
  const { client, peer, session } = await paired(t, {
    reconnect: {
      ...quickly,
      retry: (_error, attempt) => {
        seen.push(attempt)
        return attempt.number < 3
      },
    },
  })
  const publishing = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 1 }))
  await session.next('publish')
  session.reset()
  await refuse(peer, V311, 3)
  await refuse(peer, V311, 3)
  t.is(((await publishing) as MqttError).message, '[code:136] Server unavailable')
  t.is(client.state, 'disconnected')
  t.deepEqual(
    seen.map(({ host, port, number }) => [host, port, number]),
    [1, 2, 3].map((number) => [peer.host, peer.port, number]),
  )
  t.regex(String(seen[0]?.error?.message), /code:7/)
  t.is(seen[1]?.error?.message, '[code:136] Server unavailable')
})

test('retry gives the delay, in seconds', async (t) => {
  const slowly = { minDelay: 60, maxDelay: 60 }
  const { client, peer, session } = await paired(t, { reconnect: { ...slowly, retry: () => 0.01 } })
  session.reset()
  await refuse(peer, V311, 3)
  await refuse(peer, V311, 3)
  await welcomed(peer)
  await reached(client, 'connected')
  t.is(peer.connections, 4)
})

test('what retry throws is logged, and the client decides by itself', async (t) => {
  const logger = new Recorder()
  const retry = () => {
    throw new Error('a bug')
  }
  const { client, peer, session } = await paired(t, { logger, reconnect: { ...quickly, retry } })
  const next = rejection(patience, 'next()', client.messages.next())
  session.reset()
  await refuse(peer, V311, 3)
  await refuse(peer, V311, 2)
  t.is(((await next) as { cause: Error }).cause.message, '[code:133] Client identifier not valid')
  t.deepEqual(logger.lines.error, [
    ...Array(3).fill('The option retry failed: a bug'),
    'The client has given up connecting again: [code:133] Client identifier not valid',
  ])
})

test('a host that is left out is not the next one, whatever retry was asked about', async (t) => {
  const second = await listening(t)
  const hosts: Array<[string, number]> = [[second.host, second.port]]
  const retry = () => undefined
  const { client, peer, session } = await paired(t, { protocol: V5, reconnect: { ...quickly, hosts, retry } })
  session.reset()
  await refuse(peer, V5, 0x84)
  await refuse(second, V5, 0x88)
  await welcomed(second)
  await reached(client, 'connected')
  t.is(peer.connections, 2)
})

const root = Authority.root('Retry Root')
const server = root.issue({ hosts: ['localhost'] })

/** A server that speaks TLS and never MQTT. */
async function tlsPort(t: ExecutionContext): Promise<number> {
  const tls = createTlsServer({ cert: server.certificate, key: server.key })
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
  t.teardown(() => tls.close())
  return (tls.address() as { port: number }).port
}

const ca = root.certificate
const impossible: Array<
  [name: string, tlsContext: NonNullable<ClientOptions['tlsContext']>, message: RegExp]
> = [
  ['an unknown cipher', { ca, ciphers: 'NO-SUCH-CIPHER' }, /no cipher match/i],
  ['an unknown curve', { ca, ecdhCurve: 'no-such-curve' }, /groups|ecdhCurve/],
  ['unknown signature algorithms', { ca, sigalgs: 'no-such-algorithm' }, /signature algorithms|sigalgs/],
  [
    'a least version above the greatest',
    { ca, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
    /is above the greatest/,
  ],
  ['a PKCS#12 file that is none', { pfx: Buffer.from('nothing'), passphrase: 'x' }, /pfx/],
  ['a key that is none', { ca, cert: server.certificate, key: 'no key' }, /key/],
]

for (const [name, tlsContext, message] of impossible) {
  for (const transport of ['tcp', 'websockets', 'stream'] as const) {
    test(`${name} is final over ${transport}`, async (t) => {
      const port = await tlsPort(t)
      const reconnect = { ...quickly, initial: true }
      const client = clientOf(
        t,
        { host: 'localhost', port },
        {
          tlsContext,
          reconnect,
          transport: transport === 'stream' ? () => connect(port, '127.0.0.1') : transport,
        },
      )
      const error = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
      t.true(error instanceof MqttError)
      t.is(error.code, 'ERR_MQTT_TLS', error.message)
      t.regex(error.message, message)
    })
  }
}

const day = 24 * 60 * 60 * 1000
const passingCertificates: Array<[name: string, code: string, identity: Identity]> = [
  [
    'not yet valid',
    'CERT_NOT_YET_VALID',
    root.issue({
      hosts: ['localhost'],
      from: new Date(Date.now() + day),
      to: new Date(Date.now() + 2 * day),
    }),
  ],
  [
    'expired',
    'CERT_HAS_EXPIRED',
    root.issue({ hosts: ['localhost'], from: new Date(0), to: new Date(Date.now() - day) }),
  ],
  ['for another name', 'ERR_TLS_CERT_ALTNAME_INVALID', root.issue({ hosts: ['balancer.example'] })],
]

for (const way of ['native TLS', 'node:tls'] as const) {
  test(`a broker's certificate that is wrong for a moment: it is tried again, over ${way}`, async (t) => {
    const peer = await listening(t)
    peer.serve(async (session) => {
      await session.next('connect')
      session.welcome()
    })
    const sockets: TLSSocket[] = []
    const tls = createTlsServer({ cert: server.certificate, key: server.key }, (near) => {
      sockets.push(near)
      joinStreams(near, connect(peer.port, peer.host))
    })
    tls.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
    t.teardown(() => tls.close())
    const place = { host: 'localhost', port: (tls.address() as { port: number }).port }
    const tlsContext = way === 'native TLS' ? { ca } : createSecureContext({ ca })
    const client = clientOf(t, place, { tlsContext, reconnect: quickly })
    await within(patience, 'connecting', client.connect())
    for (const [name, code, { certificate, key }] of passingCertificates) {
      tls.setSecureContext({ cert: certificate, key })
      const changes = client.states
      sockets.at(-1)?.destroy()
      let failures = 0
      const watching = (async () => {
        for await (const { error } of changes) {
          const cause = (error?.cause as NodeJS.ErrnoException | undefined)?.code
          if (cause === code && ++failures === 2) return
        }
      })()
      await within(patience, `a certificate that is ${name}`, watching)
      tls.setSecureContext({ cert: server.certificate, key: server.key })
      await reached(client, 'connected')
    }
    t.is(peer.connections, passingCertificates.length + 1)
  })
}

test('a certificate that is not trusted is tried again, over native TLS and over node:tls', async (t) => {
  const port = await tlsPort(t)
  const stranger = Authority.root('Stranger').certificate
  for (const tlsContext of [{ ca: stranger }, createSecureContext({ ca: stranger })]) {
    const client = clientOf(
      t,
      { host: 'localhost', port },
      { tlsContext, reconnect: { ...quickly, initial: true } },
    )
    const connecting = rejection(patience, 'connecting', client.connect())
    let failures = 0
    for await (const { error } of client.states) {
      if (error === undefined) continue
      t.regex(String((error.cause as NodeJS.ErrnoException).code), /^UNABLE_TO_/)
      if (++failures === 3) break
    }
    await client.disconnect()
    await connecting
  }
})
