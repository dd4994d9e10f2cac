import { connect } from 'node:net'
import { createSecureContext } from 'node:tls'
import { Client, type ClientOptions, type MqttError } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { atOnce, connected, freshTopic, nextMessage, patience } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import { type Listeners, listenEverywhere, sharedKey } from '../helpers/listeners.js'
import { dante, microsocks, nginx, portOf, type Server, tinyproxy } from '../helpers/servers.js'

interface Servers {
  listeners: Listeners
  nginx: Server
  http: Server
  socks5: Server
  dante: Server
}

const test = anyTest as TestFn<Servers>

const login = { user: 'proxy-user', password: 'proxy-password' }
const proxyLogin = { proxyUsername: login.user, proxyPassword: login.password }

test.before(async (t) => {
  const listeners = await listenEverywhere()
  const { broker, webSocket, folder } = listeners
  const certificates = `ssl_certificate ${folder}/certificate; ssl_certificate_key ${folder}/key;`
  const upgrade = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;'
  const location = `location /behind/nginx {
    proxy_pass http://127.0.0.1:${webSocket}; proxy_http_version 1.1; ${upgrade}
  }`
  t.context.listeners = listeners
  t.context.nginx = await nginx({
    ports: 3,
    stream: `server { listen 127.0.0.1:$PORT ssl; ${certificates} proxy_pass 127.0.0.1:${broker.port}; }`,
    http: `server {
      listen 127.0.0.1:$PORT2 ssl; ${certificates}
      ${location}
    }
    server { listen 127.0.0.1:$PORT3; ${location} }`,
  })
  t.context.http = await tinyproxy(login)
  t.context.socks5 = await microsocks(login)
  t.context.dante = await dante()
})
test.after.always(async ({ context }) => {
  for (const server of [context.nginx, context.http, context.socks5, context.dante, context.listeners]) {
    await server?.stop()
  }
})

/** A way to the broker: the arguments of `new Client()`, of which the options get more. */
type Way = (servers: Servers) => [hostname: string, options: ClientOptions & { port?: number }]

/**
 * The largest message of a way. Mosquitto 2.0.11 sends a WebSocket frame of more than 4 KiB in pieces of as many, ten
 * a second.
 */
const large = 3_000_000
const largeOnMosquittosWebSocket = 10_000

const ways: Array<[name: string, way: Way, large?: number]> = [
  ['TCP', ({ listeners }) => ['127.0.0.1', { port: listeners.broker.port }]],
  ['TCP, by name', ({ listeners }) => ['localhost', { port: listeners.broker.port }]],
  ['TCP, by URL', ({ listeners }) => [`mqtt://localhost:${listeners.broker.port}`, {}]],
  ['a unix socket', ({ listeners }) => [listeners.unix, { transport: 'unix' }]],
  ['TLS', ({ listeners }) => ['localhost', { port: listeners.tls, tlsParams: trust(listeners) }]],
  [
    'TLS 1.2',
    ({ listeners }) => [
      'localhost',
      { port: listeners.tls, tlsParams: { ...trust(listeners), tlsVersion: 'TLSv1.2' } },
    ],
  ],
  [
    'TLS by URL, with options of tls.connect()',
    ({ listeners }) => [
      `mqtts://localhost:${listeners.tls}`,
      { tlsContext: { ca: listeners.root.certificate } },
    ],
  ],
  [
    'TLS by a SecureContext',
    ({ listeners }) => [
      'localhost',
      { port: listeners.tls, tlsContext: createSecureContext({ ca: listeners.root.certificate }) },
    ],
  ],
  [
    "TLS with a client's certificate",
    ({ listeners: { mutual, root, client } }) => [
      'localhost',
      {
        port: mutual,
        tlsParams: { caCerts: root.certificate, certfile: client.certificate, keyfile: client.key },
      },
    ],
  ],
  [
    'TLS with a shared key',
    ({ listeners }) => ['localhost', { port: listeners.psk, tlsContext: presharedKey }],
  ],
  [
    'TLS that nginx ends',
    ({ nginx, listeners }) => ['localhost', { ...portOf(nginx), tlsParams: trust(listeners) }],
  ],
  [
    'WebSocket',
    ({ listeners }) => ['localhost', { port: listeners.webSocket, transport: 'websockets' }],
    largeOnMosquittosWebSocket,
  ],
  [
    'WebSocket over TLS, by URL',
    ({ listeners }) => [`wss://localhost:${listeners.secureWebSocket}/mqtt`, { tlsParams: trust(listeners) }],
    largeOnMosquittosWebSocket,
  ],
  [
    'WebSocket through nginx',
    ({ nginx }) => [`ws://localhost:${portOf(nginx, 2).port}/behind/nginx`, {}],
    largeOnMosquittosWebSocket,
  ],
  [
    'WebSocket over TLS through nginx',
    ({ nginx, listeners }) => [
      `wss://localhost:${portOf(nginx, 1).port}/behind/nginx`,
      { tlsParams: trust(listeners) },
    ],
    largeOnMosquittosWebSocket,
  ],
  [
    'an HTTP proxy',
    ({ http, listeners }) => ['localhost', { port: listeners.broker.port, proxy: via('http', http) }],
  ],
  [
    'TLS through an HTTP proxy',
    ({ http, listeners }) => [
      'localhost',
      { port: listeners.tls, tlsParams: trust(listeners), proxy: via(3, http) },
    ],
  ],
  [
    'WebSocket over TLS through an HTTP proxy',
    ({ http, listeners }) => [
      `wss://localhost:${listeners.secureWebSocket}`,
      { tlsParams: trust(listeners), proxy: via('http', http) },
    ],
    largeOnMosquittosWebSocket,
  ],
  [
    'a SOCKS5 proxy with a password',
    ({ socks5, listeners }) => ['localhost', { port: listeners.broker.port, proxy: via('socks5', socks5) }],
  ],
  [
    'TLS through a SOCKS5 proxy',
    ({ dante, listeners }) => [
      'localhost',
      { port: listeners.tls, tlsParams: trust(listeners), proxy: { ...via(2, dante), ...noLogin } },
    ],
  ],
  [
    'a SOCKS4 proxy',
    ({ dante, listeners }) => [
      'localhost',
      { port: listeners.broker.port, proxy: { ...via('socks4', dante), ...noLogin } },
    ],
  ],
  [
    'a stream of one’s own',
    ({ listeners }) => ['any', { transport: () => connect(listeners.broker.port, '127.0.0.1') }],
  ],
  [
    'TLS over a stream of one’s own',
    ({ listeners }) => [
      'localhost',
      { transport: async () => connect(listeners.tls, '127.0.0.1'), tlsParams: trust(listeners) },
    ],
  ],
]

