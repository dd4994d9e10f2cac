import { type ClientOptions, ProtocolVersion } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { clientTo, connected, freshTopic, nextMessage, nextMessages, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'
import { Relay } from '../helpers/relay.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
})
test.after.always((t) => t.context.broker.stop())

let identifiers = 0

function persistent(protocol: ProtocolVersion): ClientOptions & { identifier: string } {
  const identifier = `session-${++identifiers}`
  if (protocol !== ProtocolVersion.V5) return { protocol, identifier, cleanSession: false }
  return { protocol, identifier, cleanStart: false, properties: { sessionExpiryInterval: 600 } }
}

for (const { name, protocol } of protocols) {
  test(`${name}: what comes while a persistent client is away arrives when it is back, before it subscribes`, async (t) => {
    const topic = freshTopic()
    const client = await connected(t, t.context.broker, persistent(protocol))
    await client.subscribe(topic, { qos: 2 })
    await client.disconnect()
    const publisher = await connected(t, t.context.broker, { protocol })
    for (const qos of [1, 2] as const) {
      for (let index = 0; index < 50; index++) await publisher.publish(topic, index, { qos })
    }
    await client.connect()
    const received = await nextMessages(client, 100)
    const numbers = Array.from({ length: 50 }, (_, index) => index)
    for (const qos of [1, 2]) {
      const own = received.filter((message) => message.qos === qos)
      t.deepEqual(
        own.map((message) => Number(message.text())),
        numbers,
      )
    }
  })

  test(`${name}: a persistent session serves another client object with its identifier`, async (t) => {
    const topic = freshTopic()
    const options = persistent(protocol)
    const first = await connected(t, t.context.broker, options)
    await first.subscribe(topic, { qos: 1 })
    await first.disconnect()
    const second = await connected(t, t.context.broker, options)
    await second.publish(topic, 'mine', { qos: 1 })
    t.is((await nextMessage(second)).text(), 'mine')
  })

  test(`${name}: a clean client loses its subscriptions at each end`, async (t) => {
    const topic = freshTopic()
    const client = await connected(t, t.context.broker, { protocol, identifier: `clean-${protocol}` })
    await client.subscribe(topic)
    await client.disconnect()
    await client.connect()
    await client.publish(topic, 'unheard', { qos: 1 })
    await client.subscribe(`${topic}/marker`)
    await client.publish(`${topic}/marker`, 'marker')
    t.is((await nextMessage(client)).text(), 'marker')
  })

  test.serial(
    `${name}: a session goes on after the connection was cut again and again, and nothing of QoS 2 is lost or doubled`,
    async (t) => {
      const { broker } = t.context
      const relay = await Relay.to(broker)
      t.teardown(() => relay.close())
      const topic = freshTopic()
      const client = await clientTo(t, relay, persistent(protocol))
      await client.connect()
      await client.subscribe(topic, { qos: 2 })
      const publisher = await connected(t, broker, { protocol })
      const count = 1_000
      const publishing = Promise.all(
        Array.from({ length: count }, (_, index) => publisher.publish(topic, index, { qos: 2, timeout: 60 })),
      )
      const received: number[] = []
      while (received.length < count) {
        try {
          for await (const message of client.messages) {
            received.push(Number(message.text()))
            if (received.length % 200 === 0) relay.cut()
            if (received.length === count) break
          }
        } catch {
          await within(patience, 'connecting again', client.connect())
        }
      }
      await publishing
      t.deepEqual(
        received,
        Array.from({ length: count }, (_, index) => index),
      )
    },
  )

  test(`${name}: a broker that comes back with its sessions goes on where it was`, async (t) => {
    const broker = await Mosquitto.start({ settings: ['persistence true', 'persistence_location $FOLDER'] })
    t.teardown(() => broker.stop())
    const topic = freshTopic()
    const client = await connected(t, broker, persistent(protocol))
    await client.subscribe(topic, { qos: 1 })
    const lost = rejection(patience, 'next()', client.messages.next())
    await broker.shutDown()
    t.is(((await lost) as Error).message, 'Disconnected during message iteration')
    await broker.restart()
    await within(patience, 'connecting', client.connect())
    await client.publish(topic, 'still subscribed', { qos: 1 })
    t.is((await nextMessage(client)).text(), 'still subscribed')
  })
}

test('MQTT 5: a session ends when its expiry interval is over', async (t) => {
  const topic = freshTopic()
  const options = { ...persistent(ProtocolVersion.V5), properties: { sessionExpiryInterval: 0 } }
  const client = await connected(t, t.context.broker, options)
  await client.subscribe(topic)
  await client.disconnect()
  await client.connect()
  await client.publish(topic, 'unheard', { qos: 1 })
  await client.subscribe(`${topic}/marker`)
  await client.publish(`${topic}/marker`, 'marker')
  t.is((await nextMessage(client)).text(), 'marker')
})

test('MQTT 5: a session without an end is asked for with the highest expiry interval', async (t) => {
  const topic = freshTopic()
  const options = { ...persistent(ProtocolVersion.V5), properties: { sessionExpiryInterval: 0xffffffff } }
  const client = await connected(t, t.context.broker, options)
  await client.subscribe(topic, { qos: 1 })
  await client.disconnect()
  const publisher = await connected(t, t.context.broker)
  await publisher.publish(topic, 'kept', { qos: 1 })
  await client.connect()
  t.is((await nextMessage(client)).text(), 'kept')
})
