import { type MqttError, ProtocolVersion } from 'aiomqtt'
import { setAsideMessages } from 'aiomqtt/store'
import test from 'ava'
import { clientOf, listening, paired, patience, roundTrip } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import { kept, MemoryStore } from '../helpers/memory-store.js'
import type { Peer, Received, Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'
import { lasting, reached, quickly as reconnect } from '../helpers/reconnect.js'

const { V311, V5 } = ProtocolVersion

/** All that a broker does that closes the connection at what it does not like, and answers the rest a moment later. */
function strict(peer: Peer, protocol: ProtocolVersion, isBad: (packet: Received) => boolean): string[][] {
  const sent: string[][] = []
  peer.serve(async (session) => {
    const own: string[] = []
    sent.push(own)
    const { clean } = await session.next('connect')
    session.welcome({ sessionPresent: !clean && protocol !== ProtocolVersion.V31 && sent.length > 1 })
    for (;;) {
      const packet = await session.any()
      if (packet.cmd === 'publish') own.push(packet.topic)
      if (packet.cmd === 'subscribe') own.push(...packet.subscriptions.map(({ topic }) => topic))
      if (isBad(packet)) {
        session.reset()
        return
      }
      setTimeout(() => answer(session, packet), 20)
    }
  })
  return sent
}

function answer(session: Session, packet: Received): void {
  if (packet.cmd === 'publish' && packet.qos === 1)
    session.send({ cmd: 'puback', messageId: packet.messageId })
  if (packet.cmd === 'publish' && packet.qos === 2)
    session.send({ cmd: 'pubrec', messageId: packet.messageId })
  if (packet.cmd === 'pubrel') session.send({ cmd: 'pubcomp', messageId: packet.messageId })
  if (packet.cmd === 'subscribe') {
    session.send({ cmd: 'suback', messageId: packet.messageId, granted: packet.subscriptions.map(() => 0) })
  }
}

const isPoison = (packet: Received) => packet.cmd === 'publish' && packet.topic === 'bad'
const isForbidden = (packet: Received) =>
  packet.cmd === 'subscribe' && packet.subscriptions.some(({ topic }) => topic === 'forbidden')

for (const { name, protocol } of protocols) {
  for (const qos of [1, 2] as const) {
    test(`${name}, QoS ${qos}: a publish at which the broker closes ends, and all beside it go out`, async (t) => {
      const [peer, logger] = [await listening(t), new Recorder()]
      const sent = strict(peer, protocol, isPoison)
      const client = clientOf(t, peer, { ...lasting(protocol), reconnect, logger })
      const told: MqttError[] = []
      void (async () => {
        for await (const { error } of client.states) if (error?.code === 'ERR_MQTT_DELIVERY') told.push(error)
      })().catch(() => {})
      await within(patience, 'connecting', client.connect())
      const before = [1, 2, 3].map((index) => client.publish(`good/${index}`, 'x', { qos }))
      const bad = rejection(2 * patience, 'publishing', client.publish('bad', 'x', { qos }))
      const after = [4, 5].map((index) => client.publish(`good/${index}`, 'x', { qos }))
      const error = (await bad) as MqttError
      t.is(error.code, 'ERR_MQTT_DELIVERY')
      t.is((error.cause as MqttError).message, '[code:7] The connection was lost.')
      await within(patience, 'publishing', Promise.all([...before, ...after]))
      t.is(sent.filter((topics) => topics.includes('bad')).length, 5)
      t.regex(
        logger.lines.warn.join('\n'),
        /The broker has ended 3 connections with this publish as the oldest/,
      )
      await reached(client, 'connected')
      t.is(told.length, 1)
    })
  }
}

test.serial(
  'while connections end because of the same message the delays grow, however long they last',
  async (t) => {
    const { random } = Math
    t.teardown(() => {
      Math.random = random
    })
    // The longest delays that there can be.
    Math.random = () => 0.999
    const [peer, logger] = [await listening(t), new Recorder()]
    peer.serve(async (session) => {
      await session.next('connect')
      session.welcome()
      for (;;) {
        const packet = await session.any()
        // Later than minDelay.
        if (isPoison(packet)) setTimeout(() => session.reset(), 60)
        else answer(session, packet)
      }
    })
    const slower = { minDelay: 0.02, maxDelay: 10, maxDeliveryLosses: 5 }
    const client = clientOf(t, peer, { reconnect: slower, logger })
    await within(patience, 'connecting', client.connect())
    await rejection(2 * patience, 'publishing', client.publish('bad', 'x', { qos: 1 }))
    await within(patience, 'publishing', client.publish('good', 'x', { qos: 1 }))
    const lines = [...logger.lines.info, ...logger.lines.warn].join('\n')
    const delays = [...lines.matchAll(/Connecting again \(.* in ([\d.]+) s\)/g)].map(([, delay]) => delay)
    t.deepEqual(delays, ['0.00', '0.02', '0.04', '0.08', '0.16'])
  },
)

test('the last chance is a connection of its own: maxDeliveryLosses', async (t) => {
  for (const maxDeliveryLosses of [1, 2, 4]) {
    const peer = await listening(t)
    const sent = strict(peer, V311, isPoison)
    const client = clientOf(t, peer, { reconnect: { ...reconnect, maxDeliveryLosses } })
    await within(patience, 'connecting', client.connect())
    await rejection(2 * patience, 'publishing', client.publish('bad', 'x', { qos: 1 }))
    await within(patience, 'publishing', client.publish('good', 'x', { qos: 1 }))
    t.is(sent.filter((topics) => topics.includes('bad')).length, maxDeliveryLosses)
  }
})

test('with a store the message is set aside there, and no later program sends it', async (t) => {
  const [peer, store, logger] = [await listening(t), new MemoryStore(), new Recorder()]
  const options = { ...kept(V5, store), reconnect }
  const sent = strict(peer, V5, isPoison)
  const client = clientOf(t, peer, { ...options, logger })
  await within(patience, 'connecting', client.connect())
  const properties = { contentType: 'text/plain' }
  await rejection(
    2 * patience,
    'publishing',
    client.publish('bad', 'payload', { qos: 1, retain: true, properties }),
  )
  await within(patience, 'publishing', client.publish('good', 'x', { qos: 1 }))
  await client.disconnect()
  t.regex(logger.lines.warn.join('\n'), /It is set aside in the store/)
  const aside = []
  for await (const message of setAsideMessages(store)) aside.push(message)
  t.like(aside, [{ topic: 'bad', payload: Buffer.from('payload'), qos: 1, retain: true }])
  t.is(aside.length, 1)
  const connections = sent.length
  const next = clientOf(t, peer, options)
  await within(patience, 'connecting', next.connect())
  await within(patience, 'publishing', next.publish('good', 'x', { qos: 1 }))
  t.deepEqual(sent.slice(connections), [['good']])
})

test('what an older program left in the store is judged the same, without reconnect', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const options = kept(V5, store)
  const first = clientOf(t, peer, options)
  const [session] = await Promise.all([peer.welcome(), first.connect()])
  const lost = rejection(patience, 'publishing', first.publish('bad', 'x', { qos: 1 }))
  await session.next('publish')
  await first.disconnect()
  await lost
  strict(peer, V5, isPoison)
  const client = clientOf(t, peer, options)
  for (let count = 0; count < 3; count++) {
    await within(patience, 'connecting', client.connect())
    await reached(client, 'disconnected')
  }
  await within(patience, 'connecting', client.connect())
  await within(patience, 'publishing', client.publish('good', 'x', { qos: 1 }))
  await client.disconnect()
  t.deepEqual(
    [...store.records.keys()].map((key) => key.slice(0, 6)),
    ['aside-'],
  )
})

