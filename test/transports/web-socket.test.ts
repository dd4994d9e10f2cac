import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { ClientOptions, MqttError } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { atOnce, clientOf, connected, freshTopic, nextMessage } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { type Cut, SilentServer, WebSocketGateway } from '../helpers/gateway.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { inProcess } from '../helpers/program.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

type Test = ExecutionContext<{ broker: Mosquitto }>

async function gateway(t: Test, cut?: Cut): Promise<WebSocketGateway> {
  const server = await WebSocketGateway.to(t.context.broker, cut)
  t.teardown(() => server.close())
  return server
}

const webSocket = { transport: 'websockets' } as const

for (const [what, cut] of [
  ['of one byte each', [1]],
  ['that end in the middle of packets', [3, 1, 7, 200, 2]],
  ['of many packets', undefined],
] as const) {
  test(`packets come in frames ${what}`, async (t) => {
    const client = await connected(t, await gateway(t, cut), webSocket)
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 1 })
    const publishing = Array.from({ length: 50 }, (_, index) =>
      client.publish(topic, `message ${index}`, { qos: 1 }),
    )
    for (let index = 0; index < 50; index++) t.is((await nextMessage(client)).text(), `message ${index}`)
    await Promise.all(publishing)
  })
}

test('large payloads go through both ways, and calls of one tick leave in one frame', async (t) => {
  const server = await gateway(t)
  const client = await connected(t, server, webSocket)
  const topic = freshTopic()
  await client.subscribe(topic)
  const payload = Buffer.alloc(5_000_000, 'large')
  await client.publish(topic, payload, { qos: 1 })
  t.true((await nextMessage(client)).payload.equals(payload))

  const before = server.frames[0]?.length ?? 0
  await Promise.all(Array.from({ length: 20 }, () => client.publish('elsewhere', 'x', { qos: 1 })))
  t.true((server.frames[0]?.length ?? 0) - before < 5)
})

test('the handshake has the path /mqtt, the subprotocol mqtt and the usual headers', async (t) => {
  const server = await gateway(t)
  await connected(t, server, webSocket)
  const { path, headers } = server.handshakes[0] ?? { headers: {} }
  t.is(path, '/mqtt')
  t.like(headers, {
    host: `127.0.0.1:${server.port}`,
    upgrade: 'websocket',
    connection: 'Upgrade',
    origin: `http://127.0.0.1:${server.port}`,
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'mqtt',
  })
  t.is(headers['sec-websocket-extensions'], undefined)
})

test('headers may be added, and the path chosen', async (t) => {
  const server = await gateway(t)
  await connected(t, server, {
    ...webSocket,
    websocketPath: 'a/path?with=query',
    websocketHeaders: { 'X-Token': 'abc', origin: 'https://elsewhere.example' },
  })
  const { path, headers, raw } = server.handshakes[0] ?? { headers: {}, raw: [] }
  t.is(path, '/a/path?with=query')
  t.is(headers['x-token'], 'abc')
  t.is(headers.origin, 'https://elsewhere.example')
  t.is(headers.upgrade, 'websocket')
  t.is(raw.filter((name) => name.toLowerCase() === 'origin').length, 1)
})

test('headers may be replaced by a function of the usual ones', async (t) => {
  const server = await gateway(t)
  let usual: Record<string, string> = {}
  await connected(t, server, {
    ...webSocket,
    websocketHeaders: (headers) => {
      usual = headers
      const { Origin: _, ...rest } = headers
      return { ...rest, 'X-Token': 'abc' }
    },
  })
  const { headers } = server.handshakes[0] ?? { headers: {} }
  t.deepEqual(Object.keys(usual).sort(), [
    'Connection',
    'Host',
    'Origin',
    'Sec-WebSocket-Key',
    'Sec-WebSocket-Protocol',
    'Sec-WebSocket-Version',
    'Upgrade',
  ])
  t.is(headers.origin, undefined)
  t.is(headers['x-token'], 'abc')
  t.is(headers['sec-websocket-key'], usual['Sec-WebSocket-Key'])
})

