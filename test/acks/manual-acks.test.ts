import { type Client, type ClientOptions, type Message, type MqttCodeError, ProtocolVersion } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { field, number, packet } from '../helpers/bytes.js'
import { connected, freshTopic, nextMessage, nextMessages, paired, patience } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import type { Session, Welcome } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>
const v5 = { protocol: ProtocolVersion.V5 }

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

/** A client with `manualAcks` and its peer. */
function holding(t: ExecutionContext<unknown>, options: ClientOptions = {}, welcome: Welcome = {}) {
  return paired(t, { manualAcks: true, ...options }, welcome)
}

/** Sends the client a PUBLISH; its payload is its identifier. */
function send(session: Session, qos: 0 | 1 | 2, messageId: number, dup = false): void {
  session.send({ cmd: 'publish', topic: 'a', payload: String(messageId), qos, messageId, dup, retain: false })
}

/** The client's next message, which `send()` sent with this identifier. */
async function receive(t: ExecutionContext<unknown>, client: Client, messageId: number): Promise<Message> {
  const message = await nextMessage(client)
  t.is(message.text(), String(messageId))
  return message
}

/** An error if the client has sent anything that the test has not read. */
async function nothingSent(client: Client, session: Session): Promise<void> {
  await client.publish('marker')
  await session.next('publish')
}

/** Resets the connection, and keeps JavaScript busy until the engine has seen it. */
function resetUnheard(session: Session): void {
  session.reset()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
}

for (const { name, protocol } of protocols) {
  test(`${name}: a message is acknowledged when its ack() is called, once`, async (t) => {
    const { client, session } = await holding(t, { protocol })
    send(session, 1, 7)
    const message = await receive(t, client, 7)
    await nothingSent(client, session)
    t.is(await message.ack(), undefined)
    t.is((await session.next('puback')).messageId, 7)
    await message.ack()
    await nothingSent(client, session)
    send(session, 1, 7)
    await (await receive(t, client, 7)).ack()
    t.is((await session.next('puback')).messageId, 7)
  })

  test(`${name}: a message of QoS 2 comes before its PUBREL, and PUBREC goes with its ack()`, async (t) => {
    const { client, session } = await holding(t, { protocol })
    for (let round = 0; round < 2; round++) {
      send(session, 2, 7)
      const message = await receive(t, client, 7)
      await nothingSent(client, session)
      await message.ack()
      t.is((await session.next('pubrec')).messageId, 7)
      // Our PUBREC may have been lost: the message is answered again, and not delivered again.
      send(session, 2, 7, true)
      t.is((await session.next('pubrec')).messageId, 7)
      session.send({ cmd: 'pubrel', messageId: 7 })
      t.is((await session.next('pubcomp')).messageId, 7)
    }
    t.is(client.messages.length, 0)
  })
}

test('a message that comes again before its ack() is not delivered again', async (t) => {
  const { client, session } = await holding(t)
  for (const qos of [1, 2] as const) {
    send(session, qos, qos)
    send(session, qos, qos, true)
    const message = await receive(t, client, qos)
    send(session, 0, 0)
    await receive(t, client, 0)
    await message.ack()
    t.is((await session.any()).cmd, qos === 1 ? 'puback' : 'pubrec')
    await nothingSent(client, session)
  }
})

test('ack() of QoS 0 does nothing', async (t) => {
  const { client, session } = await holding(t)
  send(session, 0, 0)
  t.is(await (await nextMessage(client)).ack(), undefined)
  await nothingSent(client, session)
})

test('without manualAcks ack() does nothing: the message was acknowledged already', async (t) => {
  const { client, session } = await paired(t)
  send(session, 1, 7)
  const message = await receive(t, client, 7)
  await session.next('puback')
  await message.ack()
  await nothingSent(client, session)
})

test('PUBACKs go in the order of the messages, and so do PUBRECs, whatever the order of ack()', async (t) => {
  const { client, session } = await holding(t)
  const count = 60
  for (let id = 1; id <= count; id++) send(session, id % 2 === 0 ? 2 : 1, id)
  const messages = await nextMessages(client, count)
  const [first, second] = messages
  for (const message of messages.slice(2).reverse()) await message.ack()
  await nothingSent(client, session)
  await second?.ack()
  const pubrecs = await session.take('pubrec', count / 2)
  t.deepEqual(
    pubrecs.map(({ messageId }) => messageId),
    messages.filter(({ qos }) => qos === 2).map(({ mid }) => mid),
  )
  await first?.ack()
  const pubacks = await session.take('puback', count / 2)
  t.deepEqual(
    pubacks.map(({ messageId }) => messageId),
    messages.filter(({ qos }) => qos === 1).map(({ mid }) => mid),
  )
})

