// Host names and paths as people write them: what is asked for, what is refused, and that TLS always has a name to check.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import { Client, type ClientOptions, type MqttError } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { WebSocketServer } from 'ws'
import { Authority } from '../helpers/certificates.js'
import { atOnce, clientOf, listening, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'

const CONNACK = Buffer.from('20020000', 'hex')

/** A web server with these WebSockets, and what was asked of it. */
async function webServer(
  t: ExecutionContext,
  onSocket: (socket: import('ws').WebSocket) => void,
): Promise<{ port: number; asked: string[] }> {
  const http = createServer((_request, response) => response.writeHead(403).end())
  const sockets = new WebSocketServer({ noServer: true })
  const asked: string[] = []
  http.on('upgrade', (request, socket, head) => {
    asked.push(`${request.url} of ${request.headers.host}`)
    sockets.handleUpgrade(request, socket, head, onSocket)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    http.close()
  })
  return { port: (http.address() as AddressInfo).port, asked }
}

for (const path of [
  '/mqtt',
  '/mqtt?a=%2Bb%3D&token=x%2Fy',
  '//mqtt',
  '//mqtt?token=1',
  '//',
  '///',
  '/a//b',
]) {
  test(`the path ${path} is asked for as it is, in a URL, as an option and from a function`, async (t) => {
    const { port, asked } = await webServer(t, (socket) => socket.once('message', () => socket.send(CONNACK)))
    const ways: Array<[hostname: string, options: ClientOptions]> = [
      [`ws://127.0.0.1:${port}${path}`, {}],
      ['127.0.0.1', { transport: 'websockets', websocketPath: path }],
      ['127.0.0.1', { transport: 'websockets', websocketPath: () => path }],
    ]
    for (const [hostname, options] of ways) {
      const client = new Client(hostname, { ...options, port })
      await within(patience, 'connecting', client.connect())
      await client.disconnect()
    }
    t.deepEqual(asked, Array(ways.length).fill(`${path} of 127.0.0.1:${port}`))
  })
}

for (const [what, close] of [
  ['its socket', (socket: import('ws').WebSocket) => socket.terminate()],
  ['it with a code', (socket: import('ws').WebSocket) => socket.close(1013, 'try later')],
  ['it without one', (socket: import('ws').WebSocket) => socket.close()],
  ['it with the code of success', (socket: import('ws').WebSocket) => socket.close(1000)],
] as const) {
  test(`a WebSocket rejects at once when the broker closes ${what}`, async (t) => {
    const { port } = await webServer(t, close)
    const client = clientOf(t, { host: '127.0.0.1', port }, { transport: 'websockets', timeout: 60 })
    const error = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
    t.regex(
      `${error.message} ${(error.cause as Error | undefined)?.message}`,
      new RegExp(`127\\.0\\.0\\.1:${port}`),
    )
  })
}

test('a WebSocket that HTTP refuses says with which status', async (t) => {
  const http = createServer((_request, response) => response.writeHead(401).end())
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  const { port } = http.address() as AddressInfo
  const client = clientOf(t, { host: '127.0.0.1', port }, { transport: 'websockets' })
  const error = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
  t.is(error.statusCode, 401)
  t.is((error.cause as { statusCode?: number }).statusCode, 401)
  t.regex(error.message, /Unexpected server response: 401/)
})

for (const [hostname, message] of [
  ['[::1]', /hostname must be without brackets: write ::1/],
  ['broker.example:1884', /hostname must be without a port: write broker\.example, and give the port 1884/],
  ['127.0.0.1:1883', /write 127\.0\.0\.1, and give the port 1883/],
  ['[::1]:1884', /write ::1, and give the port 1884/],
] as const) {
  test(`the host name ${hostname} is refused with what to write`, (t) => {
    t.throws(() => new Client(hostname), { instanceOf: RangeError, message })
    t.throws(() => new Client('localhost', { reconnect: { hosts: [hostname] } }), { instanceOf: RangeError })
  })
}

test('an address of IPv6, a zone and the path of a socket are what they are', (t) => {
  for (const hostname of ['::1', 'fe80::1%eth0', 'localhost']) t.notThrows(() => new Client(hostname))
  t.notThrows(() => new Client('/run/broker:1883', { transport: 'unix' }))
})

const certificate = Authority.root('somebody-else.example', ['somebody-else.example', 'localhost'])
const ca = certificate.certificate

/** A broker whose certificate is for somebody-else.example and for localhost. */
async function secureBroker(t: ExecutionContext): Promise<number> {
  const tls = createTlsServer({ cert: certificate.certificate, key: certificate.key }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.write(CONNACK))
  })
  tls.on('tlsClientError', () => {})
  tls.listen(0, '127.0.0.1')
  await once(tls, 'listening')
  t.teardown(() => tls.close())
  return (tls.address() as AddressInfo).port
}

for (const [way, tlsContext] of [
  ['native TLS', { ca }],
  ['node:tls', createSecureContext({ ca })],
] as const) {
  test(`${way} over a stream connects with the names of the certificate alone`, async (t) => {
    const port = await secureBroker(t)
    const transport = () => connect(port, '127.0.0.1')
    for (const hostname of [
      'somebody-else.example',
      ' ',
      '%',
      '%eth0',
      '.',
      '.example',
      '.localhost',
      '127.0.0.1',
    ]) {
      const client = clientOf(t, { host: hostname, port: 8883 }, { tlsContext, transport })
      const connecting = within(atOnce, hostname, client.connect())
      if (hostname === 'somebody-else.example') {
        await t.notThrowsAsync(connecting)
        await client.disconnect()
        continue
      }
      const error = await t.throwsAsync<MqttError>(connecting, undefined, hostname)
      t.is(error?.code, 'ERR_MQTT_TLS', hostname)
    }
  })

  test(`${way} with a servername that is none does not connect`, async (t) => {
    const port = await secureBroker(t)
    for (const servername of ['.example', '.']) {
      const context = 'ca' in tlsContext ? { ca, servername } : { secureContext: tlsContext, servername }
      const client = clientOf(t, { host: 'localhost', port }, { tlsContext: context })
      t.is(((await rejection(atOnce, 'connecting', client.connect())) as MqttError).code, 'ERR_MQTT_TLS')
    }
  })
}

test('a host of reconnect whose name is none is passed over', async (t) => {
  const port = await secureBroker(t)
  const hosts: Array<[string, number]> = [['localhost', port]]
  const reconnect = { hosts, initial: true, minDelay: 0 }
  const client = clientOf(t, { host: '%eth0', port }, { tlsContext: { ca }, reconnect })
  await within(patience, 'connecting', client.connect())
  t.is(client.state, 'connected')
})

test('the hint about TLS is not for a broker that has spoken MQTT', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer)
  const first = rejection(atOnce, 'connecting', client.connect())
  ;(await peer.accept()).socket.end()
  t.regex(((await first) as { cause: Error }).cause.message, /Is that its port for TLS/)
  const connecting = client.connect()
  const session = await peer.accept()
  await session.next('connect')
  session.welcome()
  await within(atOnce, 'connecting', connecting)
  await client.disconnect()
  const again = rejection(atOnce, 'connecting', client.connect())
  ;(await peer.accept()).socket.end()
  const { cause } = (await again) as { cause: Error }
  t.regex(cause.message, /closed the connection before CONNACK/)
  t.notRegex(cause.message, /TLS/)
})
