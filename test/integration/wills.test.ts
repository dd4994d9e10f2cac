import { type ClientOptions, ProtocolVersion, Will } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { clientTo, connected, freshTopic, nextMessage } from '../helpers/client.js'
import { rejection } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'
import { Relay } from '../helpers/relay.js'

const test = anyTest as TestFn<{ broker: Mosquitto; relay: Relay }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())
test.beforeEach(async (t) => {
  t.context.relay = await Relay.to(t.context.broker)
})
test.afterEach.always((t) => t.context.relay.close())

for (const { name, protocol } of protocols) {
  for (const qos of [0, 1, 2] as const) {
    test(`${name}: the will of a lost client is published with QoS ${qos}`, async (t) => {
      const { broker, relay } = t.context
      const topic = freshTopic()
      const watcher = await connected(t, broker, { protocol })
      await watcher.subscribe(topic, { qos: 2 })
      const client = await clientTo(t, relay, { protocol, will: { topic, payload: 'gone', qos } })
      await client.connect()
      const lost = rejection(5_000, 'next()', client.messages.next())
      relay.cut()
      const message = await nextMessage(watcher)
      t.is(message.text(), 'gone')
      t.is(message.qos, qos)
      await lost
    })
  }

  test(`${name}: a retained will of bytes stays`, async (t) => {
    const { broker, relay } = t.context
    const topic = freshTopic()
    const watcher = await connected(t, broker, { protocol })
    await watcher.subscribe(topic)
    const client = await clientTo(t, relay, {
      protocol,
      will: new Will(topic, Uint8Array.of(0, 255), { retain: true }),
    })
    await client.connect()
    relay.cut()
    await nextMessage(watcher)
    const later = await connected(t, broker, { protocol })
    await later.subscribe(topic)
    const message = await nextMessage(later)
    t.true(message.retain)
    t.deepEqual([...message.payload], [0, 255])
  })

  test(`${name}: the will of a client that disconnects is not published`, async (t) => {
    const { broker } = t.context
    const topic = freshTopic()
    const watcher = await connected(t, broker, { protocol })
    await watcher.subscribe(topic)
    const options: ClientOptions = {
      protocol,
      identifier: `leaves-${protocol}`,
      will: { topic, payload: 'gone' },
    }
    const client = await connected(t, broker, options)
    await client.disconnect()
    await broker.logged(new RegExp(`Client leaves-${protocol} disconnected`))
    await watcher.publish(topic, 'marker')
    t.is((await nextMessage(watcher)).text(), 'marker')
  })
}

test('MQTT 5: a will carries its properties', async (t) => {
  const { broker, relay } = t.context
  const topic = freshTopic()
  const watcher = await connected(t, broker, { protocol: ProtocolVersion.V5 })
  await watcher.subscribe(topic)
  const properties = {
    contentType: 'text/plain',
    userProperty: [['a', 'b']] as Array<[string, string]>,
    responseTopic: 'r',
  }
  const client = await clientTo(t, relay, {
    protocol: ProtocolVersion.V5,
    will: { topic, payload: 'gone', properties },
  })
  await client.connect()
  relay.cut()
  const message = await nextMessage(watcher)
  t.is(message.properties?.contentType, 'text/plain')
  t.is(message.properties?.responseTopic, 'r')
  t.deepEqual(message.properties?.userProperty, [['a', 'b']])
})