test('a subscription at whose renewal the broker closes is dropped, and the others are renewed', async (t) => {
  const [peer, logger] = [await listening(t), new Recorder()]
  let isStrict = false
  const sent = strict(peer, V311, (packet) => isStrict && isForbidden(packet))
  const client = clientOf(t, peer, { reconnect, logger })
  await within(patience, 'connecting', client.connect())
  await client.subscribe(['a', 'forbidden'])
  await client.subscribe('b')
  isStrict = true
  for (const session of peer.sessions) session.reset()
  await reached(client, 'reconnecting')
  await within(2 * patience, 'publishing', client.publish('good', 'x', { qos: 1 }))
  t.deepEqual(sent.at(-1)?.sort(), ['a', 'b', 'good'])
  t.regex(logger.lines.warn.join('\n'), /with this subscription to forbidden as the oldest/)
})

test('a subscribe() at which the broker closes rejects', async (t) => {
  const peer = await listening(t)
  strict(peer, V311, isForbidden)
  const client = clientOf(t, peer, { reconnect })
  await within(patience, 'connecting', client.connect())
  const error = (await rejection(2 * patience, 'subscribing', client.subscribe('forbidden'))) as MqttError
  t.is(error.code, 'ERR_MQTT_DELIVERY')
  await within(patience, 'subscribing', client.subscribe('fine'))
})

test('disconnect() is no loss, nor is one with nothing unanswered', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const client = clientOf(t, peer, {
    ...kept(V5, store),
    reconnect: { ...reconnect, maxDeliveryLosses: 1 },
  })
  const [session] = await Promise.all([peer.welcome(), client.connect()])
  const lost = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 1 }))
  await session.next('publish')
  await client.disconnect()
  t.is(((await lost) as MqttError).message, '[code:7] The connection was lost.')
  const [again] = await Promise.all([peer.welcome({ sessionPresent: true }), client.connect()])
  const publish = await again.next('publish')
  t.true(publish.dup)
  again.send({ cmd: 'puback', messageId: publish.messageId })
  await roundTrip(client, again)
  again.reset()
  await roundTrip(client, await peer.welcome({ sessionPresent: true }))
})

test('the time of a message of the offline queue runs whenever it is with a connection', async (t) => {
  const patient = { ...reconnect, maxDeliveryLosses: Number.POSITIVE_INFINITY }
  const { client, peer, session } = await paired(t, { reconnect: patient, offlineQueue: true, timeout: 1 })
  const begun = performance.now()
  const publishing = rejection(2 * patience, 'publishing', client.publish('a', 'x', { qos: 1 }))
  peer.serve(async (next) => {
    await next.next('connect')
    next.welcome()
    setTimeout(() => next.reset(), 200)
  })
  session.reset()
  t.is(((await publishing) as MqttError).message, 'Operation timed out')
  t.true(performance.now() - begun > 900)
})
