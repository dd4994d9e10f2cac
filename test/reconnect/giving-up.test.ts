import { type MqttCodeError, type MqttError, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { atOnce, clientOf, listening, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import type { Session } from '../helpers/peer.js'
import { lasting, reached, quickly as reconnect, shown, welcomed } from '../helpers/reconnect.js'

const { V311, V5 } = ProtocolVersion

for (const offlineQueue of [false, true]) {
  test(`after giving up everything rejects with the reason, ${offlineQueue ? 'with' : 'without'} offlineQueue`, async (t) => {
    const logger = new Recorder()
    const options = { reconnect: { ...reconnect, maxAttempts: 0 }, offlineQueue, logger }
    const { client, peer, session } = await paired(t, options)
    const pending = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 1 }))
    await session.next('publish')
    session.reset()
    t.is(((await pending) as MqttError).message, '[code:7] The connection was lost.')
    await reached(client, 'disconnected')
    for (const call of [
      () => client.publish('a', 'x'),
      () => client.publish('a', 'x', { qos: 1 }),
      () => client.subscribe('a'),
      () => client.unsubscribe('a'),
    ]) {
      const error = (await rejection(atOnce, 'a call', call())) as MqttCodeError
      t.is(error.rc, 4)
      t.is((error.cause as MqttError).message, '[code:7] The connection was lost.')
    }
    t.regex(logger.lines.error.join('\n'), /has given up connecting again: \[code:7\]/)
    // Whoever connects again begins anew.
    const [next] = await Promise.all([peer.welcome(), client.connect()])
    await client.publish('a', 'y')
    t.is(shown(await next.next('publish')), '0 a y')
  })
}

test('without reconnect, too, a call that finds no connection tells why; after disconnect() there is no reason', async (t) => {
  const { client, session } = await paired(t)
  session.reset()
  await reached(client, 'disconnected')
  const lost = (await rejection(atOnce, 'publishing', client.publish('a', 'x'))) as MqttCodeError
  t.is(lost.rc, 4)
  t.is((lost.cause as MqttCodeError).rc, 7)
  const other = await paired(t)
  await other.client.disconnect()
  const left = (await rejection(atOnce, 'publishing', other.client.publish('a', 'x'))) as MqttCodeError
  t.is(left.rc, 4)
  t.is(left.cause, undefined)
})

/** Reads what comes, answers it, and shows it in short. */
async function answered(session: Session, count: number): Promise<string[]> {
  const seen: string[] = []
  while (seen.length < count) {
    const packet = await session.any()
    if (packet.cmd === 'subscribe') {
      session.send({ cmd: 'suback', messageId: packet.messageId, granted: [0] })
      seen.push('subscribe')
    } else if (packet.cmd === 'publish') {
      if (packet.qos === 1) session.send({ cmd: 'puback', messageId: packet.messageId })
      seen.push(`publish ${packet.qos}`)
    }
  }
  return seen.sort()
}

for (const offlineQueue of [false, true]) {
  for (const fails of [false, true]) {
    test(`calls wait for the first connect(), offlineQueue ${offlineQueue}, an attempt fails: ${fails}`, async (t) => {
      const peer = await listening(t)
      const client = clientOf(t, peer, { offlineQueue, reconnect: { ...reconnect, initial: true } })
      const connecting = client.connect()
      const calls = [client.subscribe('a'), client.publish('a', 0), client.publish('a', 1, { qos: 1 })]
      if (fails) (await peer.accept()).reset()
      const session = await peer.welcome()
      await within(patience, 'connecting', connecting)
      t.deepEqual(await answered(session, 3), ['publish 0', 'publish 1', 'subscribe'])
      await within(atOnce, 'the calls', Promise.all(calls))
    })
  }
}

test('calls that wait for a connect() which fails reject with its reason', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { reconnect })
  const connecting = rejection(patience, 'connecting', client.connect())
  const calls = [client.subscribe('a'), client.publish('a', 0), client.publish('a', 1, { qos: 1 })].map(
    (call) => rejection(patience, 'a call', call),
  )
  const session = await peer.accept()
  await session.next('connect')
  session.send({ cmd: 'connack', sessionPresent: false, returnCode: 2 })
  const { message } = (await connecting) as MqttError
  for (const call of calls) t.is(((await call) as MqttError).message, message)
  t.is(client.stats.pending, 0)
})

test('QoS 0 waits in a gap with offlineQueue as it does without', async (t) => {
  const { client, peer, session } = await paired(t, { reconnect, offlineQueue: true })
  session.reset()
  await reached(client, 'reconnecting')
  const publishing = client.publish('a', 'x')
  const next = await welcomed(peer)
  t.is(shown(await next.next('publish')), '0 a x')
  await within(atOnce, 'publishing', publishing)
})

