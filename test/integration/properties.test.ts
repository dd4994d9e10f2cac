import { PacketTypes, Properties, ProtocolVersion, SubscribeOptions } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { connected, freshTopic, nextMessage } from '../helpers/client.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>
const v5 = { protocol: ProtocolVersion.V5 }

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

test('every property of a message goes and comes', async (t) => {
  const client = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await client.subscribe(topic)
  const properties = new Properties(PacketTypes.PUBLISH)
  properties.payloadFormatIndicator = 1
  properties.messageExpiryInterval = 4_000_000_000
  properties.contentType = 'text/plain; charset=utf-8'
  properties.responseTopic = 'ä/answers'
  properties.correlationData = Buffer.of(0, 1, 255)
  properties.userProperty = [
    ['key', 'välue'],
    ['key', 'again'],
    ['', ''],
  ]
  await client.publish(topic, 'x', { properties })
  const received = (await nextMessage(client)).properties
  t.is(received?.payloadFormatIndicator, 1)
  t.true(Number(received?.messageExpiryInterval) > 3_999_999_000)
  t.is(received?.contentType, 'text/plain; charset=utf-8')
  t.is(received?.responseTopic, 'ä/answers')
  t.deepEqual([...(received?.correlationData ?? [])], [0, 1, 255])
  t.deepEqual(received?.userProperty, [
    ['key', 'välue'],
    ['key', 'again'],
    ['', ''],
  ])
  t.false(received?.isEmpty())
})

test('an object literal serves as properties', async (t) => {
  const client = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await client.subscribe(topic)
  await client.publish(topic, '{}', {
    qos: 2,
    properties: { contentType: 'application/json', userProperty: ['a', 'b'] },
  })
  const { properties } = await nextMessage(client)
  t.is(properties?.contentType, 'application/json')
  t.deepEqual(properties?.userProperty, [['a', 'b']])
})

test('subscription identifiers tell which subscription a message came by', async (t) => {
  const client = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await client.subscribe(`${topic}/a`, { properties: { subscriptionIdentifier: [1] } })
  await client.subscribe(`${topic}/b`, { properties: { subscriptionIdentifier: [268_435_455] } })
  await client.publish(`${topic}/a`)
  t.deepEqual((await nextMessage(client)).properties?.subscriptionIdentifier, [1])
  await client.publish(`${topic}/b`)
  t.deepEqual((await nextMessage(client)).properties?.subscriptionIdentifier, [268_435_455])
})

test('noLocal keeps a client’s own messages away', async (t) => {
  const client = await connected(t, t.context.broker, v5)
  const other = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await client.subscribe(topic, { options: { noLocal: true } })
  await client.publish(topic, 'own', { qos: 1 })
  await other.publish(topic, 'other', { qos: 1 })
  t.is((await nextMessage(client)).text(), 'other')
})

test('retainAsPublished keeps the flag of the publisher', async (t) => {
  const client = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await client.subscribe([
    [`${topic}/kept`, new SubscribeOptions({ retainAsPublished: true })],
    [`${topic}/usual`, 0],
  ])
  await client.publish(`${topic}/kept`, '', { retain: true })
  t.true((await nextMessage(client)).retain)
  await client.publish(`${topic}/usual`, '', { retain: true })
  t.false((await nextMessage(client)).retain)
})

test('retainHandling says when retained messages are sent', async (t) => {
  const client = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await client.publish(topic, 'retained', { qos: 1, retain: true })
  const marked = async () => {
    await client.publish(`${topic}/marker`, 'marker')
    return (await nextMessage(client)).text()
  }
  await client.subscribe(`${topic}/marker`)
  await client.subscribe(topic, { options: { retainHandling: 2 } })
  t.is(await marked(), 'marker')
  await client.unsubscribe(topic)
  await client.subscribe(topic, { options: { retainHandling: 1 } })
  t.is((await nextMessage(client)).text(), 'retained')
  await client.subscribe(topic, { options: { retainHandling: 1 } })
  t.is(await marked(), 'marker')
  await client.subscribe(topic, { options: { retainHandling: 0 } })
  t.is((await nextMessage(client)).text(), 'retained')
})

test('a request is answered by its response topic and correlation data', async (t) => {
  const service = await connected(t, t.context.broker, v5)
  const client = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await service.subscribe(`${topic}/service`)
  await client.subscribe(`${topic}/answers`)
  const correlationData = Buffer.from('42')
  await client.publish(`${topic}/service`, 'ping', {
    properties: { responseTopic: `${topic}/answers`, correlationData },
  })
  const request = await nextMessage(service)
  await service.publish(String(request.properties?.responseTopic), 'pong', {
    properties: { correlationData: request.properties?.correlationData },
  })
  const answer = await nextMessage(client)
  t.is(answer.text(), 'pong')
  t.is(String(answer.properties?.correlationData), '42')
})

test('an expired message is not delivered, another one is', async (t) => {
  const topic = freshTopic()
  const session = {
    ...v5,
    identifier: 'expiry',
    cleanStart: false,
    properties: { sessionExpiryInterval: 60 },
  }
  const client = await connected(t, t.context.broker, session)
  await client.subscribe(topic, { qos: 1 })
  await client.disconnect()
  const publisher = await connected(t, t.context.broker, v5)
  await publisher.publish(topic, 'short', { qos: 1, properties: { messageExpiryInterval: 1 } })
  await publisher.publish(topic, 'long', { qos: 1, properties: { messageExpiryInterval: 600 } })
  await new Promise((resolve) => setTimeout(resolve, 2_100))
  await client.connect()
  const message = await nextMessage(client)
  t.is(message.text(), 'long')
  t.true(Number(message.properties?.messageExpiryInterval) <= 599)
})

test('the broker assigns an identifier to a client that has none', async (t) => {
  const [first, second] = [await connected(t, t.context.broker, v5), await connected(t, t.context.broker, v5)]
  t.true(first.identifier.length > 0)
  t.not(first.identifier, second.identifier)
  await t.context.broker.logged(new RegExp(`as ${first.identifier} \\(p5, c1, k60\\)`))
})

test('many user properties go and come', async (t) => {
  const client = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await client.subscribe(topic)
  const userProperty = Array.from({ length: 1_000 }, (_, index): [string, string] => [
    `k${index}`,
    'v'.repeat(index % 50),
  ])
  await client.publish(topic, 'x', { properties: { userProperty } })
  t.deepEqual((await nextMessage(client)).properties?.userProperty, userProperty)
})
