import { type MqttError, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import {
  atOnce,
  clientOf,
  connected,
  freshTopic,
  isPending,
  listening,
  nextMessages,
  patience,
  roundTrip,
} from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import { joined, kept, MemoryStore, reachedEmpty } from '../helpers/memory-store.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import type { Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'
import { quickly, reached, shown, welcomed } from '../helpers/reconnect.js'

const { V31, V5 } = ProtocolVersion

/** Batches wait until it is opened. */
function closeGate(store: MemoryStore): { open: () => void } {
  let open = () => {}
  store.gate = new Promise((resolve) => {
    open = resolve
  })
  return { open }
}

/** Whether a record says that only the second half of its flow is left. */
const isReleased = (record: Uint8Array) => record.length === 4

/** Acknowledges a publish of QoS 1. */
const acknowledge = (session: Session, { messageId = 0 }: { messageId?: number | undefined }) =>
  session.send({ cmd: 'puback', messageId })

for (const { name, protocol } of protocols) {
  test(`${name}: what was not acknowledged is sent by the next program, as a repetition or as new`, async (t) => {
    for (const isPresent of protocol === V31 ? [true] : [true, false]) {
      const [peer, store] = [await listening(t), new MemoryStore()]
      const options = kept(protocol, store)
      const first = await joined(t, peer, options)
      const calls = ([1, 2, 1, 2] as const).map((qos, index) => first.client.publish('a', index, { qos }))
      const ended = calls.slice(1).map((call) => rejection(patience, 'a call', call))
      await first.session.take('publish', 4)
      first.session.send({ cmd: 'puback', messageId: 1 }, { cmd: 'pubrec', messageId: 4 })
      await first.session.next('pubrel')
      await within(atOnce, 'the first', calls[0] as Promise<void>)
      await within(atOnce, 'the end', first.client.disconnect())
      await Promise.all(ended)
      t.is(store.records.size, 3)

      const second = await joined(t, peer, options, isPresent)
      if (isPresent) t.is((await second.session.next('pubrel')).messageId, 4)
      const dup = isPresent ? ' dup' : ''
      const publishes = await second.session.take('publish', 2)
      t.deepEqual(publishes.map(shown), [`2${dup} a 1 #2`, `1${dup} a 2 #3`])
      second.session.send(
        { cmd: 'pubrec', messageId: 2 },
        { cmd: 'puback', messageId: 3 },
        { cmd: 'pubcomp', messageId: 4 },
      )
      t.is((await second.session.next('pubrel')).messageId, 2)
      second.session.send({ cmd: 'pubcomp', messageId: 2 })
      await roundTrip(second.client, second.session)
      await within(patience, 'the end', second.client.disconnect())
      t.is(store.records.size, 0)
    }
  })
}

test('nothing is sent before the store has it', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, kept(V5, store))
  const closed = closeGate(store)
  const publishing = client.publish('a', 'x', { qos: 1 })
  await roundTrip(client, session)
  t.true(await isPending(publishing))
  closed.open()
  const publish = await session.next('publish')
  t.is(shown(publish), '1 a x #1')
  t.is(store.records.size, 1)
  acknowledge(session, publish)
  await within(atOnce, 'publishing', publishing)
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test('PUBREL is not sent before the store knows of PUBREC, and PUBRELs leave in their order', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, kept(V5, store))
  const calls = [1, 2, 3].map((index) => client.publish('a', index, { qos: 2 }))
  await session.take('publish', 3)
  const closed = closeGate(store)
  session.send(...[2, 1, 3].map((messageId) => ({ cmd: 'pubrec' as const, messageId })))
  await roundTrip(client, session)
  t.deepEqual([...store.records.values()].map(isReleased), [false, false, false])
  closed.open()
  const released = await session.take('pubrel', 3)
  t.deepEqual([...store.records.values()].map(isReleased), [true, true, true])
  t.deepEqual(
    released.map(({ messageId }) => messageId),
    [2, 1, 3],
  )
  session.send(...[1, 2, 3].map((messageId) => ({ cmd: 'pubcomp' as const, messageId })))
  await within(patience, 'publishing', Promise.all(calls))
  await reachedEmpty(store)
})

