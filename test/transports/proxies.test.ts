import type { MqttError, ProxySettingsLiteral, ProxyType } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { atOnce, clientOf, connected } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { SilentServer } from '../helpers/gateway.js'
import { freePort, Mosquitto } from '../helpers/mosquitto.js'
import { inProcess, type Running } from '../helpers/program.js'
import { dante, microsocks, type Server, tinyproxy } from '../helpers/servers.js'
import { SocksPeer } from '../helpers/socks.js'
import { environmentProxy } from '../unit/internals.js'

interface Context {
  broker: Mosquitto
  http: Server
  socks5: Server
  dante: Server
  peer: SocksPeer
}

const test = anyTest as TestFn<Context>
const login = { user: 'proxy-user', password: 'proxy-password' }

test.before(async (t) => {
  const broker = await Mosquitto.start()
  t.context = {
    broker,
    http: await tinyproxy(login),
    socks5: await microsocks(login),
    dante: await dante(),
    peer: await SocksPeer.to(broker),
  }
})
test.after.always(async ({ context: { broker, http, socks5, dante: socks, peer } }) => {
  await peer.close()
  for (const server of [http, socks5, socks, broker]) await server?.stop()
})

// --- What the proxy is told ----------------------------------------------------------------------------------------

for (const [proxyType, proxyRdns, hostname, expected] of [
  ['socks5', true, 'localhost', 'SOCKS5 name localhost'],
  ['socks5', false, 'localhost', 'SOCKS5 address 127.0.0.1'],
  ['socks5', true, '127.0.0.1', 'SOCKS5 address 127.0.0.1'],
  [2, true, 'localhost', 'SOCKS5 name localhost'],
  ['socks4a', true, 'localhost', 'SOCKS4 name localhost'],
  ['socks4a', false, 'localhost', 'SOCKS4 address 127.0.0.1'],
  ['socks4', true, 'localhost', 'SOCKS4 address 127.0.0.1'],
  [1, true, 'localhost', 'SOCKS4 name localhost'],
  [1, false, 'localhost', 'SOCKS4 address 127.0.0.1'],
  ['socks5', true, 'broker.example', 'SOCKS5 name broker.example'],
] as Array<[ProxyType, boolean, string, string]>) {
  test.serial(
    `proxyType ${proxyType} with proxyRdns ${proxyRdns} asks for ${hostname} as ${expected}`,
    async (t) => {
      const { peer } = t.context
      const proxy = { proxyType, proxyRdns, proxyAddr: peer.host, proxyPort: peer.port }
      const client = await connected(t, { host: hostname, port: 1883 }, { proxy })
      t.is(peer.requests.at(-1), `${expected}:1883`)
      await client.disconnect()
    },
  )
}

test.serial('SOCKS4 has a user, without a password', async (t) => {
  const { peer } = t.context
  const proxy = {
    proxyType: 'socks4',
    proxyAddr: peer.host,
    proxyPort: peer.port,
    proxyUsername: 'me',
  } as const
  await connected(t, { host: '127.0.0.1', port: 1 }, { proxy })
  t.is(peer.requests.at(-1), 'SOCKS4 address 127.0.0.1:1 me')
})

test('an HTTP proxy without a password', async (t) => {
  const server = await tinyproxy()
  t.teardown(() => server.stop())
  const proxy = { proxyType: 'http', proxyAddr: server.host, proxyPort: server.port } as const
  const client = await connected(t, t.context.broker, { proxy })
  await client.publish('a', 'b', { qos: 1 })
  await client.disconnect()
  t.pass()
})

// --- What proxies answer -------------------------------------------------------------------------------------------

type Refusal = (context: Context) => [proxy: Server, settings: Partial<ProxySettingsLiteral>, text: RegExp]

const right = { proxyUsername: login.user, proxyPassword: login.password }

