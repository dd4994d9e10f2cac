// With `overflow: 'backpressure'` a client takes in what there is room for and not a message more: what waits outside is
// neither queued nor acknowledged.

import { inspect } from 'node:util'
import test from 'ava'
import type { Packet } from 'mqtt-packet'
import { nextMessage, nextMessages, paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'

const backpressure = { overflow: 'backpressure' } as const

function publish(
  messageId: number,
  {
    qos = 1,
    topic = 'a',
    payload = String(messageId),
  }: { qos?: 0 | 1 | 2; topic?: string; payload?: string } = {},
): Packet {
  return { cmd: 'publish', qos, messageId, topic, payload, dup: false, retain: false }
}

for (const { name, protocol } of protocols) {
  test(`${name}: no more is queued, and no more acknowledged, than fits`, async (t) => {
    const { client, session } = await paired(t, { ...backpressure, protocol, maxQueuedIncomingMessages: 10 })
    for (let id = 1; id <= 25; id++) session.send(publish(id))
    const first = await session.take('puback', 10)
    t.deepEqual(
      first.map(({ messageId }) => messageId),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    )
    // Whatever the client would acknowledge beyond them comes before this QoS 0 message, which it sends after all.
    await client.publish('probe')
    t.is((await session.next('publish')).topic, 'probe')
    t.is(client.messages.length, 10)
    for (let id = 1; id <= 25; id++) {
      t.is((await nextMessage(client)).payload.toString(), String(id))
      t.true(client.messages.length <= 10)
    }
    await session.take('puback', 15)
    t.is(client.messages.length, 0)
  })
}

test('a bound of one takes one message after the other', async (t) => {
  const { client, session } = await paired(t, { ...backpressure, maxQueuedIncomingMessages: 1 })
  for (let id = 1; id <= 100; id++) session.send(publish(id))
  for (let id = 1; id <= 100; id++) {
    t.is((await nextMessage(client)).payload.toString(), String(id))
    t.true(client.messages.length <= 1)
  }
  await session.take('puback', 100)
})

test('a bound in bytes holds exactly, too, and a message of its size fits', async (t) => {
  const { client, session } = await paired(t, { ...backpressure, maxQueuedIncomingBytes: 1000 })
  const sizes = [300, 300, 300, 200, 999, 1, 500, 500]
  sizes.forEach((size, index) => {
    session.send(publish(index + 1, { payload: 'x'.repeat(size - 1) }))
  })
  await session.take('puback', 3)
  await client.publish('probe')
  await session.next('publish')
  t.is(client.messages.length, 3)
  for (const size of sizes) {
    t.true(client.stats.queuedBytes <= 1000)
    t.is((await nextMessage(client)).payload.length, size - 1)
  }
  await session.take('puback', sizes.length - 3)
})

for (const { name, protocol } of protocols) {
  test(`${name}: a message that can never fit ends the connection, before it is read`, async (t) => {
    const { client, session } = await paired(t, { ...backpressure, protocol, maxQueuedIncomingBytes: 1000 })
    // The first bytes of a PUBLISH of 256 MiB.
    session.send(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 97))
    const error = await t.throwsAsync(within(patience, 'the end', client.messages.next()), {
      code: 'ERR_MQTT_DISCONNECTED',
    })
    t.regex(inspect(error), /maxQueuedIncomingBytes/)
  })
}

for (const { name, protocol } of protocols) {
  test(`${name}: QoS 2 messages that the broker does not release are bounded`, async (t) => {
    const { client, session } = await paired(t, { protocol, maxQueuedIncomingBytes: 1000 })
    const payload = 'x'.repeat(1_000_000)
    for (let id = 1; id <= 20; id++) session.send(publish(id, { qos: 2, payload }))
    const error = await t.throwsAsync(within(20_000, 'the end', client.messages.next()))
    t.regex(inspect(error), /QoS 2 messages/)
  })
}

test('each view has its bound, and the fullest holds up the others', async (t) => {
  const { client, session } = await paired(t, { ...backpressure, maxQueuedIncomingMessages: 4 })
  const rare = client.messages.filter('rare')
  for (let id = 1; id <= 6; id++) session.send(publish(id, { topic: 'rare' }))
  for (let id = 7; id <= 9; id++) session.send(publish(id))
  await session.take('puback', 4)
  await client.publish('probe')
  await session.next('publish')
  t.is(rare.length, 4)
  t.is(client.messages.length, 0)
  // One that nobody reads any more holds up nobody.
  await rare.return()
  t.is((await nextMessages(client, 5)).length, 5)
})

test('after a reconnection the room is what the queue has left', async (t) => {
  const { client, peer, session } = await paired(t, {
    ...backpressure,
    maxQueuedIncomingMessages: 5,
    reconnect: { minDelay: 0.001, maxDelay: 0.02 },
  })
  for (let id = 1; id <= 5; id++) session.send(publish(id))
  await session.take('puback', 5)
  await nextMessages(client, 2)
  session.reset()
  const next = await peer.welcome()
  for (let id = 6; id <= 15; id++) next.send(publish(id))
  await next.take('puback', 2)
  await client.publish('probe')
  await next.next('publish')
  t.is(client.messages.length, 5)
  t.deepEqual(
    (await nextMessages(client, 13)).map(({ payload }) => payload.toString()),
    ['3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15'],
  )
})
