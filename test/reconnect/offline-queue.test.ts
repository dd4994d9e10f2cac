import { type ClientOptions, type MqttError, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { atOnce, clientOf, isPending, listening, paired, patience, roundTrip } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import type { Peer, Session } from '../helpers/peer.js'
import { quickly, reached, shown, welcomed } from '../helpers/reconnect.js'

const { V5 } = ProtocolVersion

async function waiting(t: ExecutionContext, options: ClientOptions) {
  const peer = await listening(t)
  return { peer, client: clientOf(t, peer, options) }
}

/** Accepts a client that is connecting. */
async function accept(peer: Peer, connecting: Promise<unknown>): Promise<Session> {
  const session = await peer.welcome()
  await within(patience, 'connecting', connecting)
  return session
}

/** Reads publishes, acknowledges those of QoS 1, and shows them. */
async function acknowledged(session: Session, count: number): Promise<string[]> {
  const publishes = await session.take('publish', count)
  for (const { qos, messageId = 0 } of publishes) if (qos === 1) session.send({ cmd: 'puback', messageId })
  return publishes.map(shown)
}

test('what is published before the first connection is sent then, in its order, and resolves when acknowledged', async (t) => {
  const { peer, client } = await waiting(t, { offlineQueue: true })
  const calls = [1, 2, 3].map((index) => client.publish('a', index, { qos: 1 }))
  t.like(client.stats, { inflight: 3, pending: 3 })
  const session = await accept(peer, client.connect())
  const publishes = await session.take('publish', 3)
  t.deepEqual(publishes.map(shown), ['1 a 1 #1', '1 a 2 #2', '1 a 3 #3'])
  t.true(await isPending(calls[0] as Promise<void>))
  for (const { messageId = 0 } of publishes) session.send({ cmd: 'puback', messageId })
  await within(atOnce, 'publishing', Promise.all(calls))
  t.like(client.stats, { inflight: 0, pending: 0, messagesSent: 3 })
})

test('without `reconnect` it waits for the next connect()', async (t) => {
  const { client, peer, session } = await paired(t, { offlineQueue: true })
  const lost = rejection(atOnce, 'what was under way', client.publish('a', 'lost', { qos: 1 }))
  const next = rejection(atOnce, 'next()', client.messages.next())
  await session.next('publish')
  session.reset()
  t.is(((await lost) as Error).message, '[code:7] The connection was lost.')
  await next
  const publishing = client.publish('a', 'kept', { qos: 1 })
  const again = await accept(peer, client.connect())
  t.deepEqual(await acknowledged(again, 1), ['1 a kept #2'])
  await within(atOnce, 'publishing', publishing)
})

test('a failed connect() leaves the queue as it is', async (t) => {
  const { peer, client } = await waiting(t, { offlineQueue: true })
  const publishing = client.publish('a', 'kept', { qos: 1 })
  const failing = rejection(atOnce, 'connecting', client.connect())
  ;(await peer.accept()).reset()
  await failing
  const session = await accept(peer, client.connect())
  t.deepEqual(await acknowledged(session, 1), ['1 a kept #1'])
  await within(atOnce, 'publishing', publishing)
})

test('QoS 0 waits only with `qos0`', async (t) => {
  const { client } = await waiting(t, { offlineQueue: true })
  const refused = (await rejection(atOnce, 'publishing', client.publish('a', 'x'))) as MqttError
  t.is(refused.message, '[code:4] The client is not currently connected.')
  const { peer, client: other } = await waiting(t, { offlineQueue: { qos0: true } })
  const calls = [other.publish('a', '1'), other.publish('a', '2', { qos: 1 }), other.publish('a', '3')]
  const session = await accept(peer, other.connect())
  t.deepEqual((await acknowledged(session, 3)).sort(), ['0 a 1', '0 a 3', '1 a 2 #1'])
  await within(atOnce, 'publishing', Promise.all(calls))
})

test('beyond its bounds a message rejects', async (t) => {
  const { peer, client } = await waiting(t, { offlineQueue: { maxMessages: 2 } })
  const calls = [1, 2].map((index) => client.publish('a', index, { qos: 1 }))
  const third = (await rejection(atOnce, 'the third', client.publish('a', 3, { qos: 1 }))) as MqttError
  t.is(third.message, '[code:15] Message queue full.')
  const session = await accept(peer, client.connect())
  t.deepEqual(await acknowledged(session, 2), ['1 a 1 #1', '1 a 2 #2'])
  await within(atOnce, 'publishing', Promise.all(calls))
  await roundTrip(client, session)
})

test('with `drop-oldest` the oldest message rejects', async (t) => {
  const { peer, client } = await waiting(t, {
    offlineQueue: { maxMessages: 2, qos0: true, overflow: 'drop-oldest' },
  })
  const first = rejection(atOnce, 'the first', client.publish('a', 1, { qos: 1 }))
  const second = rejection(atOnce, 'the second', client.publish('a', 2))
  const calls = [client.publish('a', 3, { qos: 1 }), client.publish('a', 4, { qos: 1 })]
  for (const dropped of [await first, await second] as MqttError[]) {
    t.is(dropped.message, '[code:15] Message queue full.')
    t.regex((dropped.cause as Error).message, /dropped from the offline queue/)
  }
  const session = await accept(peer, client.connect())
  t.deepEqual(await acknowledged(session, 2), ['1 a 3 #1', '1 a 4 #2'])
  await within(atOnce, 'publishing', Promise.all(calls))
})

test('bytes count topics, payloads and properties', async (t) => {
  const offlineQueue = { maxBytes: 30, overflow: 'drop-oldest' } as const
  const { client } = await waiting(t, { protocol: V5, offlineQueue })
  // 10 of topic and payload, and 10 of properties with their length.
  const properties = { userProperty: [['ab', 'cd']] as Array<[string, string]> }
  const first = rejection(atOnce, 'the first', client.publish('12345', '67890', { qos: 1, properties }))
  const second = client.publish('12345', '67890', { qos: 1 })
  t.true(await isPending(second))
  const third = client.publish('1', '2', { qos: 1 })
  t.is(((await first) as Error).message, '[code:15] Message queue full.')
  t.true(await isPending(Promise.race([second, third])))
  const ended = [second, third].map((call) => rejection(atOnce, 'a call', call))
  const large = await rejection(atOnce, 'a large one', client.publish('a', 'x'.repeat(30), { qos: 1 }))
  t.is((large as Error).message, '[code:15] Message queue full.')
  await client.disconnect()
  for (const reason of await Promise.all(ended))
    t.is((reason as Error).message, '[code:7] The connection was lost.')
})

test("the client's own timeout does not run while there is no connection, that of a call does", async (t) => {
  const { peer, client } = await waiting(t, { offlineQueue: true, timeout: 0.3 })
  const patient = client.publish('a', 'patient', { qos: 1 })
  const hasty = client.publish('a', 'hasty', { qos: 1, timeout: 0.4 })
  t.is(((await rejection(atOnce, 'publishing', hasty)) as Error).message, 'Operation timed out')
  t.true(await isPending(patient))
  const session = await accept(peer, client.connect())
  t.deepEqual((await session.take('publish', 1)).map(shown), ['1 a patient #1'])
  t.is(((await rejection(atOnce, 'publishing', patient)) as Error).message, 'Operation timed out')
})

test('in the gap of a reconnection messages wait without a time limit, also those that were under way', async (t) => {
  const reconnect = { minDelay: 0.02, maxDelay: 0.02 }
  const { client, peer, session } = await paired(t, { reconnect, offlineQueue: true, timeout: 0.4 })
  const under = client.publish('a', 1, { qos: 1, timeout: 60 })
  const early = client.publish('a', 2, { qos: 1 })
  await session.take('publish', 2)
  session.reset()
  await reached(client, 'reconnecting')
  const late = client.publish('a', 3, { qos: 1 })
  // It is kept waiting for longer than that.
  const session2 = await peer.accept()
  await session2.next('connect')
  await within(patience, 'the end of the attempt', session2.ended)
  const again = await welcomed(peer)
  t.deepEqual(await acknowledged(again, 3), ['1 a 1 #1', '1 a 2 #2', '1 a 3 #3'])
  await within(atOnce, 'publishing', Promise.all([under, early, late]))
})

test('messages wait for the window in their order, new ones behind them', async (t) => {
  const { peer, client } = await waiting(t, { offlineQueue: true, maxInflightMessages: 2 })
  const calls = [1, 2, 3, 4].map((index) => client.publish('a', index, { qos: 1 }))
  const session = await accept(peer, client.connect())
  calls.push(client.publish('a', 5, { qos: 1 }))
  await session.take('publish', 2)
  await roundTrip(client, session)
  session.send({ cmd: 'puback', messageId: 1 }, { cmd: 'puback', messageId: 2 })
  t.deepEqual(await acknowledged(session, 2), ['1 a 3 #3', '1 a 4 #4'])
  t.deepEqual(await acknowledged(session, 1), ['1 a 5 #5'])
  await within(atOnce, 'publishing', Promise.all(calls))
})

test.serial('a hundred thousand messages wait and go', async (t) => {
  const { peer, client } = await waiting(t, { offlineQueue: true, maxInflightMessages: 1000 })
  const count = 100_000
  const calls = Array.from({ length: count }, (_, index) => client.publish('a', index, { qos: 1 }))
  const connecting = client.connect()
  const session = await accept(peer, connecting)
  for (let index = 0; index < count; index++) {
    const { payload, messageId = 0 } = await session.next('publish')
    if (Number(payload) !== index) t.fail(`${payload} instead of ${index}`)
    session.send({ cmd: 'puback', messageId })
  }
  await within(patience, 'publishing', Promise.all(calls))
  t.pass()
})

test('subscribe() and unsubscribe() do not wait for the first connection', async (t) => {
  const { client } = await waiting(t, { offlineQueue: true, reconnect: quickly })
  for (const call of [client.subscribe('a'), client.unsubscribe('a')]) {
    const reason = (await rejection(atOnce, 'a call', call)) as MqttError
    t.is(reason.message, '[code:4] The client is not currently connected.')
  }
})

test('a message that waits can be given up', async (t) => {
  const { peer, client } = await waiting(t, { offlineQueue: { maxMessages: 1 } })
  const abort = new AbortController()
  const given = rejection(atOnce, 'the first', client.publish('a', 1, { qos: 2, signal: abort.signal }))
  abort.abort('enough')
  t.is(await given, 'enough')
  const publishing = client.publish('a', 2, { qos: 1 })
  const session = await accept(peer, client.connect())
  t.deepEqual(await acknowledged(session, 1), ['1 a 2 #1'])
  await within(atOnce, 'publishing', publishing)
})

test('MQTT 5: a message that the broker does not take rejects, the others go on', async (t) => {
  const { peer, client } = await waiting(t, { protocol: V5, offlineQueue: { qos0: true } })
  const large = rejection(atOnce, 'a large one', client.publish('a', Buffer.alloc(100), { qos: 1 }))
  const retained = rejection(atOnce, 'a retained one', client.publish('a', 'x', { retain: true }))
  const good = client.publish('a', 'good', { qos: 1 })
  const connecting = client.connect()
  const session = await peer.welcome({ properties: { maximumPacketSize: 50, retainAvailable: false } })
  await connecting
  t.is(((await large) as Error).message, '[code:149] Packet too large')
  t.is(((await retained) as Error).message, '[code:154] Retain not supported')
  t.deepEqual(await acknowledged(session, 1), ['1 a good #1'])
  await within(atOnce, 'publishing', good)
})