const noLogin = { proxyUsername: null, proxyPassword: null }

const presharedKey = {
  ciphers: 'PSK',
  maxVersion: 'TLSv1.2',
  pskCallback: () => ({ identity: sharedKey.identity, psk: Buffer.from(sharedKey.hex, 'hex') }),
  checkServerIdentity: () => undefined,
} as const

function trust({ root }: Listeners) {
  return { caCerts: root.certificate }
}

function via<const Type>(proxyType: Type, { host, port }: Server) {
  return { proxyType, proxyAddr: host, proxyPort: port, ...proxyLogin }
}

for (const [name, way, size = large] of ways) {
  test.serial(
    `${name}: connect, subscribe, publish, lose the connection, come back, disconnect`,
    async (t) => {
      const { broker } = t.context.listeners
      const [hostname, options] = way(t.context)
      const { host: _, ...rest } = { host: '', ...options }
      const identifier = `client of ${name}`
      const client = new Client(hostname, { ...rest, identifier })
      t.teardown(() => client.disconnect())
      await within(patience, 'connecting', client.connect())

      const topic = freshTopic()
      t.deepEqual((await client.subscribe(topic, { qos: 2 })).map(Number), [2])
      const bytes = Buffer.alloc(size, 'what is large goes through whole, ')
      for (const qos of [0, 1, 2] as const) {
        for (const payload of [Buffer.alloc(0), Buffer.from('small'), bytes]) {
          await client.publish(topic, payload, { qos })
          const message = await nextMessage(client)
          t.is(message.qos, qos)
          t.true(message.payload.equals(payload))
        }
      }
      const burst = Array.from({ length: 200 }, (_, index) => client.publish(topic, index, { qos: 1 }))
      for (let index = 0; index < burst.length; index++)
        t.is((await nextMessage(client)).text(), String(index))
      await Promise.all(burst)

      // Another client takes the identifier: the broker closes the connection.
      const next = rejection(atOnce, 'next()', client.messages.next())
      await (await connected(t, broker, { identifier })).disconnect()
      const { message, cause } = (await next) as MqttError
      t.is(message, 'Disconnected during message iteration')
      t.is((cause as MqttError).message, '[code:7] The connection was lost.')

      await within(patience, 'connecting again', client.connect())
      await client.publish(topic, 'back', { qos: 1 })
      const goodbyes = count(broker.log, identifier)
      await client.disconnect()
      await until(patience, 'DISCONNECT', () => count(broker.log, identifier) > goodbyes)
    },
  )
}

function count(log: readonly string[], identifier: string): number {
  return log.filter((line) => line === `Received DISCONNECT from ${identifier}`).length
}