test('a loop and batches() acknowledge as they go', async (t) => {
  const { client, session } = await holding(t)
  for (let id = 1; id <= 5000; id++) send(session, 1, id)
  let seen = 0
  for await (const message of client.messages) {
    await message.ack()
    if (++seen === 2500) break
  }
  for await (const batch of client.messages.batches(100)) {
    for (const message of batch) void message.ack()
    seen += batch.length
    if (seen >= 5000) break
  }
  const pubacks = await session.take('puback', 5000)
  t.true(pubacks.every(({ messageId }, index) => messageId === index + 1))
})

test('what was acknowledged leaves before DISCONNECT', async (t) => {
  const { client, session } = await holding(t)
  send(session, 1, 1)
  send(session, 2, 2)
  const messages = await nextMessages(client, 2)
  for (const message of messages) void message.ack()
  const disconnected = client.disconnect()
  t.is((await session.next('puback')).messageId, 1)
  t.is((await session.next('pubrec')).messageId, 2)
  await session.next('disconnect')
  session.close()
  await within(patience, 'disconnecting', disconnected)
})

test('ack() of a message of an older connection does nothing; the broker sends it again', async (t) => {
  const { peer, client, session } = await holding(t, { cleanSession: false, identifier: 'x' })
  send(session, 1, 1)
  send(session, 2, 2)
  const old = await nextMessages(client, 2)
  session.reset()
  await rejection(patience, 'iteration', client.messages.next())
  const connecting = client.connect()
  const next = await peer.welcome({ sessionPresent: true })
  await within(patience, 'connecting', connecting)
  send(next, 1, 1, true)
  send(next, 2, 2, true)
  const again = await nextMessages(client, 2)
  t.true(again.every(({ dup }) => dup))
  for (const message of old) await message.ack()
  await nothingSent(client, next)
  for (const message of again) await message.ack()
  t.is((await next.next('puback')).messageId, 1)
  t.is((await next.next('pubrec')).messageId, 2)
})

test('a QoS 2 message comes once, also if its ack() came when the connection was gone already', async (t) => {
  const { peer, client, session } = await holding(t, { cleanSession: false, identifier: 'x' })
  send(session, 2, 1)
  send(session, 2, 2)
  const [first, second] = await nextMessages(client, 2)
  await first?.ack()
  await session.next('pubrec')
  resetUnheard(session)
  await second?.ack()
  await rejection(patience, 'iteration', client.messages.next())

  const connecting = client.connect()
  const next = await peer.welcome({ sessionPresent: true })
  await within(patience, 'connecting', connecting)
  for (const id of [1, 2]) {
    send(next, 2, id, true)
    t.is((await next.next('pubrec')).messageId, id)
  }
  next.send({ cmd: 'pubrel', messageId: 1 })
  await next.next('pubcomp')
  send(next, 2, 1)
  t.is((await nextMessage(client)).mid, 1)

  next.reset()
  await rejection(patience, 'iteration', client.messages.next())
  const connectingAgain = client.connect()
  const last = await peer.welcome({ sessionPresent: false })
  await within(patience, 'connecting', connectingAgain)
  send(last, 2, 2)
  t.is((await nextMessage(client)).mid, 2)
})

for (const [overflow, kept] of [
  ['drop-newest', [1, 2]],
  ['drop-oldest', [3, 4]],
] as const) {
  test(`${overflow}: a dropped message is not acknowledged, and holds back no other`, async (t) => {
    const { client, session } = await holding(t, { overflow, maxQueuedIncomingMessages: 2 })
    for (let id = 1; id <= 4; id++) send(session, 1, id)
    send(session, 2, 5)
    await until(patience, 'two messages', () => client.messages.length === 2)
    await nothingSent(client, session)
    const messages = await nextMessages(client, 2)
    const expected = overflow === 'drop-oldest' ? [4, 5] : kept
    t.deepEqual(
      messages.map(({ mid }) => mid),
      [...expected],
    )
    for (const message of messages) await message.ack()
    for (const id of expected) t.is((await session.any()).messageId, id)
    await nothingSent(client, session)
  })
}