for (const [what, answer, message] of [
  ['refuses it', () => 'HTTP/1.1 401 Unauthorized\r\n\r\n', /^Unexpected server response: 401$/],
  ['says nothing of the subprotocol', acceptance, /^Server sent no subprotocol$/],
  ['speaks MQTT at once', () => '\x20\x02\0\0', /^Parse Error: Expected HTTP/],
] as const) {
  test(`a handshake rejects when the server ${what}, and leaves nothing open`, async (t) => {
    const server = await SilentServer.listen((socket) => {
      socket.once('data', (request: Buffer) => socket.write(answer(request.toString())))
    })
    t.teardown(() => server.close())
    const error = (await rejection(
      atOnce,
      'connect()',
      clientOf(t, server, webSocket).connect(),
    )) as MqttError
    const [, reason = ''] = /^WebSocket handshake error: (.*) \(127\.0\.0\.1:\d+\)$/.exec(error.message) ?? []
    t.regex(reason, message)
    t.is(error.code, 'ERR_MQTT_TRANSPORT')
    await within(atOnce, 'closing', server.abandoned())
  })
}

/** The answer to a handshake (RFC 6455, 4.2.2) without a subprotocol. */
function acceptance(request: string): string {
  const [, key] = /sec-websocket-key: (.*)\r\n/i.exec(request) ?? []
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const headers = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`]
  return `${['HTTP/1.1 101 Switching Protocols', ...headers].join('\r\n')}\r\n\r\n`
}

for (const [what, end, cause] of [
  ['a text frame', (server: WebSocketGateway) => server.clients[0]?.send('text'), /text frame/],
  [
    'a code of its own',
    (server: WebSocketGateway) => server.clients[0]?.close(1008, 'not like this'),
    /The broker closed the WebSocket: 1008 not like this/,
  ],
  ['no reason', (server: WebSocketGateway) => server.clients[0]?.close(), /The broker closed the connection/],
  [
    'no Close frame',
    (server: WebSocketGateway) => server.clients[0]?.terminate(),
    /closed the connection|ECONNRESET/,
  ],
] as const) {
  test(`a connection that ends with ${what} says so`, async (t) => {
    const server = await gateway(t)
    const client = await connected(t, server, webSocket)
    const next = rejection(atOnce, 'next()', client.messages.next())
    end(server)
    const lost = ((await next) as Error).cause as MqttError
    t.is(lost.message, '[code:7] The connection was lost.')
    t.regex((lost.cause as Error).message, cause)
  })
}

test('what the broker said before it reset the connection is read, also when a write fails first', async (t) => {
  const server = await gateway(t)
  const client = await connected(t, server, webSocket)
  const next = rejection(atOnce, 'next()', client.messages.next())
  const publishing = rejection(atOnce, 'publish()', client.publish('a', 'b', { qos: 1 }))
  await new Promise<void>((resolve) => process.nextTick(process.nextTick, resolve))
  // While nothing is read here, the packet comes from the native side first, and then the broker's end.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  server.clients[0]?.close(1008, 'this is why')
  server.resetAll()
  for (const lost of [((await next) as Error).cause, await publishing] as MqttError[]) {
    t.is(lost.message, '[code:7] The connection was lost.')
    t.is((lost.cause as Error).message, 'The broker closed the WebSocket: 1008 this is why')
  }
})

test('a connection keeps itself alive', async (t) => {
  const server = await gateway(t)
  const client = await connected(t, server, { ...webSocket, keepalive: 1 })
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  await client.publish(freshTopic(), 'still here', { qos: 1 })
  t.is(server.handshakes.length, 1)
})

test('disconnect() closes the WebSocket, after DISCONNECT', async (t) => {
  const server = await gateway(t)
  const client = await connected(t, server, webSocket)
  const [socket] = server.clients
  const closed = once(socket as never, 'close')
  await client.disconnect()
  const [code] = await within(atOnce, 'the end of the WebSocket', closed)
  t.true(code === 1000 || code === 1005, String(code))
  t.is(server.frames[0]?.at(-1), 2)
})

test('a connection with unref() and nothing to wait for does not keep the process alive', async (t) => {
  const server = await gateway(t)
  const { outcome } = inProcess(
    async ({ Client }, { port }) => {
      const options: ClientOptions = { transport: 'websockets' }
      const client = await Client.connect('127.0.0.1', port, options)
      await client.unref().subscribe('a')
      console.log('subscribed')
    },
    { port: server.port },
  )
  const { code, output, milliseconds } = await outcome
  t.is(code, 0)
  t.is(output, 'subscribed\n')
  t.true(milliseconds < 5_000, `it took ${milliseconds} ms`)
})
