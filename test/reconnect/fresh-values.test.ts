// Options that are functions: asked for each attempt, with what it is.

import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { type ClientOptions, type ConnectionAttempt, type MqttError, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { WebSocketServer } from 'ws'
import { Authority } from '../helpers/certificates.js'
import { atOnce, clientOf, listening, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'
import { quickly, reached } from '../helpers/reconnect.js'

const { V5 } = ProtocolVersion

for (const { name, protocol } of protocols) {
  test(`${name}: username, password and will are asked for each connection`, async (t) => {
    const peer = await listening(t)
    const attempts: ConnectionAttempt[] = []
    let count = 0
    const client = clientOf(t, peer, {
      protocol,
      reconnect: quickly,
      username: (attempt) => {
        attempts.push(attempt)
        return `user-${attempt.number}`
      },
      password: async () => {
        await sleep(1)
        return `token-${++count}`
      },
      will: () => ({ topic: 'gone', payload: `${count}`, qos: 1 }),
    })
    const connecting = client.connect()
    for (const [connection, user] of ['user-1', 'user-1', 'user-2'].entries()) {
      const session = await within(patience, 'coming back', peer.accept())
      const connect = await session.next('connect')
      t.is(connect.username, user)
      t.is(String(connect.password), `token-${connection + 1}`)
      t.is(connect.will?.topic, 'gone')
      if (connection === 1) {
        session.reset()
        continue
      }
      session.welcome()
      if (connection === 0) {
        await within(atOnce, 'connecting', connecting)
        session.reset()
      }
    }
    t.deepEqual(
      attempts.map(({ host, port, number }) => [host, port, number]),
      [1, 1, 2].map((number) => [peer.host, peer.port, number]),
    )
    t.is(attempts[0]?.error, null)
    t.regex(String(attempts[1]?.error?.message), /code:7/)
    t.regex(String(attempts[2]?.error?.message), /Connection reset|code:7/)
  })
}

test('none of a function is none', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { username: () => null, password: () => 'x', will: () => undefined })
  const connecting = client.connect()
  const session = await peer.accept()
  const connect = await session.next('connect')
  t.is(connect.username, undefined)
  t.is(connect.password, undefined)
  t.is(connect.will, undefined)
  session.welcome()
  await within(atOnce, 'connecting', connecting)
})

const failing: Array<[name: string, options: ClientOptions, type: string, message: RegExp]> = [
  [
    'throws',
    {
      username: () => {
        throw new Error('no vault')
      },
    },
    'MqttError',
    /^The option username failed: no vault \(127\.0\.0\.1:\d+\)$/,
  ],
  [
    'rejects',
    { username: 'u', password: async () => Promise.reject(new Error('no vault')) },
    'MqttError',
    /^The option password failed: no vault/,
  ],
  ['gives a wrong type', { username: () => 7 as never }, 'TypeError', /username/],
  ['gives a wrong will', { will: () => ({ topic: 'a/#' }) }, 'RangeError', /./],
  ['gives no tlsContext', { tlsContext: () => undefined }, 'TypeError', /tlsContext/],
]

for (const [name, options, type, message] of failing) {
  test(`a function that ${name} fails the attempt, and a later one is made`, async (t) => {
    const peer = await listening(t)
    const once = clientOf(t, peer, options)
    const error = (await rejection(atOnce, 'connecting', once.connect())) as Error
    t.is(error.name, type)
    t.regex(error.message, message)
    t.is(once.state, 'disconnected')
    let calls = 0
    const lasting = clientOf(t, peer, {
      ...counted(options, () => calls++),
      reconnect: { ...quickly, initial: true },
    })
    const connecting = rejection(patience, 'connecting', lasting.connect())
    let failures = 0
    for await (const { error } of lasting.states) if (error !== undefined && ++failures === 3) break
    await lasting.disconnect()
    await connecting
    t.true(calls >= 3)
    t.is(peer.connections, 0)
  })
}

/** The same options, whose functions count their calls. */
function counted(options: ClientOptions, count: () => void): ClientOptions {
  const entries = Object.entries(options).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value]
    const maker = value as (attempt: ConnectionAttempt) => unknown
    return [
      name,
      (attempt: ConnectionAttempt) => {
        count()
        return maker(attempt)
      },
    ]
  })
  return Object.fromEntries(entries)
}

