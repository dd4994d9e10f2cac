// `stats` tells where the bytes are that the client holds, those of the engine among them, and `queuedBytes` is their sum.

import { createServer } from 'node:http'
import type { Client, ClientStats } from 'aiomqtt'
import test from 'ava'
import { generate } from 'mqtt-packet'
import { WebSocketServer } from 'ws'
import { field, packet } from '../helpers/bytes.js'
import { clientOf, nextMessage, nextMessages, paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { Flood } from '../helpers/flood.js'

/** One read of the engine's, which a connection may take for itself. */
const READ = 256 * 1024

/** The stats as soon as they are as expected. */
async function settled(client: Client, isExpected: (stats: ClientStats) => boolean): Promise<ClientStats> {
  const deadline = Date.now() + 4 * patience
  for (;;) {
    const { stats } = client
    if (isExpected(stats)) return stats
    if (Date.now() > deadline) throw new Error(`the stats stayed at ${JSON.stringify(stats)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function publish(qos: 0 | 1 | 2, messageId: number, topic: string, payload: Buffer | string): Buffer {
  return generate({ cmd: 'publish', qos, messageId, topic, payload, dup: false, retain: false })
}

test('messages of QoS 2 count until they are released, also after a loss', async (t) => {
  const { client, peer, session } = await paired(t, { cleanSession: false, identifier: 'kept' })
  session.send(publish(2, 1, 'a', 'x'.repeat(100_000)), publish(2, 2, 'b', 'y'.repeat(50_000)))
  await session.take('pubrec', 2)
  const both = await settled(client, ({ unreleasedBytes }) => unreleasedBytes === 150_002)
  t.is(both.queuedBytes, 150_002)
  session.send({ cmd: 'pubrel', messageId: 2 })
  await session.next('pubcomp')
  t.is((await nextMessage(client)).payload.length, 50_000)
  t.is(client.stats.unreleasedBytes, 100_001)

  session.reset()
  await t.throwsAsync(within(patience, 'the loss', client.messages.next()))
  const { unreleasedBytes } = client.stats
  t.true(unreleasedBytes > 100_000 && unreleasedBytes < 100_100, `${unreleasedBytes}`)
  const connecting = client.connect()
  const second = await peer.welcome({ sessionPresent: true })
  await within(patience, 'connecting', connecting)
  second.send({ cmd: 'pubrel', messageId: 1 })
  t.is((await nextMessage(client)).text(), 'x'.repeat(100_000))
})

test('what has arrived of a message counts before the rest of it comes', async (t) => {
  const { client, session } = await paired(t)
  const whole = publish(0, 0, 'large', Buffer.alloc(3_000_000, 7))
  session.send(whole.subarray(0, 2_000_000))
  const { queuedBytes, unreadBytes } = await settled(client, (stats) => stats.unreadBytes >= 2_000_000)
  t.is(queuedBytes, unreadBytes - READ)
  session.send(whole.subarray(2_000_000))
  t.is((await nextMessage(client)).payload.length, 3_000_000)
  await settled(client, (stats) => stats.unreadBytes === 0 && stats.queuedBytes === 0)
})

for (const qos of [0, 1, 2] as const) {
  test(`a large message of QoS ${qos} for which there is no room is not put together before there is`, async (t) => {
    const bounds = { overflow: 'backpressure', maxQueuedIncomingBytes: 4_000_000 } as const
    const { client, session } = await paired(t, bounds)
    session.send(publish(1, 1, 'first', Buffer.alloc(2_000_000)))
    await session.next('puback')
    // Five more that wait for their PUBREL fill most of the 16 MiB that these have beside the queue.
    const size = 3_900_000
    const large = publish(qos, 2, 'second', Buffer.alloc(size, 7))
    if (qos === 2) {
      session.send(...[3, 4, 5, 6, 7].map((id) => publish(2, id, 'unreleased', Buffer.alloc(3_100_000))))
      await session.take('pubrec', 5)
    }
    session.send(large)
    await settled(client, ({ unreadBytes }) => unreadBytes > 0)
    // The client answers a ping of the connection's that it makes itself: what was sent before has been seen.
    await client.publish('probe')
    await session.next('publish')
    for (let look = 0; look < 20; look++) {
      t.true(client.stats.unreadBytes <= 2 * READ, `${client.stats.unreadBytes}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    t.is((await nextMessage(client)).payload.length, 2_000_000)
    if (qos === 2) {
      await session.next('pubrec')
      session.send({ cmd: 'pubrel', messageId: 2 })
    }
    t.is((await nextMessage(client)).payload.length, size)
  })
}

test('frames of a WebSocket count before their message is complete', async (t) => {
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  const whole = publish(0, 0, 'large', Buffer.alloc(2_000_000, 7))
  let sendRest = () => {}
  sockets.on('connection', (connection) => {
    connection.once('message', () => {
      connection.send(Buffer.from([0x20, 2, 0, 0]))
      connection.send(whole.subarray(0, 1_500_000), { fin: false })
      sendRest = () => connection.send(whole.subarray(1_500_000), { fin: true })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const client = clientOf(t, { host: '127.0.0.1', port }, { transport: 'websockets' })
  await within(patience, 'connecting', client.connect())
  const stats = await settled(client, ({ unreadBytes }) => unreadBytes >= 1_400_000)
  t.is(stats.queuedBytes, stats.unreadBytes - READ)
  sendRest()
  t.is((await nextMessage(client)).payload.length, 2_000_000)
  await settled(client, ({ unreadBytes }) => unreadBytes <= READ)
})

test('replies that the broker does not take count, and it is not read any further', async (t) => {
  const { client, session } = await paired(t)
  session.socket.pause()
  const pubrels = Buffer.concat(Array.from({ length: 16_384 }, () => Buffer.of(0x62, 2, 0x12, 0x34)))
  let isOver = false
  session.socket.on('close', () => {
    isOver = true
  })
  const pump = () => {
    while (!isOver && session.socket.write(pubrels));
  }
  session.socket.on('drain', pump)
  pump()
  const { replyBytes } = await settled(client, (stats) => stats.replyBytes > READ)
  t.true(replyBytes < 2 * READ, `${replyBytes}`)
  session.reset()
})

test('topics that came again are remembered and count, until the connection ends', async (t) => {
  const { client, session } = await paired(t, { protocol: 5 })
  const topic = 't'.repeat(60_000)
  const one = Buffer.from(packet('30', field(topic), '00'), 'hex')
  session.send(one, one, one)
  await nextMessages(client, 3)
  t.is(client.stats.topicBytes, 60_000)
  session.reset()
  await t.throwsAsync(within(patience, 'the loss', client.messages.next()))
  t.is(client.stats.topicBytes, 0)
})

test('the topics of the broker’s aliases count', async (t) => {
  const { client, session } = await paired(t, { protocol: 5, properties: { topicAliasMaximum: 10 } })
  for (const alias of ['0001', '0002', '0002']) {
    session.send(packet('30', field(`${alias}${'t'.repeat(1_000)}`), '03', '23', alias))
  }
  await nextMessages(client, 3)
  const remembered = 1_004 // The topic that came twice, by its name.
  await settled(client, ({ topicBytes }) => topicBytes === 2 * 1_004 + remembered)
  t.is(client.stats.queuedBytes, 0)
})

test('whatever a flood meets, the account ends at nothing', async (t) => {
  const { client, session } = await paired(t, { overflow: 'backpressure', maxQueuedIncomingMessages: 50 })
  const sending = new Flood(session, 300).send(5_000)
  for (let count = 0; count < 5_000; count++) {
    await nextMessage(client)
    if (count % 500 === 0) t.true(client.stats.queuedBytes <= 50 * 305 + 5, `${client.stats.queuedBytes}`)
  }
  await sending
  const { queuedBytes, messageBytes, slabBytes } = client.stats
  t.deepEqual({ queuedBytes, messageBytes, slabBytes }, { queuedBytes: 0, messageBytes: 0, slabBytes: 0 })
})