test('a PUBREC that the store does not know when the connection goes is answered by the next one', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), reconnect: quickly })
  const publishing = client.publish('a', 'x', { qos: 2 })
  await session.next('publish')
  const closed = closeGate(store)
  session.send({ cmd: 'pubrec', messageId: 1 })
  await roundTrip(client, session)
  session.close()
  const next = await welcomed(peer, true)
  await reached(client, 'connected')
  await roundTrip(client, next)
  closed.open()
  t.is((await next.next('pubrel')).messageId, 1)
  next.send({ cmd: 'pubcomp', messageId: 1 })
  await within(patience, 'publishing', publishing)
})

test('a store that does not take PUBREC holds up nothing', async (t) => {
  const [peer, store, logger] = [await listening(t), new MemoryStore(), new Recorder()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), logger })
  const publishing = client.publish('a', 'x', { qos: 2 })
  await session.next('publish')
  store.failure = new Error('No space left on device')
  session.send({ cmd: 'pubrec', messageId: 1 })
  t.is((await session.next('pubrel')).messageId, 1)
  session.send({ cmd: 'pubcomp', messageId: 1 })
  await within(patience, 'publishing', publishing)
  t.true(logger.lines.warn.some((line) => line.includes('No space left on device')))
})

test('what one tick publishes is one batch', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), maxInflightMessages: 1000 })
  const calls = Array.from({ length: 500 }, (_, index) => client.publish('a', index, { qos: 1 }))
  const publishes = await session.take('publish', 500)
  t.is(store.batches, 1)
  for (const publish of publishes) acknowledge(session, publish)
  await within(atOnce, 'publishing', Promise.all(calls))
})

test('deletions go with the next publish; disconnect() does not wait for one', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), timeout: 30 })
  const count = 200
  for (let index = 0; index < count; index++) {
    const publishing = client.publish('a', index, { qos: 1 })
    acknowledge(session, await session.next('publish'))
    await publishing
  }
  await within(patience, 'disconnecting', client.disconnect())
  t.is(store.records.size, 0)
  // One for each publish, and some for deletions when the machine was busy for a while.
  t.true(store.batches < 1.5 * count, `${store.batches} batches`)
})

test('what the store does not take rejects and is not sent, and the next one is', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, kept(V5, store))
  store.failure = new Error('No space left on device')
  const refused = (await rejection(atOnce, 'publishing', client.publish('a', 'x', { qos: 1 }))) as MqttError
  t.is(refused.message, 'The store failed')
  t.is(refused.code, 'ERR_MQTT_STORE')
  t.is(refused.cause, store.failure)
  await roundTrip(client, session)
  store.failure = undefined
  const publishing = client.publish('a', 'y', { qos: 1 })
  const publish = await session.next('publish')
  t.is(String(publish.payload), 'y')
  acknowledge(session, publish)
  await within(atOnce, 'publishing', publishing)
})

test('connect() rejects when the store cannot be read', async (t) => {
  const peer = await listening(t)
  const failure = new Error('Input/output error')
  const store = new MemoryStore()
  store.load = () => {
    throw failure
  }
  const client = clientOf(t, peer, kept(V5, store))
  const reason = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
  t.is(reason.code, 'ERR_MQTT_STORE')
  t.is(reason.cause, failure)
  t.is(client.state, 'disconnected')
})

