// Half-open connections: nothing comes any more, and nobody says so.
import { Client } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { nextMessage } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { FaultProxy } from './proxy.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

/** Seconds. */
const keepalive = 2
/** What a busy machine may add, in milliseconds. */
const lateness = 1_500

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

test('a half-open connection is found within one and a half keepalives, a pending call rejects', async (t) => {
  const proxy = await FaultProxy.to(t.context.broker)
  t.teardown(() => proxy.close())
  const client = await Client.connect(proxy.host, proxy.port, { keepalive, timeout: 60 })
  t.teardown(() => client.disconnect())
  const started = Date.now()
  proxy.faults = { silent: true }
  const waiting = client.messages.next()
  const call = client.publish('a', 'x', { qos: 1 })
  t.regex(String(await rejection(10_000, 'publishing', call)), /Keep alive timeout/i)
  t.regex(String(await rejection(1_000, 'iterating', waiting)), /Disconnected during message iteration/)
  const took = Date.now() - started
  t.true(took < keepalive * 1_500 + lateness, `${took} ms`)
})

test('with reconnect a half-open connection is replaced, and the publish goes on over it', async (t) => {
  const proxy = await FaultProxy.to(t.context.broker)
  t.teardown(() => proxy.close())
  const client = new Client(proxy.host, proxy.port, {
    identifier: 'half-open',
    cleanSession: false,
    keepalive,
    timeout: 30,
    reconnect: { minDelay: 0.01, maxDelay: 0.1 },
  })
  t.teardown(() => client.disconnect())
  await client.connect()
  await client.subscribe('half/open', { qos: 1 })
  proxy.faults = { silent: true }
  const call = client.publish('half/open', 'x', { qos: 1 })
  await until(10_000, 'finding out', () => client.state !== 'connected')
  proxy.faults = {}
  await within(10_000, 'publishing', call)
  t.is((await nextMessage(client)).text(), 'x')
  t.is(proxy.connections, 2)
})

test('a slow but living connection is never dropped', async (t) => {
  const proxy = await FaultProxy.to(t.context.broker)
  t.teardown(() => proxy.close())
  proxy.faults = { delay: 300, jitter: 200, segment: 1 }
  const client = await Client.connect(proxy.host, proxy.port, { keepalive: 1, timeout: 60 })
  t.teardown(() => client.disconnect())
  for (const until = Date.now() + 5_000; Date.now() < until; ) {
    await within(5_000, 'publishing', client.publish('a', 'x', { qos: 1 }))
    await new Promise((resolve) => setTimeout(resolve, 1_200))
  }
  t.is(proxy.connections, 1)
})
