import { Client, ProtocolVersion, Topic, Wildcard } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { connected, freshTopic, nextMessage, nextMessages, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>
const levels = [0, 1, 2] as const

test.before(async (t) => {
  t.context.broker = await Mosquitto.start({
    settings: ['max_queued_messages 0', 'max_inflight_messages 1000'],
  })
})
test.after.always((t) => t.context.broker.stop())

for (const { name, protocol } of protocols) {
  for (const sent of levels) {
    for (const subscribed of levels) {
      test(`${name}: a message of QoS ${sent} comes with QoS ${Math.min(sent, subscribed)} to a subscription of QoS ${subscribed}`, async (t) => {
        const client = await connected(t, t.context.broker, { protocol })
        const topic = freshTopic()
        const codes = await client.subscribe(topic, { qos: subscribed })
        t.deepEqual(codes.map(Number), [subscribed])
        t.is(codes[0]?.getName(), `Granted QoS ${subscribed}`)
        await within(patience, 'publishing', client.publish(topic, 'täxt', { qos: sent }))
        const message = await nextMessage(client)
        t.true(message.topic instanceof Topic)
        t.is(message.topic.value, topic)
        t.deepEqual(message.payload, Buffer.from('täxt'))
        t.is(message.qos, Math.min(sent, subscribed) as 0 | 1 | 2)
        t.is(message.mid > 0, message.qos > 0)
        t.false(message.retain)
        t.false(message.dup)
        if (protocol === ProtocolVersion.V5) t.true(message.properties?.isEmpty())
        else t.is(message.properties, null)
      })
    }
  }

  for (const qos of levels) {
    test.serial(`${name}: five thousand messages of QoS ${qos} arrive, each once and in order`, async (t) => {
      const [publisher, subscriber] = [
        await connected(t, t.context.broker, { protocol }),
        await connected(t, t.context.broker, { protocol }),
      ]
      const topic = freshTopic()
      await subscriber.subscribe(`${topic}/+`, { qos })
      const count = 5_000
      const publishing = Promise.all(
        Array.from({ length: count }, (_, index) =>
          publisher.publish(`${topic}/${index % 100}`, index, { qos, timeout: 60 }),
        ),
      )
      const received: number[] = []
      for await (const message of subscriber.messages) {
        t.is(message.topic.value, `${topic}/${Number(message.text()) % 100}`)
        if (received.push(Number(message.text())) === count) break
      }
      await within(patience, 'publishing', publishing)
      t.deepEqual(
        received,
        Array.from({ length: count }, (_, index) => index),
      )
    })

    test.serial(`${name}: a payload of ten megabytes goes and comes with QoS ${qos}`, async (t) => {
      const client = await connected(t, t.context.broker, { protocol })
      const topic = freshTopic()
      await client.subscribe(topic, { qos })
      const payload = Buffer.alloc(10_000_000)
      for (let index = 0; index < payload.length; index += 4)
        payload.writeUInt32LE((index * 2_654_435_761) >>> 0, index)
      await within(20_000, 'publishing', client.publish(topic, payload, { qos }))
      t.true(payload.equals((await nextMessage(client)).payload))
    })
  }

  test(`${name}: a retained message comes to a later subscription and says so, until an empty one removes it`, async (t) => {
    const client = await connected(t, t.context.broker, { protocol })
    const topic = freshTopic()
    await client.publish(topic, 'kept', { qos: 1, retain: true })
    await client.subscribe(topic)
    const kept = await nextMessage(client)
    t.is(kept.text(), 'kept')
    t.true(kept.retain)
    await client.publish(topic, null, { qos: 1, retain: true })
    t.false((await nextMessage(client)).retain)
    await client.unsubscribe(topic)
    await client.subscribe([topic, `${topic}/marker`])
    await client.publish(`${topic}/marker`)
    t.is((await nextMessage(client)).topic.value, `${topic}/marker`)
  })

  test(`${name}: wildcards get what they match, and nothing after unsubscribe()`, async (t) => {
    const client = await connected(t, t.context.broker, { protocol })
    const topic = freshTopic()
    await client.subscribe([
      [`${topic}/+/state`, 0],
      [`${topic}/rest/#`, 1],
    ])
    for (const name of ['a/state', 'a/other', 'rest', 'rest/x/y', 'b/state'])
      await client.publish(`${topic}/${name}`, name, { qos: 1 })
    const seen = (await nextMessages(client, 4)).map((message) => [message.text(), message.qos])
    t.deepEqual(seen, [
      ['a/state', 0],
      ['rest', 1],
      ['rest/x/y', 1],
      ['b/state', 0],
    ])
    await client.unsubscribe([new Wildcard(`${topic}/+/state`), `${topic}/rest/#`])
    await client.subscribe(`${topic}/marker`)
    for (const name of ['a/state', 'rest', 'marker']) await client.publish(`${topic}/${name}`)
    t.is((await nextMessage(client)).topic.value, `${topic}/marker`)
  })

  test(`${name}: a subscription can be replaced by one of another QoS`, async (t) => {
    const client = await connected(t, t.context.broker, { protocol })
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 2 })
    await client.subscribe(topic, { qos: 0 })
    await client.publish(topic, 'once', { qos: 2 })
    t.is((await nextMessage(client)).qos, 0)
    t.is(client.messages.length, 0)
  })

  test(`${name}: a topic may be any text`, async (t) => {
    const client = await connected(t, t.context.broker, { protocol })
    const root = freshTopic()
    await client.subscribe(`${root}/#`)
    for (const part of ['', ' ', 'ü€😀', 'a//b', '$dollar', 'x'.repeat(1_000)]) {
      await client.publish(`${root}/${part}`, part)
      const message = await nextMessage(client)
      t.is(message.topic.value, `${root}/${part}`)
      t.is(message.text(), part)
    }
  })

  test.serial(`${name}: fifty clients publish to one, and nothing is lost`, async (t) => {
    const subscriber = await connected(t, t.context.broker, { protocol })
    const topic = freshTopic()
    await subscriber.subscribe(`${topic}/#`, { qos: 1 })
    const publishers = await Promise.all(
      Array.from({ length: 50 }, () => connected(t, t.context.broker, { protocol })),
    )
    const publishing = Promise.all(
      publishers.flatMap((client, device) =>
        Array.from({ length: 40 }, (_, index) =>
          client.publish(`${topic}/${device}`, index, { qos: (index % 2) as 0 | 1 }),
        ),
      ),
    )
    const next = new Map<string, number[]>()
    for (const message of await nextMessages(subscriber, 2_000)) {
      const own = next.get(message.topic.value) ?? []
      own.push(Number(message.text()))
      next.set(message.topic.value, own)
    }
    await publishing
    t.is(next.size, 50)
    const all = Array.from({ length: 40 }, (_, index) => index)
    for (const own of next.values()) t.deepEqual(own, all)
  })

  test(`${name}: one client publishes and receives at the same time, in one process with others`, async (t) => {
    const topic = freshTopic()
    const clients = await Promise.all([1, 2, 3].map(() => connected(t, t.context.broker, { protocol })))
    const work = clients.map(async (client, index) => {
      await client.subscribe(`${topic}/${index}`, { qos: 2 })
      const publishing = Promise.all(
        Array.from({ length: 300 }, (_, count) =>
          client.publish(`${topic}/${(index + 1) % 3}`, count, { qos: 2 }),
        ),
      )
      const received = await nextMessages(client, 300)
      await publishing
      t.true(received.every((message, count) => message.text() === String(count)))
    })
    await within(20_000, 'all of them', Promise.all(work))
  })
}