test('a message of several views is acknowledged through any of them, dropped if all dropped it', async (t) => {
  const { client, session } = await holding(t, { maxQueuedIncomingMessages: 1 })
  const first = client.messages.filter('a')
  const second = client.messages.filter('#')
  send(session, 1, 1)
  t.is((await first.next()).value?.mid, 1)
  // The second view is full now, and drops what the first one gets.
  send(session, 1, 2)
  const two = (await first.next()).value
  send(session, 1, 3)
  send(session, 1, 4)
  t.is((await first.next()).value?.mid, 3)
  const one = (await second.next()).value
  await two?.ack()
  await nothingSent(client, session)
  await one?.ack()
  t.is((await session.next('puback')).messageId, 1)
  t.is((await session.next('puback')).messageId, 2)
})

test('a view that is given up holds back nothing', async (t) => {
  const { client, session } = await holding(t)
  const view = client.messages.filter('a')
  send(session, 1, 1)
  await until(patience, 'a message', () => view.length > 0)
  await view.return()
  send(session, 1, 2)
  await (await receive(t, client, 2)).ack()
  t.is((await session.next('puback')).messageId, 2)
})

test('more than our Receive Maximum that are not acknowledged are a violation', async (t) => {
  const { client, session } = await holding(t, { ...v5, properties: { receiveMaximum: 2 } })
  send(session, 1, 1)
  send(session, 2, 2)
  const [first] = await nextMessages(client, 2)
  await first?.ack()
  await session.next('puback')
  send(session, 1, 1)
  await receive(t, client, 1)
  const next = client.messages.next()
  send(session, 1, 3)
  const error = (await rejection(patience, 'iteration', next)) as Error
  t.is(Number((error.cause as MqttCodeError).rc), 0x93)
  t.is((await session.next('disconnect')).reasonCode, 0x93)
})

test('PUBREL before PUBREC is a violation', async (t) => {
  const { client, session } = await holding(t, v5)
  send(session, 2, 1)
  await receive(t, client, 1)
  session.send({ cmd: 'pubrel', messageId: 1 })
  await rejection(patience, 'iteration', client.messages.next())
  t.is((await session.next('disconnect')).reasonCode, 0x82)
})

test('an answer to request() is acknowledged without anybody', async (t) => {
  const { client, session } = await holding(t, v5)
  const answer = client.request('question')
  const subscribe = await session.next('subscribe')
  session.send({ cmd: 'suback', messageId: subscribe.messageId ?? 0, granted: [2] })
  const { properties } = await session.next('publish')
  const correlation = `09${field(properties?.correlationData ?? '')}`
  const list = number(correlation.length / 2, 1) + correlation
  session.send(packet('32', field(properties?.responseTopic ?? ''), '0009', list))
  t.is((await within(patience, 'the answer', answer)).mid, 9)
  t.is((await session.next('puback')).messageId, 9)
})

test('Mosquitto waits at our Receive Maximum, and sends again what was not acknowledged', async (t) => {
  const { broker } = t.context
  const topic = freshTopic()
  const options = { ...v5, manualAcks: true, cleanStart: false, identifier: 'manual' }
  const limited = { sessionExpiryInterval: 60, receiveMaximum: 3 }
  const client = await connected(t, broker, { ...options, properties: limited })
  await client.subscribe(topic, { qos: 2 })
  const publisher = await connected(t, broker, v5)
  for (let i = 0; i < 10; i++) await publisher.publish(topic, i, { qos: i % 2 === 0 ? 1 : 2 })
  t.deepEqual(texts(await nextMessages(client, 3)), ['0', '1', '2'])
  await client.publish('elsewhere', '', { qos: 2 })
  t.is(client.messages.length, 0)
  await client.disconnect()

  // Without a limit now: once it has sent again, Mosquitto 2.0.11 keeps to none.
  const again = await connected(t, broker, { ...options, properties: { sessionExpiryInterval: 60 } })
  const messages = await nextMessages(again, 10)
  t.deepEqual(
    messages.map((message) => `${message.text()}${message.dup ? ' again' : ''}`),
    ['0 again', '1 again', '2 again', '3', '4', '5', '6', '7', '8', '9'],
  )
  for (const message of messages) void message.ack()
  await again.publish('elsewhere', '', { qos: 2 })
  await again.disconnect()
  await again.connect()
  await publisher.publish(topic, 'last', { qos: 1 })
  t.is((await nextMessage(again)).text(), 'last')
})

function texts(messages: readonly Message[]): string[] {
  return messages.map((message) => message.text())
}
