import { connect } from 'node:net'
import { inspect } from 'node:util'
import type { ClientOptions, MqttError } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { atOnce, clientOf } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { SilentServer } from '../helpers/gateway.js'
import { Recorder } from '../helpers/logger.js'
import { loadOptional } from '../unit/internals.js'

/** The ways on which something has to be made before CONNECT can leave; with a silent server all stay there. */
const ways: Array<[name: string, options: (server: SilentServer) => ClientOptions]> = [
  ['TLS', () => ({ tlsParams: {} })],
  ['TLS by node:tls', () => ({ tlsContext: { checkServerIdentity: () => undefined } })],
  ['WebSocket', () => ({ transport: 'websockets' })],
  ['WebSocket over TLS', () => ({ transport: 'websockets', tlsParams: {} })],
  ['an HTTP proxy', ({ host, port }) => ({ proxy: { proxyType: 'http', proxyAddr: host, proxyPort: port } })],
  [
    'a SOCKS5 proxy',
    ({ host, port }) => ({ proxy: { proxyType: 'socks5', proxyAddr: host, proxyPort: port } }),
  ],
  [
    'a SOCKS4 proxy',
    ({ host, port }) => ({ proxy: { proxyType: 'socks4', proxyAddr: host, proxyPort: port } }),
  ],
  ['a stream of one’s own', ({ host, port }) => ({ transport: () => connect(port, host) })],
  [
    'TLS over a stream of one’s own',
    ({ host, port }) => ({ transport: () => connect(port, host), tlsParams: {} }),
  ],
]

async function silent(t: ExecutionContext): Promise<SilentServer> {
  const server = await SilentServer.listen()
  t.teardown(() => server.close())
  return server
}

for (const [name, options] of ways) {
  test(`${name}: the timeout bounds the set-up, and nothing stays open`, async (t) => {
    const server = await silent(t)
    const client = clientOf(t, server, { ...options(server), timeout: 0.5 })
    const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
    t.is(error.message, 'Operation timed out')
    t.true(server.sockets.length <= 1)
    await within(atOnce, 'closing', server.abandoned())
  })

  test(`${name}: a signal ends the set-up, and nothing stays open`, async (t) => {
    const server = await silent(t)
    const client = clientOf(t, server, options(server))
    for (const reason of [new Error('enough'), new Error('really')]) {
      const controller = new AbortController()
      const connecting = client.connect({ signal: controller.signal })
      await within(atOnce, 'a connection', server.connection())
      controller.abort(reason)
      t.is(await rejection(atOnce, 'connect()', connecting), reason)
      await within(atOnce, 'closing', server.abandoned())
    }
  })

  test(`${name}: disconnect() ends the set-up, and nothing stays open`, async (t) => {
    const server = await silent(t)
    const client = clientOf(t, server, options(server))
    const connecting = rejection(atOnce, 'connect()', client.connect())
    await within(atOnce, 'a connection', server.connection())
    await within(atOnce, 'disconnect()', client.disconnect())
    t.is(((await connecting) as MqttError).code, 'ERR_MQTT_DISCONNECTED')
    await within(atOnce, 'closing', server.abandoned())
  })
}

test('a stream that comes after connect() was given up is destroyed', async (t) => {
  const server = await silent(t)
  let come: (value: ReturnType<typeof connect>) => void = () => {}
  const stream = connect(server.port, server.host)
  const transport = () =>
    new Promise<ReturnType<typeof connect>>((resolve) => {
      come = resolve
    })
  const client = clientOf(t, server, { transport, timeout: 0.1 })
  await rejection(atOnce, 'connect()', client.connect())
  come(stream)
  await within(atOnce, 'closing', new Promise((resolve) => stream.once('close', resolve)))
  t.true(stream.destroyed)
})

// --- Secrets -------------------------------------------------------------------------------------------------------

const secret = 'hocus-pocus'
const hidden = new RegExp(`${secret}|${Buffer.from(`user:${secret}`).toString('base64')}`)

const leaks: Array<
  [name: string, hostname: (server: SilentServer) => string, options: (server: SilentServer) => ClientOptions]
> = [
  ['a URL', ({ port }) => `mqtt://user:${secret}@127.0.0.1:${port}`, () => ({})],
  [
    'the headers and the path of WebSocket',
    () => '127.0.0.1',
    () => ({
      transport: 'websockets',
      websocketPath: `/mqtt?signature=${secret}`,
      websocketHeaders: { Authorization: secret },
    }),
  ],
  ...(['http', 'socks5', 'socks4'] as const).map((proxyType): (typeof leaks)[number] => [
    `the password of a proxy (${proxyType})`,
    () => '127.0.0.1',
    ({ port }) => ({
      proxy: {
        proxyType,
        proxyAddr: '127.0.0.1',
        proxyPort: port,
        proxyUsername: proxyType === 'socks4' ? secret : 'user',
        proxyPassword: secret,
      },
    }),
  ]),
  [
    'the password of a key',
    () => '127.0.0.1',
    () => ({ tlsContext: { key: secret, cert: secret, passphrase: secret, pfx: secret } }),
  ],
]

for (const [name, hostname, options] of leaks) {
  test(`nobody sees ${name}`, async (t) => {
    const server = await SilentServer.listen((socket) => socket.once('data', () => socket.end('no!')))
    t.teardown(() => server.close())
    const logger = new Recorder()
    const client = clientOf(
      t,
      { host: hostname(server), port: server.port },
      { ...options(server), logger, username: 'user', password: secret },
    )
    const error = await rejection(atOnce, 'connect()', client.connect())
    const shown = inspect([client, error, logger], { depth: 20, showHidden: true, getters: true })
    t.false(hidden.test(shown), shown)
    t.true(error instanceof Error)
  })
}

test('a package that is not installed is named, with the command to install it', async (t) => {
  const missing = 'a-package-that-there-is-not'
  const error = (await rejection(
    atOnce,
    'loading',
    loadOptional(missing, 'this test', () => import(missing)),
  )) as MqttError
  t.is(error.message, `The package ${missing} must be installed for this test: npm install ${missing}`)
  t.is(error.code, 'ERR_MQTT_UNSUPPORTED')
})