test('the time of a function counts for the attempt; what it gives later is dropped', async (t) => {
  const peer = await listening(t)
  let give: (name: string) => void = () => {}
  const slow = new Promise<string>((resolve) => {
    give = resolve
  })
  const client = clientOf(t, peer, { username: () => slow, timeout: 0.2 })
  const error = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
  t.is(error.code, 'ERR_MQTT_TIMEOUT')
  give('late')
  await slow
  t.is(peer.connections, 0)
  const leaving = clientOf(t, peer, { username: () => new Promise<string>(() => {}) })
  const connecting = rejection(atOnce, 'connecting', leaving.connect())
  await leaving.disconnect()
  t.is(((await connecting) as MqttError).code, 'ERR_MQTT_DISCONNECTED')
})

/** A WebSocket server that answers CONNECT on MQTT 5. */
async function webSockets(
  t: ExecutionContext,
): Promise<{ port: number; requests: IncomingMessage[]; cut(): void }> {
  const http = createServer()
  const sockets = new WebSocketServer({ server: http })
  const requests: IncomingMessage[] = []
  sockets.on('connection', (socket, request) => {
    requests.push(request)
    socket.once('message', () => socket.send(Buffer.from('2003000000', 'hex')))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const cut = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  t.teardown(() => {
    cut()
    http.close()
  })
  return { port: (http.address() as AddressInfo).port, requests, cut }
}

test('a signed path and signed headers are made for each WebSocket', async (t) => {
  const server = await webSockets(t)
  let signature = 0
  const client = clientOf(
    t,
    { host: '127.0.0.1', port: server.port },
    {
      protocol: V5,
      transport: 'websockets',
      reconnect: quickly,
      websocketPath: async ({ number }) => `/mqtt?signature=${++signature}&attempt=${number}`,
      websocketHeaders: async ({ host }, { number }) => ({ Authorization: `${host} ${number} ${signature}` }),
    },
  )
  await within(patience, 'connecting', client.connect())
  server.cut()
  await reached(client, 'reconnecting')
  await reached(client, 'connected')
  t.deepEqual(
    server.requests.map(({ url, headers }) => [
      url,
      headers.authorization,
      headers['sec-websocket-protocol'],
    ]),
    [
      ['/mqtt?signature=1&attempt=1', '127.0.0.1 1 1', 'mqtt'],
      ['/mqtt?signature=2&attempt=1', '127.0.0.1 1 2', 'mqtt'],
    ],
  )
})

test('a function of the usual headers may still replace them', async (t) => {
  const server = await webSockets(t)
  const client = clientOf(
    t,
    { host: '127.0.0.1', port: server.port },
    {
      protocol: V5,
      transport: 'websockets',
      websocketHeaders: ({ Origin: _origin, ...headers }) => ({ ...headers, 'X-Own': 'yes' }),
    },
  )
  await within(patience, 'connecting', client.connect())
  const [request] = server.requests
  t.is(request?.headers['x-own'], 'yes')
  t.is(request?.headers.origin, undefined)
  t.is(request?.headers.host, `127.0.0.1:${server.port}`)
})

for (const [name, websocketHeaders, message] of [
  [
    'throws',
    () => {
      throw new Error('no vault')
    },
    /The option websocketHeaders failed: no vault/,
  ],
  ['gives none', () => 7 as never, /dictionary or callable/],
] as const) {
  test(`a function of the headers that ${name} fails the attempt`, async (t) => {
    const { port } = await webSockets(t)
    const client = clientOf(t, { host: '127.0.0.1', port }, { transport: 'websockets', websocketHeaders })
    const error = (await rejection(atOnce, 'connecting', client.connect())) as Error
    t.regex(error.message, message)
  })
}

test('a renewed certificate is used for the next connection', async (t) => {
  const root = Authority.root('Fresh Root')
  const own = root.issue({ hosts: ['localhost'] })
  const names: string[] = []
  const sockets: TLSSocket[] = []
  const tls = createTlsServer(
    { cert: own.certificate, key: own.key, ca: root.certificate, requestCert: true },
    (socket) => {
      names.push(String(socket.getPeerCertificate().subject?.CN))
      sockets.push(socket)
      socket.on('error', () => {})
      socket.once('data', () => socket.write(Buffer.from('20020000', 'hex')))
    },
  )
  tls.listen(0, '127.0.0.1')
  await once(tls, 'listening')
  t.teardown(() => tls.close())
  const [first, second] = [root.issue({ name: 'first' }), root.issue({ name: 'second' })]
  let current = first
  const client = clientOf(
    t,
    { host: 'localhost', port: (tls.address() as AddressInfo).port },
    {
      reconnect: quickly,
      tlsContext: () => ({ ca: root.certificate, cert: current.certificate, key: current.key }),
    },
  )
  await within(patience, 'connecting', client.connect())
  current = second
  sockets[0]?.destroy()
  await reached(client, 'reconnecting')
  await reached(client, 'connected')
  t.deepEqual(names, ['first', 'second'])
})