test('what the caller gave up is not in the store', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), maxInflightMessages: 1 })
  const first = client.publish('a', 1, { qos: 1 })
  const second = rejection(patience, 'publishing', client.publish('a', 2, { qos: 1, timeout: 0.1 }))
  const publish = await session.next('publish')
  t.is(((await second) as Error).message, 'Operation timed out')
  acknowledge(session, publish)
  await within(atOnce, 'publishing', first)
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test('records that make no sense are passed over, with a warning', async (t) => {
  const [peer, store, logger] = [await listening(t), new MemoryStore(), new Recorder()]
  const options = { ...kept(V5, store), logger }
  const first = await joined(t, peer, options)
  const lost = rejection(patience, 'publishing', first.client.publish('a', 'good', { qos: 1 }))
  await first.session.next('publish')
  await first.client.disconnect()
  await lost
  const [[, good]] = [...store.records] as [[string, Uint8Array]]
  const key = (number: number) => `out-${String(number).padStart(14, '0')}`
  const flipped = (at: number, value: number) => {
    const copy = Uint8Array.from(good)
    copy[at] = value
    return copy
  }
  store.records.set('another', new Uint8Array(3))
  store.records.set('out-x', good)
  const bad = [
    good.subarray(0, 8),
    new Uint8Array(0),
    flipped(0, 9), // the format
    flipped(1, 0), // QoS 0
    flipped(1, 3), // QoS 3
    flipped(4, 255), // the topic's length
    flipped(6, 255), // the properties' length
    flipped(10, '#'.charCodeAt(0)), // the topic
    flipped(10, 0xff),
    Uint8Array.of(2, 0b1010, 0, 0), // released, without a packet identifier
  ]
  for (const [index, value] of bad.entries()) store.records.set(key(100 + index), value)
  const second = await joined(t, peer, options, true)
  const publish = await second.session.next('publish')
  t.is(shown(publish), '1 dup a good #1')
  acknowledge(second.session, publish)
  await roundTrip(second.client, second.session)
  t.is(logger.lines.warn.filter((line) => /^The store's record out-\S+ is ignored: /.test(line)).length, 11)
})

test('the offline queue is in the store, too, and comes after what was there', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const options = { ...kept(V5, store), offlineQueue: true }
  const first = await joined(t, peer, options)
  const lost = rejection(patience, 'publishing', first.client.publish('a', 1, { qos: 1 }))
  await first.session.next('publish')
  await first.client.disconnect()
  await lost
  const client = clientOf(t, peer, options)
  const waiting = client.publish('a', 2, { qos: 1 })
  const connecting = client.connect()
  const session = await peer.welcome({ sessionPresent: true })
  await connecting
  const publishes = await session.take('publish', 2)
  t.deepEqual(publishes.map(shown), ['1 dup a 1 #1', '1 a 2 #2'])
  for (const publish of publishes) acknowledge(session, publish)
  await within(atOnce, 'publishing', waiting)
})

test('with a broker: what a client left in the store comes exactly once', async (t) => {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const store = new MemoryStore()
  const topic = freshTopic()
  const reader = await connected(t, broker)
  await reader.subscribe(topic, { qos: 2 })
  const options = { ...kept(V5, store), reconnect: quickly }
  const numbers = Array.from({ length: 200 }, (_, index) => String(index))
  const first = await connected(t, broker, options)
  const calls = numbers.map((number) => first.publish(topic, number, { qos: 2 }).catch(() => {}))
  await calls[50]
  await first.disconnect()
  t.true(store.records.size > 0)
  await connected(t, broker, options)
  const received = await nextMessages(reader, numbers.length)
  t.deepEqual(
    received.map((message) => message.text()),
    numbers,
  )
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test('it goes on over a reconnection', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), reconnect: quickly })
  const publishing = client.publish('a', 'x', { qos: 1 })
  await session.next('publish')
  session.reset()
  const again = await welcomed(peer, true)
  await reached(client, 'connected')
  const publish = await again.next('publish')
  t.is(shown(publish), '1 dup a x #1')
  acknowledge(again, publish)
  await within(atOnce, 'publishing', publishing)
})

test('disconnect() waits until the store has everything, but no longer than its time', async (t) => {
  const [peer, store, logger] = [await listening(t), new MemoryStore(), new Recorder()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), logger })
  const publishing = client.publish('a', 'x', { qos: 1 })
  acknowledge(session, await session.next('publish'))
  await within(atOnce, 'publishing', publishing)
  let open = () => {}
  store.gate = new Promise((resolve) => {
    open = resolve
  })
  const lost = rejection(patience, 'publishing', client.publish('a', 'y', { qos: 1 }))
  client.timeout = 0.3
  await within(atOnce, 'disconnecting', client.disconnect())
  await lost
  t.regex(logger.lines.warn.join(), /Forcing disconnection/)
  open()
})
