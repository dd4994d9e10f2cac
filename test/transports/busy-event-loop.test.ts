import type { ClientOptions } from 'aiomqtt'
import test from 'ava'
import { clientOf, freshTopic, nextMessage, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { listenEverywhere } from '../helpers/listeners.js'

test('an event loop that is busy for three keepalives loses no connection: TCP, unix sockets, TLS', async (t) => {
  const { broker, root, tls, unix, stop } = await listenEverywhere()
  t.teardown(stop)
  const tlsParams = { caCerts: root.certificate }
  const ways: Array<[host: string, port: number, options: ClientOptions]> = [
    ['127.0.0.1', broker.port, {}],
    [unix, 1883, { transport: 'unix' }],
    ['localhost', tls, { tlsParams }],
  ]
  const clients = ways.map(([host, port, options]) =>
    clientOf(t, { host, port }, { ...options, keepalive: 1 }),
  )
  await within(patience, 'connecting', Promise.all(clients.map((client) => client.connect())))
  const topic = freshTopic()
  for (const client of clients) await client.subscribe(topic)

  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_200)

  // Mosquitto closes a connection that was silent for one and a half of its keepalives.
  await within(
    patience,
    'publishing',
    Promise.all(clients.map((client) => client.publish(topic, 'here', { qos: 1 }))),
  )
  for (const client of clients) t.is((await nextMessage(client)).text(), 'here')
  t.deepEqual(
    broker.log.filter((line) => line.includes('timeout')),
    [],
  )
})