const refusals: Array<[what: string, refusal: Refusal]> = [
  ['an HTTP proxy that wants a password', ({ http }) => [http, { proxyType: 'http' }, /^407: /]],
  [
    'an HTTP proxy and a wrong password',
    ({ http }) => [http, { proxyType: 'http', ...right, proxyPassword: 'no' }, /^40[17]: /],
  ],
  [
    'an HTTP proxy that cannot reach the broker',
    ({ http }) => [http, { proxyType: 'http', ...right }, /^50[023]: /],
  ],
  ['a SOCKS5 proxy that wants a password', ({ socks5 }) => [socks5, { proxyType: 'socks5' }, /auth/i]],
  [
    'a SOCKS5 proxy and a wrong password',
    ({ socks5 }) => [socks5, { proxyType: 'socks5', ...right, proxyPassword: 'no' }, /auth/i],
  ],
  [
    'a SOCKS5 proxy that cannot reach the broker',
    ({ dante: proxy }) => [proxy, { proxyType: 'socks5' }, /ConnectionRefused/],
  ],
  [
    'a SOCKS4 proxy that cannot reach the broker',
    ({ dante: proxy }) => [proxy, { proxyType: 'socks4' }, /Failed/],
  ],
  ['an HTTP proxy that is a SOCKS proxy', ({ socks5 }) => [socks5, { proxyType: 'http' }, /./]],
]

for (const [what, refusal] of refusals) {
  test(`refused by ${what}`, async (t) => {
    const [server, settings, text] = refusal(t.context)
    const { proxyType = 'http' } = settings
    const proxy = { proxyType, ...settings, proxyAddr: server.host, proxyPort: server.port }
    const client = clientOf(t, { host: '127.0.0.1', port: await freePort() }, { proxy })
    for (let round = 0; round < 2; round++) {
      const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
      const prefix = `Error connecting to ${proxyType.toString().toUpperCase()} proxy 127.0.0.1:${server.port}: `
      t.true(error.message.startsWith(prefix), error.message)
      t.regex(error.message.slice(prefix.length), text)
      t.is(error.code, 'ERR_MQTT_TRANSPORT')
    }
  })
}

