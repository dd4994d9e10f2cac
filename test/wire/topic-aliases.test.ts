import { type ClientOptions, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { clientOf, connected, freshTopic, nextMessages, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import type { Session, Welcome } from '../helpers/peer.js'

const v5 = { protocol: ProtocolVersion.V5 }

/** A client that may use so many aliases of a broker that takes so many. */
async function aliasing(
  t: ExecutionContext,
  topicAliases: number,
  topicAliasMaximum: number,
  { options = {}, properties = {} }: { options?: ClientOptions; properties?: Welcome['properties'] } = {},
) {
  return await paired(
    t,
    { ...v5, topicAliases, ...options },
    { properties: { ...properties, topicAliasMaximum } },
  )
}

/** The topics and aliases of the next packets. */
async function sent(
  session: Session,
  count: number,
): Promise<Array<[topic: string, alias: number | undefined]>> {
  const packets = await session.take('publish', count)
  return packets.map(({ topic, properties }) => [topic, properties?.topicAlias])
}

test('a topic is sent once, and then as its alias', async (t) => {
  const { client, session } = await aliasing(t, 10, 10)
  for (const qos of [0, 1, 2] as const) void client.publish('sensors/1', '', { qos }).catch(() => {})
  void client.publish('sensors/2').catch(() => {})
  void client.publish('sensors/1', 'x', { properties: { contentType: 'text/plain' } }).catch(() => {})
  t.deepEqual(await sent(session, 4), [
    ['sensors/1', 1],
    ['', 1],
    ['', 1],
    ['sensors/2', 2],
  ])
  const last = await session.next('publish')
  t.deepEqual({ ...last.properties }, { contentType: 'text/plain', topicAlias: 1 })
  t.is(String(last.payload), 'x')
})

for (const [wanted, allowed] of [
  [2, 10],
  [10, 2],
] as const) {
  test(`with ${wanted} aliases wanted and ${allowed} allowed, the topic used longest ago gives its own away`, async (t) => {
    const { client, session } = await aliasing(t, wanted, allowed)
    for (const number of [1, 2, 1, 3, 1, 2]) await client.publish(`sensors/${number}`)
    t.deepEqual(await sent(session, 6), [
      ['sensors/1', 1],
      ['sensors/2', 2],
      ['', 1],
      ['sensors/3', 2],
      ['', 1],
      ['sensors/2', 2],
    ])
  })
}

test('without the option, and without the broker’s leave, there are none', async (t) => {
  for (const [wanted, allowed] of [
    [0, 10],
    [10, 0],
  ] as const) {
    const { client, session } = await aliasing(t, wanted, allowed)
    for (let count = 0; count < 2; count++) await client.publish('sensors/1')
    t.deepEqual(await sent(session, 2), Array(2).fill(['sensors/1', undefined]))
  }
})

test('an alias is chosen as a message leaves: what waits or was given up confuses nothing', async (t) => {
  const { client, session } = await aliasing(t, 10, 10, { options: { maxInflightMessages: 1 } })
  const first = client.publish('sensors/1', 'first', { qos: 1 })
  const controller = new AbortController()
  const aborted = client.publish('sensors/2', 'aborted', { qos: 1, signal: controller.signal })
  const waiting = client.publish('sensors/3', 'waits', { qos: 1 })
  controller.abort(new Error('enough'))
  await rejection(patience, 'the aborted publish', aborted)
  await client.publish('sensors/2', 'later')
  await client.publish('sensors/3', 'later')
  const { messageId } = await session.next('publish')
  t.deepEqual(await sent(session, 2), [
    ['sensors/2', 2],
    ['sensors/3', 3],
  ])
  session.send({ cmd: 'puback', messageId })
  await within(patience, 'the first publish', first)
  t.deepEqual(await sent(session, 1), [['', 3]])
  await client.disconnect()
  await rejection(patience, 'the waiting publish', waiting)
})

test('each connection begins without aliases, also for messages that are repeated', async (t) => {
  const { client, peer, session } = await aliasing(t, 10, 10, {
    options: {
      reconnect: { minDelay: 0.01 },
      identifier: 'me',
      cleanStart: false,
      properties: { sessionExpiryInterval: 60 },
    },
  })
  await client.publish('sensors/1')
  const publishing = client.publish('sensors/1', 'x', { qos: 1 })
  t.deepEqual(await sent(session, 2), [
    ['sensors/1', 1],
    ['', 1],
  ])
  session.reset()
  const second = await peer.welcome({ sessionPresent: true, properties: { topicAliasMaximum: 10 } })
  const { topic, dup, properties, messageId } = await second.next('publish')
  t.deepEqual([topic, dup, properties?.topicAlias], ['sensors/1', true, 1])
  second.send({ cmd: 'puback', messageId })
  await within(patience, 'the publish', publishing)
})

test('there is no new alias where it would make the packet too large', async (t) => {
  const maximumPacketSize = 100
  const { client, session } = await aliasing(t, 10, 10, { properties: { maximumPacketSize } })
  const topic = 'sensors/1'
  const largest = maximumPacketSize - 2 - 2 - topic.length - 1
  await client.publish(topic, Buffer.alloc(largest))
  t.deepEqual(await sent(session, 1), [[topic, undefined]])
  await client.publish(topic)
  await client.publish(topic, Buffer.alloc(largest))
  t.deepEqual(await sent(session, 2), [
    [topic, 1],
    ['', 1],
  ])
})

test('aliases of one’s own and automatic ones exclude each other', async (t) => {
  const { client } = await aliasing(t, 10, 10)
  const error = (await rejection(
    patience,
    'publish()',
    client.publish('a', '', { properties: { topicAlias: 1 } }),
  )) as Error
  t.is(
    `${error.name}: ${error.message}`,
    'RangeError: Property topicAlias and the option topicAliases cannot be combined',
  )
  t.throws(() => clientOf(t, { host: 'localhost', port: 1 }, { topicAliases: 1 }), {
    message: 'topicAliases only apply to MQTT V5',
  })
})

test('Mosquitto makes of aliases the topics that were meant', async (t) => {
  const broker = await Mosquitto.start({ settings: ['max_topic_alias 5'] })
  t.teardown(() => broker.stop())
  const client = await connected(t, broker, { ...v5, topicAliases: 100 })
  const base = freshTopic()
  await client.subscribe(`${base}/#`, { qos: 2 })
  const topics = Array.from({ length: 300 }, (_, index) => `${base}/${(index * index) % 11}`)
  await Promise.all(
    topics.map((topic, index) => client.publish(topic, topic, { qos: (index % 3) as 0 | 1 | 2 })),
  )
  for (const message of await nextMessages(client, topics.length)) t.is(message.text(), message.topic.value)
})