test('MQTT 5: a topic alias of an older connection is left out where there is a topic, and refused where there is none', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { ...lasting(V5), reconnect, maxInflightMessages: 1 })
  const properties = { topicAliasMaximum: 10 }
  const [session] = await Promise.all([peer.welcome({ properties }), client.connect()])
  const aliased = { topicAlias: 1, contentType: 'text' }
  const calls = [
    client.publish('topic', 'x', { qos: 1, properties: aliased }),
    client.publish('topic', 'y', { qos: 1, properties: { topicAlias: 2 } }),
  ]
  const bound = rejection(
    patience,
    'publishing',
    client.publish('', 'z', { qos: 1, properties: { topicAlias: 1 } }),
  )
  t.like((await session.next('publish')).properties, aliased)
  session.reset()
  const next = await welcomed(peer, true)
  for (const expected of [{ contentType: 'text' }, undefined]) {
    const publish = await next.next('publish')
    t.is(publish.topic, 'topic')
    t.deepEqual(publish.properties?.topicAlias, undefined)
    t.deepEqual(publish.properties?.contentType, expected?.contentType)
    next.send({ cmd: 'puback', messageId: publish.messageId })
  }
  await within(atOnce, 'publishing', Promise.all(calls))
  t.is(((await bound) as MqttCodeError).rc, 7)
})

test('MQTT 5: an alias that was never bound on this connection is refused before anything is sent', async (t) => {
  const { client, session } = await paired(t, { protocol: V5 }, { properties: { topicAliasMaximum: 10 } })
  for (const qos of [0, 1, 2] as const) {
    const call = client.publish('', 'x', { qos, properties: { topicAlias: 3 } })
    t.is(Number(((await rejection(atOnce, 'publishing', call)) as MqttCodeError).rc), 148)
  }
  await client.publish('topic', 'x', { properties: { topicAlias: 3 } })
  await client.publish('', 'y', { properties: { topicAlias: 3 } })
  t.deepEqual((await session.take('publish', 2)).map(shown), ['0 topic x', '0  y'])
})

test('MQTT 5: an alias that was bound on an older connection is refused on the next one before anything is sent', async (t) => {
  const properties = { topicAliasMaximum: 10 }
  const { client, peer, session } = await paired(t, { protocol: V5, reconnect }, { properties })
  const aliased = { properties: { topicAlias: 3 } }
  await client.publish('topic', 'x', aliased)
  await client.publish('', 'y', aliased)
  await session.take('publish', 2)
  session.reset()
  await reached(client, 'reconnecting')
  // One that waits for the next connection, and one that is made there.
  const waiting = rejection(patience, 'publishing', client.publish('', 'x', aliased))
  const next = await peer.welcome({ properties })
  await reached(client, 'connected')
  const made = rejection(atOnce, 'publishing', client.publish('', 'x', aliased))
  for (const error of [await waiting, await made]) t.is(Number((error as MqttCodeError).rc), 148)
  await client.publish('topic', 'z')
  t.is(shown(await next.next('publish')), '0 topic z')
})

for (const [what, filter, properties, lacks] of [
  ['wildcards', 'a/#', undefined, { wildcardSubscriptionAvailable: false }],
  ['shared subscriptions', '$share/group/a', undefined, { sharedSubscriptionAvailable: false }],
  [
    'subscription identifiers',
    'a',
    { subscriptionIdentifier: 1 },
    { subscriptionIdentifiersAvailable: false },
  ],
] as const) {
  test(`MQTT 5: where the next broker has no ${what} a warning tells that the subscription is not renewed`, async (t) => {
    const logger = new Recorder()
    const { client, peer, session } = await paired(t, { protocol: V5, reconnect, logger })
    const subscribing = client.subscribe(filter, { properties })
    const { messageId } = await session.next('subscribe')
    session.send({ cmd: 'suback', messageId, granted: [0] })
    await within(atOnce, 'subscribing', subscribing)
    const told = (async () => {
      for await (const { state, error } of client.states)
        if (state === 'connected' && error) return error.message
      return ''
    })()
    session.reset()
    const next = peer.welcome({ properties: lacks as object })
    await within(patience, 'coming back', next)
    t.regex(await within(patience, 'the state', told), /did not renew the subscription to /)
    t.regex(logger.lines.warn.join('\n'), /did not renew the subscription to /)
  })
}

test('MQTT 3.1.1: a granted subscription that the broker refuses later is told of, too', async (t) => {
  const logger = new Recorder()
  const { client, peer, session } = await paired(t, { protocol: V311, reconnect, logger })
  const subscribing = client.subscribe('a')
  await answered(session, 1)
  await within(atOnce, 'subscribing', subscribing)
  const told = (async () => {
    for await (const { state, error } of client.states)
      if (state === 'connected' && error) return error.message
    return ''
  })()
  session.reset()
  const next = await welcomed(peer)
  const { messageId } = await next.next('subscribe')
  next.send({ cmd: 'suback', messageId, granted: [0x80] })
  t.regex(await within(patience, 'the state', told), /did not renew the subscription to a: Unspecified error/)
})