test('refused: no proxy is there', async (t) => {
  const port = await freePort()
  for (const [proxyType, name] of [
    ['http', 'HTTP'],
    ['socks5', 'SOCKS5'],
    ['socks4', 'SOCKS4'],
  ] as const) {
    const proxy = { proxyType, proxyAddr: '127.0.0.1', proxyPort: port }
    const connecting = clientOf(t, { host: '127.0.0.1', port: 1883 }, { proxy }).connect()
    const error = (await rejection(atOnce, 'connect()', connecting)) as MqttError
    t.is(error.message, `Error connecting to ${name} proxy 127.0.0.1:${port}: [Errno 111] Connection refused`)
    t.is((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  }
})

test('refused: the name of the proxy is unknown', async (t) => {
  const proxy = { proxyType: 'http', proxyAddr: 'proxy.invalid' } as const
  const connecting = clientOf(t, { host: '127.0.0.1', port: 1883 }, { proxy }).connect()
  const error = (await rejection(atOnce, 'connect()', connecting)) as MqttError
  t.regex(error.message, /^Error connecting to HTTP proxy proxy\.invalid:8080: \[Errno -[23]\] /)
})

test('a proxy that hangs up says so, and one that says nothing takes no longer than the timeout', async (t) => {
  const deaf = await SilentServer.listen((socket) => socket.end())
  const silent = await SilentServer.listen()
  t.teardown(() => deaf.close())
  t.teardown(() => silent.close())
  for (const proxyType of ['http', 'socks5'] as const) {
    const hangsUp = clientOf(t, t.context.broker, {
      proxy: { proxyType, proxyAddr: deaf.host, proxyPort: deaf.port },
    })
    const error = (await rejection(atOnce, 'connect()', hangsUp.connect())) as MqttError
    t.regex(error.message, /^Error connecting to /)

    const proxy = { proxyType, proxyAddr: silent.host, proxyPort: silent.port }
    const waits = clientOf(t, t.context.broker, { proxy, timeout: 0.2 })
    t.is(
      ((await rejection(atOnce, 'connect()', waits.connect())) as MqttError).message,
      'Operation timed out',
    )
  }
  await within(atOnce, 'closing', silent.abandoned())
})

// --- The environment -----------------------------------------------------------------------------------------------

const broker = ['broker.example', 1883] as const

test('mqtt_proxy names the proxy', (t) => {
  const read = (url: string) => environmentProxy(...broker, { mqtt_proxy: url })
  t.like(read('http://proxy:3128'), {
    proxyType: 'http',
    proxyAddr: 'proxy',
    proxyPort: 3128,
    proxyRdns: true,
  })
  t.like(read('http://proxy'), { proxyType: 'http', proxyAddr: 'proxy', proxyPort: null })
  t.like(read('socks://[::1]:1080'), { proxyType: 'socks5', proxyAddr: '::1', proxyPort: 1080 })
  t.like(read('socks5://proxy'), { proxyType: 'socks5' })
  t.like(read('socks4a://proxy'), { proxyType: 'socks4a' })
  t.like(read('http://us%40er:pa%3Ass@proxy'), { proxyUsername: 'us@er', proxyPassword: 'pa:ss' })
  t.is(environmentProxy(...broker, {}), null)
  t.is(environmentProxy(...broker, { mqtt_proxy: '' }), null)
})

test('small letters come before capitals', (t) => {
  const environment = { mqtt_proxy: 'http://small', MQTT_PROXY: 'http://capital' }
  t.is(environmentProxy(...broker, environment)?.proxyAddr, 'small')
  t.is(environmentProxy(...broker, { MQTT_PROXY: 'http://capital' })?.proxyAddr, 'capital')
})

test('what is no proxy is an error, which does not show it', (t) => {
  for (const url of ['proxy:secret@host', 'ftp://user:secret@host', 'http://user:secret@', 'secret']) {
    t.throws(() => environmentProxy(...broker, { mqtt_proxy: url }), {
      message:
        'The environment variable mqtt_proxy must be a URL of a proxy, such as http://host:port or socks://host:port',
    })
  }
})

test('no_proxy has the hosts that are reached without', (t) => {
  const isProxied = (no_proxy: string, [host, port]: readonly [string, number] = broker) =>
    environmentProxy(host, port, { mqtt_proxy: 'http://proxy', no_proxy }) !== null
  for (const list of [
    '*',
    'broker.example',
    'example',
    '.example',
    'a, Broker.EXAMPLE',
    'broker.example:1883',
  ]) {
    t.false(isProxied(list), list)
  }
  for (const list of ['', 'roker.example', 'a.broker.example', 'broker.example:1884', 'b*', ',,']) {
    t.true(isProxied(list), list)
  }
  t.false(isProxied('127.0.0.1', ['127.0.0.1', 1]))
})

function connectingProcess(port: number, environment: Record<string, string>): Running {
  return inProcess(
    async ({ Client }, where) => {
      const client = await Client.connect('localhost', where.port)
      await client.disconnect()
    },
    { port },
    { environment },
  )
}

test.serial('the environment decides when the client has no proxy of its own', async (t) => {
  const { broker: real, http, peer } = t.context
  const url = `http://${login.user}:${login.password}@127.0.0.1:${http.port}`
  const before = http.output.length
  t.is((await connectingProcess(real.port, { mqtt_proxy: url }).outcome).code, 0)
  t.regex(http.output.slice(before), new RegExp(`CONNECT localhost:${real.port}`))

  t.is((await connectingProcess(1883, { mqtt_proxy: `socks://127.0.0.1:${peer.port}` }).outcome).code, 0)
  t.is(peer.requests.at(-1), 'SOCKS5 name localhost:1883')

  const nowhere = { mqtt_proxy: 'http://127.0.0.1:1', no_proxy: 'localhost' }
  t.is((await connectingProcess(real.port, nowhere).outcome).code, 0)
})