test('clients of different protocol versions talk to each other', async (t) => {
  const topic = freshTopic()
  const clients = await Promise.all(
    protocols.map(({ protocol }) => connected(t, t.context.broker, { protocol })),
  )
  for (const client of clients) await client.subscribe(topic, { qos: 2 })
  for (const [index, client] of clients.entries()) {
    await client.publish(topic, index, { qos: 2 })
    for (const receiver of clients) t.is((await nextMessage(receiver)).text(), String(index))
  }
})

test('localhost finds the broker on whichever of its addresses it listens', async (t) => {
  const client = await Client.connect('localhost', t.context.broker.port, { protocol: ProtocolVersion.V5 })
  await client.disconnect()
  t.pass()
})

test('a client is made with a port, with options, or with both', async (t) => {
  const { host, port } = t.context.broker
  for (const client of [
    await Client.connect(host, port),
    await Client.connect(host, { port }),
    await Client.connect(host, port, { identifier: 'both' }),
    await new Client(host, port).connect(),
    await new Client(host, { port, identifier: 'one' }).connect(),
  ]) {
    await client.publish(freshTopic(), 'x', { qos: 1 })
    await client.disconnect()
  }
  t.pass()
})

test('await using disconnects at the end of the block', async (t) => {
  const { host, port } = t.context.broker
  const identifier = 'used-in-a-block'
  let kept: Client
  {
    await using client = await Client.connect(host, port, { identifier })
    await client.publish(freshTopic(), 'x')
    kept = client
  }
  await t.throwsAsync(kept.publish('a'), { message: '[code:4] The client is not currently connected.' })
  t.regex(
    await t.context.broker.logged(new RegExp(`Client ${identifier} (disconnected|closed)`)),
    /disconnected/,
  )
})

test('await using disconnects when the block throws, and lets the error through', async (t) => {
  const { host, port } = t.context.broker
  const error = new Error('of the block')
  let kept: Client | undefined
  const block = async () => {
    await using client = await Client.connect(host, port)
    kept = client
    throw error
  }
  t.is(await t.throwsAsync(block()), error)
  await t.throwsAsync(kept?.publish('a') ?? Promise.resolve(), {
    message: '[code:4] The client is not currently connected.',
  })
  t.is(typeof kept?.[Symbol.asyncDispose], 'function')
})

for (const { name, protocol } of protocols) {
  test(`${name}: a client can be used again after disconnect(), many times`, async (t) => {
    const client = await connected(t, t.context.broker, { protocol })
    const topic = freshTopic()
    for (let round = 0; round < 20; round++) {
      await client.subscribe(topic)
      await client.publish(topic, round)
      t.is((await nextMessage(client)).text(), String(round))
      await client.disconnect()
      await client.connect()
    }
  })
}
