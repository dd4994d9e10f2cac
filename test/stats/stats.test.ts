import {
  type Client,
  type ClientOptions,
  type ClientStats,
  FifoQueue,
  LifoQueue,
  ProtocolVersion,
} from 'aiomqtt'
import test from 'ava'
import { field, packet } from '../helpers/bytes.js'
import { clientOf, listening, nextMessage, paired, patience } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import { Flood } from '../helpers/flood.js'
import type { Session } from '../helpers/peer.js'

const nothing: ClientStats = {
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  queued: 0,
  queuedBytes: 0,
  messageBytes: 0,
  unreadBytes: 0,
  unreleasedBytes: 0,
  replyBytes: 0,
  topicBytes: 0,
  slabBytes: 0,
  dropped: 0,
  inflight: 0,
  pending: 0,
  reconnects: 0,
  roundTripTime: null,
}

/** The stats as soon as they are as expected. */
async function settled(client: Client, isExpected: (stats: ClientStats) => boolean): Promise<ClientStats> {
  let { stats } = client
  const isThere = () => {
    stats = client.stats
    return isExpected(stats)
  }
  await until(patience, 'the stats', isThere).catch((error: Error) => {
    throw new Error(`${error.message}: they stayed at ${JSON.stringify(stats)}`)
  })
  return stats
}

function message(topic: string, size: number): string {
  return packet('30', field(topic), Buffer.alloc(size).toString('hex'))
}

/** A client whose queue holds two messages of 10 and 20 bytes of payload, with topics of one byte. */
async function queued(t: Parameters<typeof paired>[0], options: ClientOptions = {}) {
  const both = await paired(t, options)
  both.session.send(message('a', 10), message('b', 20))
  await settled(both.client, ({ queued }) => queued === 2)
  return both
}

test('before the first connection everything is 0, and the snapshot is frozen', (t) => {
  const { stats } = clientOf(t, { host: '127.0.0.1', port: 1 })
  t.deepEqual(stats, nothing)
  t.true(Object.isFrozen(stats))
})

test('bytes and messages are counted both ways, to the byte, and go on after a lost connection', async (t) => {
  const { client, peer, session } = await paired(t)
  let sent = 4
  for (const [index, qos] of ([0, 1, 2] as const).entries()) {
    const publishing = client.publish('a', 'payload', { qos })
    const { messageId } = await session.next('publish')
    if (qos === 1) session.send({ cmd: 'puback', messageId })
    if (qos === 2) {
      session.send({ cmd: 'pubrec', messageId })
      await session.next('pubrel')
      session.send({ cmd: 'pubcomp', messageId })
    }
    await within(patience, 'publishing', publishing)
    sent += [0, 4, 8][qos] as number
    t.is(client.stats.messagesSent, index + 1)
  }
  session.send(message('a', 100))
  sent += 2 + 3 + 100
  await nextMessage(client)
  const { roundTripTime, ...stats } = client.stats
  const expected = {
    ...nothing,
    messagesReceived: 1,
    messagesSent: 3,
    bytesReceived: sent,
    bytesSent: session.bytes.length,
  }
  t.deepEqual({ ...stats, roundTripTime: null }, expected)
  t.true(roundTripTime !== null && roundTripTime > 0 && roundTripTime < patience / 1000)

  session.reset()
  await rejection(patience, 'next()', client.messages.next())
  t.deepEqual(client.stats, expected)
  const connecting = client.connect()
  const second = await peer.welcome()
  await within(patience, 'connecting', connecting)
  const after = client.stats
  t.is(after.reconnects, 1)
  t.is(after.bytesReceived, sent + 4)
  t.is(after.bytesSent, session.bytes.length + second.bytes.length)
})

test('a call counts as pending, and an acknowledged publish as in flight, until it is over', async (t) => {
  const { client, session } = await paired(t, { maxConcurrentOutgoingCalls: 3 })
  const calls = [
    client.publish('a', '', { qos: 1 }),
    client.publish('a', '', { qos: 2 }),
    client.subscribe('a'),
    client.unsubscribe('a'),
  ]
  t.is(client.stats.pending, 4)
  t.is(client.stats.inflight, 2)
  const { messageId } = await session.next('publish')
  session.send({ cmd: 'puback', messageId })
  await within(patience, 'the publish', calls[0] as Promise<void>)
  t.is(client.stats.pending, 3)
  t.is(client.stats.inflight, 1)
  session.reset()
  for (const call of calls.slice(1)) await rejection(patience, 'the call', call)
  t.is(client.stats.pending, 0)
  t.is(client.stats.inflight, 0)
})

for (const [what, options] of [
  ['the usual queue', {}],
  ['a bounded one', { maxQueuedIncomingMessages: 100 }],
  ['one of another kind', { queueType: LifoQueue }],
  ['one of the user’s own', { queueType: class extends FifoQueue {} }],
] as const) {
  test(`what is queued is counted with ${what}`, async (t) => {
    const { client } = await queued(t, options)
    t.is(client.stats.queuedBytes, 32)
    const { payload } = await nextMessage(client)
    t.is(client.stats.queued, 1)
    t.is(client.stats.queuedBytes, 31 - payload.length)
  })
}

test('what is queued in views is counted, once for each, until they are over', async (t) => {
  const { client, session } = await paired(t, { protocol: ProtocolVersion.V5 })
  const views = ['a', '+'].map((filter) => client.messages.filter(filter))
  views[0]?.filter('b')
  session.send(packet('30', field('a'), '00', 'ffff'), packet('30', field('a/b'), '00'))
  const { queuedBytes } = await settled(client, ({ queued }) => queued === 3)
  t.is(queuedBytes, 3 + 3 + 3)
  for (const view of views) await view.return()
  t.is(client.stats.queued, 1)
  t.is(client.stats.messagesReceived, 2)
})

test('dropped messages are counted, whichever queue was full', async (t) => {
  const { client, session } = await paired(t, { maxQueuedIncomingMessages: 1, overflow: 'drop-oldest' })
  client.messages.filter('a')
  session.send(...['a', 'a', 'a', 'b', 'b'].map((topic) => message(topic, 1)))
  const { dropped } = await settled(client, ({ messagesReceived }) => messagesReceived === 5)
  t.is(dropped, 3)
})

test('the round-trip time is that of CONNECT, then that of PINGREQ', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { keepalive: 1 })
  const connecting = client.connect()
  const session: Session = await peer.accept()
  await session.next('connect')
  await new Promise((resolve) => setTimeout(resolve, 100))
  session.welcome()
  await within(patience, 'connecting', connecting)
  const first = client.stats.roundTripTime ?? 0
  t.true(first >= 0.09 && first < 4, `${first}`)
  await session.next('pingreq')
  session.send({ cmd: 'pingresp' })
  await settled(client, ({ roundTripTime }) => roundTripTime !== first)
  await client.disconnect()
  t.is(client.stats.roundTripTime, null)
})

test('a flood is counted to the message', async (t) => {
  const { client, session } = await paired(t)
  const before = client.stats
  const flood = new Flood(session, 64)
  const sending = flood.send(20_000)
  let count = 0
  for await (const _message of client.messages) if (++count === 20_000) break
  await sending
  t.is(client.stats.messagesReceived - before.messagesReceived, 20_000)
  t.is(client.stats.bytesReceived - before.bytesReceived, 20_000 * (2 + 2 + 5 + 64))
})
